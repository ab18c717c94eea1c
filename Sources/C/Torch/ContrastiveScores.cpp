// The passes over all scores that contrastive losses and their gradients take.
#include "internal.h"
#include "score_tiles.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <array>

using namespace ctorch;

namespace {

/// The maximum of no logits: finite, so that differences are no NaN.
constexpr float nothing = -std::numeric_limits<float>::max();

/// Of each row and each column the largest logit and the sum of exponentials relative to it, of all but the matching
/// pairs, whose logits stand apart.
struct ScoreStatistics {
  at::Tensor matched;
  at::Tensor rowMaxima, rowSums;
  at::Tensor columnMaxima, columnSums;
  /// Logits of the first rows, which the gradients need again; those of other rows are computed twice.
  at::Tensor kept;
};

struct SoftmaxTensors {
  at::Tensor maxima, inverseSums;
};

struct ScoreGradients {
  at::Tensor rows, columns;
};

template <typename Number>
ScoreStatistics statistics(const Scores &scores, bool keeps) {
  const Grid grid(scores);
  const auto options = scores.rows.options();
  const int64_t rows = scores.rows.size(0), columns = scores.columns.size(0), width = scores.rows.size(1);
  const auto length = [&](int64_t count, float value) { return at::full({count}, value, options); };
  // Twice the memory of the gradients themselves, whatever the batch; all logits of one of 2,048 samples.
  const int64_t most = keeps ? 2 * (rows + columns) * width / wholeVectors(columns) : 0;
  const int64_t keptRows = most < rows ? most / grid.blockRows() * grid.blockRows() : rows;
  const ScoreStatistics result{
      .matched = length(rows, 0),
      .rowMaxima = length(rows, nothing),
      .rowSums = length(rows, 0),
      .columnMaxima = length(columns, nothing),
      .columnSums = length(columns, 0),
      .kept = at::empty({keptRows, wholeVectors(columns)}, options),
  };
  forBlocks(grid, [&] {
    return [&, memory = TileMemory<Number>(grid, scores),
            ofTile = at::empty({2, wholeVectors(grid.tileColumns())}, options)](int64_t index, Turns &turns) {
      const Part block = grid.block(index);
      const bool isKept = block.begin + block.count <= result.kept.size(0);
      Number *const maxima = data<Number>(ofTile), *const sums = maxima + ofTile.stride(0);
      Number *const rowMaxima = data<Number>(result.rowMaxima) + block.begin;
      Number *const rowSums = data<Number>(result.rowSums) + block.begin;
      Number *const matched = data<Number>(result.matched) + block.begin;
      std::vector<Number> previous(block.count);
      for (int64_t place = 0; place < grid.tiles(); ++place) {
        const Part tile = grid.tile(place);
        const auto logits = isKept ? memory.write(result.kept, block, tile, block.begin, tile.begin)
                                   : memory.write(block, tile);
        forMatching(scores, block, tile, [&](int64_t row, int64_t column) {
          matched[row] = logits.row(row)[column];
          logits.row(row)[column] = -std::numeric_limits<Number>::infinity();
        });
        std::fill(maxima, maxima + logits.columns, nothing);
        std::fill(sums, sums + logits.columns, 0);
        std::copy(rowMaxima, rowMaxima + block.count, previous.begin());
        scoreKernels<Number>().addMaxima(logits, rowMaxima, maxima);
        // When a maximum grows, what is there already shrinks.
        for (int64_t row = 0; row < block.count; ++row) rowSums[row] *= std::exp(previous[row] - rowMaxima[row]);
        scoreKernels<Number>().addExponentials(logits, rowMaxima, maxima, rowSums, sums);

        turns.wait(place, index);
        Number *const allMaxima = data<Number>(result.columnMaxima) + tile.begin;
        Number *const allSums = data<Number>(result.columnSums) + tile.begin;
        for (int64_t column = 0; column < tile.count; ++column) {
          const Number maximum = std::max(allMaxima[column], maxima[column]);
          allSums[column] = allSums[column] * std::exp(allMaxima[column] - maximum) +
                            sums[column] * std::exp(maxima[column] - maximum);
          allMaxima[column] = maximum;
        }
        turns.pass(place);
      }
    };
  });
  return result;
}

ScoreGradients emptyGradients(const Scores &scores, bool needsGradients = true) {
  if (!needsGradients) return {};
  return {
      at::empty(scores.rows.sizes(), scores.rows.options()),
      scores.rows.size(0) > 0 ? at::empty(scores.columns.sizes(), scores.columns.options())
                              : at::zeros(scores.columns.sizes(), scores.columns.options())};
}

/// Adds what a tile of slopes gives to the gradients; to the columns' when it is the block's turn.
void addGradients(
    const Scores &scores, const ScoreGradients &gradients, const at::Tensor &memory, int64_t index,
    Part block, int64_t place, Part tile, double factor, Turns &turns
) {
  const at::Tensor slopes = memory.narrow(0, 0, block.count).narrow(1, 0, tile.count);
  addProduct(block.of(gradients.rows), slopes, tile.of(scores.columns), place == 0 ? 0 : 1, factor);
  turns.wait(place, index);
  addProduct(tile.of(gradients.columns), slopes.t(), block.of(scores.rows), index == 0 ? 0 : 1, factor);
  turns.pass(place);
}

/// The gradients of rows and columns where that of a logit is `factor` times the sum of both softmaxes, and times
/// `matched` for the matching pairs.
template <typename Number>
ScoreGradients gradients(
    const Scores &scores, const at::Tensor &kept, const SoftmaxTensors &byRow,
    const SoftmaxTensors &byColumn, const at::Tensor &matched, double factor
) {
  const Grid grid(scores);
  const ScoreGradients result = emptyGradients(scores);
  forBlocks(grid, [&] {
    return [&, memory = TileMemory<Number>(grid, scores),
            ofTile = at::empty({2, wholeVectors(grid.tileColumns())}, scores.rows.options())](
               int64_t index, Turns &turns) {
      const Part block = grid.block(index);
      const bool isKept = block.begin + block.count <= kept.size(0);
      Number *const maxima = data<Number>(ofTile), *const inverseSums = maxima + ofTile.stride(0);
      for (int64_t place = 0; place < grid.tiles(); ++place) {
        const Part tile = grid.tile(place);
        const auto logits = isKept ? TileMemory<Number>::view(kept, block, tile, block.begin, tile.begin)
                                   : memory.write(block, tile);
        std::copy_n(data<Number>(byColumn.maxima) + tile.begin, tile.count, maxima);
        std::copy_n(data<Number>(byColumn.inverseSums) + tile.begin, tile.count, inverseSums);
        std::fill(maxima + tile.count, maxima + logits.columns, 0);
        std::fill(inverseSums + tile.count, inverseSums + logits.columns, 0);
        const auto slopes = TileMemory<Number>::view(memory.memory(), block, tile, 0, 0);
        scoreKernels<Number>().probabilities(
            logits,
            {data<Number>(byRow.maxima) + block.begin, data<Number>(byRow.inverseSums) + block.begin},
            {maxima, inverseSums}, slopes.data, slopes.stride);
        forMatching(scores, block, tile, [&](int64_t row, int64_t column) {
          slopes.row(row)[column] = data<Number>(matched)[block.begin + row];
        });
        addGradients(scores, result, memory.memory(), index, block, place, tile, factor, turns);
      }
    };
  });
  return result;
}

/// Adds up -log σ of all logits with their signs, and its derivatives by the bias: `[2]`. The gradients of rows and
/// columns are those times `factor`.
template <typename Number>
std::pair<at::Tensor, ScoreGradients> sigmoids(const Scores &scores, double bias, double factor, bool needsGradients) {
  const Grid grid(scores);
  const ScoreGradients result = emptyGradients(scores, needsGradients);
  const at::Tensor sums = at::zeros({grid.blocks(), 2}, at::kDouble);
  forBlocks(grid, [&] {
    return [&, memory = TileMemory<Number>(grid, scores)](int64_t index, Turns &turns) {
      const Part block = grid.block(index);
      double *const value = data<double>(sums) + 2 * index, *const derivative = value + 1;
      std::vector<Number> matched;
      for (int64_t place = 0; place < grid.tiles(); ++place) {
        const Part tile = grid.tile(place);
        const auto logits = memory.write(block, tile);
        matched.clear();
        forMatching(scores, block, tile, [&](int64_t row, int64_t column) {
          matched.push_back(logits.row(row)[column] + static_cast<Number>(bias));
          logits.row(row)[column] = -std::numeric_limits<Number>::infinity();
        });
        scoreKernels<Number>().sigmoids(logits, bias, value, derivative);
        auto next = matched.begin();
        forMatching(scores, block, tile, [&](int64_t row, int64_t column) {
          const Number z = *next++, rest = std::exp(-std::abs(z));
          *value += (z < 0 ? -z : 0) + std::log1p(rest);
          logits.row(row)[column] = -(z > 0 ? rest : 1) / (1 + rest);
          *derivative += logits.row(row)[column];
        });
        if (needsGradients) addGradients(scores, result, memory.memory(), index, block, place, tile, factor, turns);
      }
    };
  });
  return {sums.sum(0), result};
}

/// Scores of tensors that come from outside.
Scores checkedScores(ctorch_tensor *rows, ctorch_tensor *columns, intptr_t own, double scale, intptr_t block_rows) {
  const In x(rows), y(columns);
  const c10::ScalarType type = x->scalar_type();
  TORCH_CHECK(
      x->is_cpu() && y->is_cpu() && y->scalar_type() == type && (type == at::kFloat || type == at::kDouble),
      "scores are computed of float32 or float64 on the CPU, not of ", x->toString(), " and ", y->toString());
  TORCH_CHECK(
      x->dim() == 2 && y->dim() == 2 && x->size(1) == y->size(1) && own >= 0 && own + x->size(0) <= y->size(0) &&
          block_rows > 0,
      "rows of shape ", x->sizes(), " from column ", own, " on do not match columns of shape ", y->sizes());
  return {x->detach().contiguous(), y->detach().contiguous(), own, scale, block_rows};
}

template <typename Body>
auto ofType(const Scores &scores, Body body) {
  return scores.rows.scalar_type() == at::kFloat ? body(float()) : body(double());
}

}  // namespace

