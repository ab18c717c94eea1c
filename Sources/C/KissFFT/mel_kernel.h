// Mel spectra of as many frames at once as a vector has numbers: KissFFT's template transforms vectors as it does numbers.
// Included once for each set of instructions, under the attributes of that set; `INSTRUCTIONS` is its namespace and `LANES`
// the length of its vectors. Hence no `#pragma once`.

namespace {
namespace INSTRUCTIONS {

typedef double Vector __attribute__((vector_size(8 * LANES)));
typedef uint64_t Bits __attribute__((vector_size(8 * LANES)));

/// One number of each frame, with the arithmetic that the template asks for.
struct Numbers {
  Vector value;

  Numbers() = default;
  Numbers(Vector value) : value(value) {}
  Numbers(double number) : value(Vector{} + number) {}
  Numbers(int number) : Numbers(double(number)) {}
  Numbers(size_t number) : Numbers(double(number)) {}

  friend Numbers operator+(Numbers a, Numbers b) { return a.value + b.value; }
  friend Numbers operator-(Numbers a, Numbers b) { return a.value - b.value; }
  friend Numbers operator*(Numbers a, Numbers b) { return a.value * b.value; }
  friend Numbers operator/(Numbers a, Numbers b) { return a.value / b.value; }
  Numbers operator-() const { return -value; }
};

}  // namespace INSTRUCTIONS
}  // namespace

// The standard leaves open what its own template does with such numbers.
template <>
class std::complex<INSTRUCTIONS::Numbers> {
  typedef INSTRUCTIONS::Numbers Numbers;
  Numbers parts[2];

 public:
  complex() = default;
  complex(Numbers real, Numbers imaginary) : parts{real, imaginary} {}

  Numbers real() const { return parts[0]; }
  Numbers imag() const { return parts[1]; }
  void imag(Numbers value) { parts[1] = value; }

  friend complex operator+(const complex &a, const complex &b) {
    return {a.parts[0] + b.parts[0], a.parts[1] + b.parts[1]};
  }
  friend complex operator-(const complex &a, const complex &b) {
    return {a.parts[0] - b.parts[0], a.parts[1] - b.parts[1]};
  }
  friend complex operator*(const complex &a, const complex &b) {
    return {a.parts[0] * b.parts[0] - a.parts[1] * b.parts[1], a.parts[0] * b.parts[1] + a.parts[1] * b.parts[0]};
  }
  friend complex operator*(const complex &a, Numbers b) { return {a.parts[0] * b, a.parts[1] * b}; }
  friend complex operator*(Numbers a, const complex &b) { return b * a; }
  complex &operator+=(const complex &other) { return *this = *this + other; }
  complex &operator*=(Numbers other) { return *this = *this * other; }
};

// The functions that the template calls by their full names, all of them with the same number for each frame.
namespace std {
inline INSTRUCTIONS::Numbers acos(INSTRUCTIONS::Numbers x) { return acos(x.value[0]); }
inline complex<INSTRUCTIONS::Numbers> exp(const complex<INSTRUCTIONS::Numbers> &x) {
  const complex<double> one = exp(complex<double>(x.real().value[0], x.imag().value[0]));
  return {one.real(), one.imag()};
}
inline complex<INSTRUCTIONS::Numbers> conj(const complex<INSTRUCTIONS::Numbers> &x) { return {x.real(), -x.imag()}; }
}  // namespace std

namespace {
namespace INSTRUCTIONS {

#undef KISSFFT_CLASS_HH
#include <kissfft/kissfft.hh>

/// Natural logarithms of normal numbers above 0, to 1e-14.
inline Vector logarithm(Vector x) {
  // x is 2^power · m with m between √½ and √2, and log m = 2 artanh((m − 1) / (m + 1)).
  constexpr uint64_t rootOfHalf = 0x3FE6A09E667F3BCD;
  Bits bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  const Bits shifted = (bits - rootOfHalf + (uint64_t(1024) << 52)) >> 52;
  bits -= (shifted - 1024) << 52;
  // The last digits of 2⁵² + n are n.
  const Bits digits = shifted | uint64_t(0x4330000000000000);
  Vector m, power;
  __builtin_memcpy(&m, &bits, sizeof(m));
  __builtin_memcpy(&power, &digits, sizeof(power));
  power -= 4503599627370496.0 + 1024;
  const Vector s = (m - 1) / (m + 1), square = s * s, fourth = square * square;
  // Two sums of every second term, which need not wait for each other.
  Vector first = Vector{} + 1.0 / 13, second = Vector{} + 1.0 / 15;
#pragma clang loop unroll(full)
  for (int term = 9; term > 0; term -= 4) {
    first = first * fourth + 1.0 / term;
    second = second * fourth + 1.0 / (term + 2);
  }
  return power * 0.69314718055994530942 + 2 * s * (first + square * second);
}

typedef float Singles __attribute__((vector_size(4 * LANES)));

/// Numbers of both vectors in turn, from `start` on.
template <int start, size_t... index>
inline Singles interleaved(Singles a, Singles b, std::index_sequence<index...>) {
  return __builtin_shufflevector(a, b, (start + index / 2 + (index % 2) * LANES)...);
}

/// Exchanges rows and columns, by as many perfect shuffles as there are digits in their number.
inline void transpose(Singles (&rows)[LANES]) {
  constexpr auto indices = std::make_index_sequence<LANES>();
#pragma clang loop unroll(full)
  for (int step = 1; step < LANES; step *= 2) {
    Singles shuffled[LANES];
#pragma clang loop unroll(full)
    for (int row = 0; row < LANES / 2; ++row) {
      shuffled[2 * row] = interleaved<0>(rows[row], rows[row + LANES / 2], indices);
      shuffled[2 * row + 1] = interleaved<LANES / 2>(rows[row], rows[row + LANES / 2], indices);
    }
#pragma clang loop unroll(full)
    for (int row = 0; row < LANES; ++row) rows[row] = shuffled[row];
  }
}

class Plan final : public ckissfft_plan {
  kissfft<Numbers> transform;

