// Arithmetic on tiles of logits, for the instructions of the processor.
#pragma once
#include <cstdint>

namespace ctorch {

/// Logits of some rows and columns. Rows are whole vectors: what lies past the last column is minus infinity.
template <typename Number>
struct Tile {
  Number *data;
  int64_t stride, rows, columns;

  Number *row(int64_t index) const { return data + index * stride; }
};

/// For each row or column the largest logit, and one over the sum of exponentials relative to it.
template <typename Number>
struct Softmax {
  const Number *maxima, *inverseSums;
};

template <typename Number>
struct ScoreKernels {
  /// The maxima of rows and columns so far, with those of a tile.
  void (*addMaxima)(const Tile<Number> &tile, Number *rowMaxima, Number *columnMaxima);
  /// Adds the exponentials of a tile, relative to the maxima, to the sums of rows and columns.
  void (*addExponentials)(
      const Tile<Number> &tile, const Number *rowMaxima, const Number *columnMaxima, Number *rowSums,
      Number *columnSums);
  /// Writes the sums of a logit's probabilities in its row and in its column.
  void (*probabilities)(
      const Tile<Number> &tile, const Softmax<Number> &byRow, const Softmax<Number> &byColumn, Number *into,
      int64_t stride);
  /// Replaces logits by the derivatives of log(1 + exp(logit + bias)). Adds up those and the values.
  void (*sigmoids)(const Tile<Number> &tile, Number bias, double *values, double *derivatives);
};

/// Those for the instructions that libtorch uses, too; for float and double.
template <typename Number>
const ScoreKernels<Number> &scoreKernels();

/// Numbers of the longest vector.
constexpr int64_t longestVector = 16;

}  // namespace ctorch