int32_t ctorch_score_statistics(
    ctorch_tensor *rows, ctorch_tensor *columns, intptr_t own, double scale, intptr_t block_rows, bool keeps,
    ctorch_tensor ***results, intptr_t *count) {
  return guarded([&] {
    const Scores scores = checkedScores(rows, columns, own, scale, block_rows);
    auto [matched, rowMaxima, rowSums, columnMaxima, columnSums, kept] =
        ofType(scores, [&](auto number) { return statistics<decltype(number)>(scores, keeps); });
    give({matched, rowMaxima, rowSums, columnMaxima, columnSums, kept}, results, count);
  });
}

int32_t ctorch_score_gradients(
    ctorch_tensor *rows, ctorch_tensor *columns, intptr_t own, double scale, intptr_t block_rows, ctorch_tensor *kept,
    ctorch_tensor *row_maxima, ctorch_tensor *row_inverse_sums, ctorch_tensor *column_maxima,
    ctorch_tensor *column_inverse_sums, ctorch_tensor *matched, double factor, ctorch_tensor **row_gradient,
    ctorch_tensor **column_gradient) {
  return guarded([&] {
    const Scores scores = checkedScores(rows, columns, own, scale, block_rows);
    const SoftmaxTensors byRow{In(row_maxima)->contiguous(), In(row_inverse_sums)->contiguous()};
    const SoftmaxTensors byColumn{In(column_maxima)->contiguous(), In(column_inverse_sums)->contiguous()};
    auto [ofRows, ofColumns] = ofType(scores, [&](auto number) {
      return gradients<decltype(number)>(scores, In(kept), byRow, byColumn, In(matched)->contiguous(), factor);
    });
    give(std::move(ofRows), row_gradient);
    give(std::move(ofColumns), column_gradient);
  });
}

int32_t ctorch_sigmoid_scores(
    ctorch_tensor *rows, ctorch_tensor *columns, intptr_t own, double scale, intptr_t block_rows, double bias,
    double factor, bool needs_gradients, ctorch_tensor **sums, ctorch_tensor **row_gradient,
    ctorch_tensor **column_gradient) {
  return guarded([&] {
    const Scores scores = checkedScores(rows, columns, own, scale, block_rows);
    auto [total, gradients] = ofType(
        scores, [&](auto number) { return sigmoids<decltype(number)>(scores, bias, factor, needs_gradients); });
    give(std::move(total), sums);
    give(std::move(gradients.rows), row_gradient);
    give(std::move(gradients.columns), column_gradient);
  });
}