 public:
  explicit Plan(const ckissfft_settings &settings)
      : ckissfft_plan(settings), transform(size_t(settings.points) / 2, false) {}

  void run(const float *samples, int64_t frames, float *logarithms) const noexcept override {
    const int half = points / 2;
    std::vector<Numbers> values(static_cast<size_t>(points), Numbers(0.0));
    std::vector<std::complex<Numbers>> lines(static_cast<size_t>(half));
    std::vector<Vector> power(static_cast<size_t>(half) + 1);
    std::vector<float> results(static_cast<size_t>(bands) * LANES);
    for (int64_t start = 0; start < frames; start += LANES) {
      const int lanes = int(std::min<int64_t>(LANES, frames - start));
      const float *rows[LANES];
      // Where frames are fewer, the last one is made several times.
      for (int lane = 0; lane < LANES; ++lane) rows[lane] = samples + (start + std::min(lane, lanes - 1)) * hop;
      load(rows, values.data());
      transform.transform_real(values.data(), lines.data());
      // The last line, a real number, takes the place of the first one's imaginary part.
      power[0] = square(lines[0].real());
      power[half] = square(lines[0].imag());
      for (int line = 1; line < half; ++line) power[line] = square(lines[line].real()) + square(lines[line].imag());
      gather(power.data(), results.data());
      for (int lane = 0; lane < lanes; ++lane)
        for (int band = 0; band < bands; ++band) *logarithms++ = results[static_cast<size_t>(band) * LANES + lane];
    }
  }

 private:
  static Vector square(Numbers x) { return x.value * x.value; }

  /// The frames that begin at `rows`, times the window.
  void load(const float *const *rows, Numbers *values) const {
    const bool isPlain = !removesMean && preEmphasis == 0;
    Vector sum{};
    int index = 0;
    for (; index + LANES <= frame; index += LANES) {
      Singles block[LANES];
      for (int lane = 0; lane < LANES; ++lane) __builtin_memcpy(&block[lane], rows[lane] + index, sizeof(Singles));
      transpose(block);
      for (int row = 0; row < LANES; ++row) {
        const Vector value = __builtin_convertvector(block[row], Vector);
        values[index + row] = isPlain ? value * window[index + row] : value;
        sum += value;
      }
    }
    for (; index < frame; ++index) {
      Vector value;
      for (int lane = 0; lane < LANES; ++lane) value[lane] = rows[lane][index];
      values[index] = isPlain ? value * window[index] : value;
      sum += value;
    }
    if (isPlain) return;
    const Vector mean = removesMean ? sum / double(frame) : Vector{};
    for (index = frame - 1; index > 0; --index) {
      const Vector predecessor = values[index - 1].value - mean;
      values[index] = (values[index].value - mean - preEmphasis * predecessor) * window[index];
    }
    values[0] = (values[0].value - mean) * (1 - preEmphasis) * window[0];
  }

  /// The logarithms of the bands' energies, those of one band side by side.
  void gather(const Vector *power, float *results) const {
    const double *weight = weights.data();
    for (int band = 0; band < bands; ++band) {
      Vector sum{};
      const Vector *line = power + first[band];
      for (int index = 0; index < count[band]; ++index) sum += *weight++ * line[index];
      // Not a number is not greater either.
      const Vector energy = sum > floor ? sum : Vector{} + floor;
      const Singles result = __builtin_convertvector(logarithm(energy) * scale, Singles);
      __builtin_memcpy(results + band * LANES, &result, sizeof(result));
    }
  }
};

}  // namespace INSTRUCTIONS
}  // namespace
