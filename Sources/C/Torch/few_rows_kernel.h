// The arithmetic of FewRows.cpp for vectors of one width. Included once for each set of instructions, inside a namespace
// of its own and under the attributes of that set, so that the compiler uses them; hence no `#pragma once`.

/// Loads and stores need no alignment.
template <int width>
struct Of {
  typedef float Vector __attribute__((vector_size(4 * width), aligned(4)));
};

template <int width>
static inline auto load(const float *from) {
  return *reinterpret_cast<const typename Of<width>::Vector *>(from);
}

/// The sum of a vector's numbers, by halves.
template <int width>
static inline float total(typename Of<width>::Vector sums) {
  float parts[width];
  __builtin_memcpy(parts, &sums, sizeof(parts));
#pragma clang loop unroll(full)
  for (int half = width / 2; half > 0; half /= 2)
#pragma clang loop unroll(full)
    for (int lane = 0; lane < half; ++lane) parts[lane] += parts[lane + half];
  return parts[0];
}

/// Some rows of a left matrix times some of a right one: `depth` products are summed in registers. The right rows come
/// from memory and are read once for as many left ones as there are registers; those stay in the nearest cache.
template <int width, int rows, int columns>
static inline void tile(const InnerProducts &of, int64_t row, int64_t column) {
  const float *const left = of.left + row * of.leftStride, *const right = of.right + column * of.rightStride;
  const int64_t leftStride = of.leftStride, rightStride = of.rightStride, depth = of.depth;
  typename Of<width>::Vector sums[rows][columns] = {};
  int64_t k = 0;
  for (; k + width <= depth; k += width) {
    typename Of<width>::Vector b[columns];
#pragma clang loop unroll(full)
    for (int c = 0; c < columns; ++c) {
      b[c] = load<width>(right + c * rightStride + k);
      // The processor sees by itself that a row goes on, but not in time that others follow.
      __builtin_prefetch(right + (c + of.columnsAhead) * rightStride + k);
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; ++r) {
      const auto a = load<width>(left + r * leftStride + k);
#pragma clang loop unroll(full)
      for (int c = 0; c < columns; ++c) sums[r][c] += a * b[c];
    }
  }
  float totals[rows][columns];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; ++r)
#pragma clang loop unroll(full)
    for (int c = 0; c < columns; ++c) totals[r][c] = total<width>(sums[r][c]);
  for (; k < depth; ++k)
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c) totals[r][c] += left[r * leftStride + k] * right[c * rightStride + k];
  float *const result = of.result + row * of.resultStride + column;
  const float *const bias = of.bias ? of.bias + column : nullptr;
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; ++r)
#pragma clang loop unroll(full)
    for (int c = 0; c < columns; ++c) result[r * of.resultStride + c] = totals[r][c] + (bias ? bias[c] : 0);
}

/// One column of tiles; the last one may have fewer rows.
template <int width, int rows, int columns>
static inline void allRows(const InnerProducts &of, int64_t column) {
  int64_t row = 0;
  for (; row + rows <= of.rows; row += rows) tile<width, rows, columns>(of, row, column);
  switch (of.rows - row) {
#define REST(count) \
  case count: \
    if constexpr (count < rows) tile<width, count, columns>(of, row, column); \
    break;
    REST(1) REST(2) REST(3) REST(4) REST(5) REST(6) REST(7)
#undef REST
  }
}

/// The columns `begin..<end` of the result.
template <int width, int rows, int columns>
static void innerProducts(const InnerProducts &of, int64_t begin, int64_t end) {
  int64_t column = begin;
  for (; column + columns <= end; column += columns) allRows<width, rows, columns>(of, column);
  for (; column < end; ++column) allRows<width, rows, 1>(of, column);
}

/// Adds `vectors · width` numbers of each of some rows, each times its weight: `into[k] = Σ weights[row] · rows[row][k]`.
template <int width, int vectors>
static inline void mixSome(const float *weights, const float *rows, int64_t stride, int64_t count, float *into) {
  constexpr int64_t rowsAhead = 16;
  typename Of<width>::Vector sums[vectors] = {};
  for (int64_t row = 0; row < count; ++row) {
    const float *const from = rows + row * stride;
    const float weight = weights[row];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) {
      __builtin_prefetch(from + rowsAhead * stride + v * width);
      sums[v] += weight * load<width>(from + v * width);
    }
  }
#pragma clang loop unroll(full)
  for (int v = 0; v < vectors; ++v) *reinterpret_cast<typename Of<width>::Vector *>(into + v * width) = sums[v];
}

/// `into[k] = Σ weights[row] · rows[row][k]` for `depth` numbers of each row.
template <int width>
static void mix(
    const float *weights, const float *rows, int64_t stride, int64_t count, int64_t depth, float *into) {
  int64_t k = 0;
  for (; k + 8 * width <= depth; k += 8 * width) mixSome<width, 8>(weights, rows + k, stride, count, into + k);
  for (; k + width <= depth; k += width) mixSome<width, 1>(weights, rows + k, stride, count, into + k);
  for (; k < depth; ++k) {
    into[k] = 0;
    for (int64_t row = 0; row < count; ++row) into[k] += weights[row] * rows[row * stride + k];
  }
}
