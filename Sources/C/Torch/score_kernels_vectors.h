// The arithmetic of ScoreKernels.cpp for vectors of one width. Included once for each set of instructions, inside a
// namespace of its own and under the attributes of that set, so that the compiler uses them; hence no `#pragma once`.
// Rows of a tile are whole vectors: what lies past the last column is minus infinity, whose exponential is 0.

template <typename Number>
struct Bits;
template <>
struct Bits<float> {
  typedef int32_t Integer;
  static constexpr int mantissa = 23, terms = 7, logarithmTerms = 8;
  static constexpr float lowest = -87.33f;
  // Adding it leaves a small number's nearest integer in the last digits.
  static constexpr float rounding = 12582912.0f;
  // ln 2 in two parts; multiples of the first by exponents are exact.
  static constexpr float ln2 = 0.693359375f, ln2Rest = -2.12194440e-4f;
};
template <>
struct Bits<double> {
  typedef int64_t Integer;
  static constexpr int mantissa = 52, terms = 13, logarithmTerms = 17;
  static constexpr double lowest = -708.39;
  static constexpr double rounding = 6755399441055744.0;
  static constexpr double ln2 = 6.93145751953125e-1, ln2Rest = 1.42860682030941723212e-6;
};

template <typename Number, int width>
struct Vectors {
  typedef Number Vector __attribute__((vector_size(sizeof(Number) * width), aligned(sizeof(Number))));
  typedef typename Bits<Number>::Integer Integers
      __attribute__((vector_size(sizeof(Number) * width), aligned(sizeof(Number))));

  static inline Vector load(const Number *from) { return *reinterpret_cast<const Vector *>(from); }
  static inline void store(Number *into, Vector value) { *reinterpret_cast<Vector *>(into) = value; }
  static inline Vector all(Number value) { return Vector{} + value; }
  // Of a NaN and a number it is the first argument or the second: sums see the NaN, whatever maxima do.
  static inline Vector larger(Vector a, Vector b) { return a > b ? a : b; }

  /// Exponentials of numbers that are not far above 0, to the last digit or two; 0 where they are below normal ones.
  static inline Vector exponential(Vector x) {
    typedef Bits<Number> B;
    const Vector shifted = larger(all(B::lowest), x) * Number(1.44269504088896340736) + B::rounding;
    const Vector power = shifted - B::rounding;
    const Vector rest = x - power * B::ln2 - power * B::ln2Rest;
    // Taylor's series: |rest| is at most ln 2 / 2.
    Number factor = 1;
    for (int term = 2; term <= B::terms; ++term) factor *= term;
    Vector sum = all(1 / factor);
#pragma clang loop unroll(full)
    for (int term = B::terms; term > 0; --term) {
      factor /= term;
      sum = sum * rest + 1 / factor;
    }
    Integers scale;
    __builtin_memcpy(&scale, &shifted, sizeof(scale));
    Integers bits;
    __builtin_memcpy(&bits, &sum, sizeof(bits));
    bits += scale << B::mantissa;
    Vector result;
    __builtin_memcpy(&result, &bits, sizeof(result));
    // Comparisons with NaN are false, and the sum is NaN then.
    return x < B::lowest ? Vector{} : (x == x ? result : x);
  }

  /// log(1 + x) of 0...1, to the last digit or two: 2 · artanh(x / (2 + x)), whose series has powers of at most 1/9.
  static inline Vector logarithmOfOnePlus(Vector x) {
    typedef Bits<Number> B;
    const Vector ratio = x / (x + 2), square = ratio * ratio;
    Vector sum = all(Number(1) / (2 * B::logarithmTerms + 1));
#pragma clang loop unroll(full)
    for (int term = B::logarithmTerms - 1; term >= 0; --term) sum = sum * square + Number(1) / (2 * term + 1);
    return 2 * ratio * sum;
  }

  static inline Number total(Vector sums) {
    Number parts[width];
    __builtin_memcpy(parts, &sums, sizeof(parts));
#pragma clang loop unroll(full)
    for (int half = width / 2; half > 0; half /= 2)
#pragma clang loop unroll(full)
      for (int lane = 0; lane < half; ++lane) parts[lane] += parts[lane + half];
    return parts[0];
  }

  static inline Number largest(Vector values) {
    Number result = values[0];
    for (int lane = 1; lane < width; ++lane) result = result > values[lane] ? result : values[lane];
    return result;
  }

  static void addMaxima(const Tile<Number> &tile, Number *rowMaxima, Number *columnMaxima) {
    for (int64_t row = 0; row < tile.rows; ++row) {
      const Number *const logits = tile.row(row);
      Vector most = all(rowMaxima[row]);
      for (int64_t column = 0; column < tile.columns; column += width) {
        const Vector values = load(logits + column);
        most = larger(values, most);
        store(columnMaxima + column, larger(values, load(columnMaxima + column)));
      }
      rowMaxima[row] = largest(most);
    }
  }

  static void addExponentials(
      const Tile<Number> &tile, const Number *rowMaxima, const Number *columnMaxima, Number *rowSums,
      Number *columnSums
  ) {
    for (int64_t row = 0; row < tile.rows; row += together) {
      // A few rows at once: their sum is added to the columns' as one number, which keeps digits.
      const int64_t rows = tile.rows - row < together ? tile.rows - row : together;
      Vector sums[together] = {};
      for (int64_t column = 0; column < tile.columns; column += width) {
        const Vector maximum = load(columnMaxima + column);
        Vector ofColumns{};
        for (int64_t r = 0; r < rows; ++r) {
          const Vector logits = load(tile.row(row + r) + column);
          sums[r] += exponential(logits - rowMaxima[row + r]);
          ofColumns += exponential(logits - maximum);
        }
        store(columnSums + column, load(columnSums + column) + ofColumns);
      }
      for (int64_t r = 0; r < rows; ++r) rowSums[row + r] += total(sums[r]);
    }
  }

  static void probabilities(
      const Tile<Number> &tile, const Softmax<Number> &byRow, const Softmax<Number> &byColumn, Number *into,
      int64_t stride
  ) {
    for (int64_t row = 0; row < tile.rows; ++row) {
      const Number maximum = byRow.maxima[row], inverse = byRow.inverseSums[row];
      const Number *const logits = tile.row(row);
      Number *const result = into + row * stride;
      for (int64_t column = 0; column < tile.columns; column += width) {
        const Vector values = load(logits + column);
        store(
            result + column, exponential(values - maximum) * inverse +
                                 exponential(values - load(byColumn.maxima + column)) *
                                     load(byColumn.inverseSums + column));
      }
    }
  }

  static void sigmoids(const Tile<Number> &tile, Number bias, double *values, double *derivatives) {
    for (int64_t row = 0; row < tile.rows; ++row) {
      Number *const logits = tile.row(row);
      Vector losses{}, slopes{};
      for (int64_t column = 0; column < tile.columns; column += width) {
        const Vector z = load(logits + column) + bias, positive = larger(z, Vector{});
        // log(1 + exp(z)) is z or 0, whichever is larger, and a rest that is the same for z and -z.
        const Vector rest = exponential(z - 2 * positive);
        const Vector sigmoid = (z > 0 ? all(1) : rest) / (1 + rest);
        losses += positive + logarithmOfOnePlus(rest);
        slopes += sigmoid;
        store(logits + column, sigmoid);
      }
      *values += total(losses);
      *derivatives += total(slopes);
    }
  }

 private:
  static constexpr int together = 8;
};
