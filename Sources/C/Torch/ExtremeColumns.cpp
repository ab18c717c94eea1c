// The columns that batch-hard triplets are made of.
#include "internal.h"
#include "score_tiles.h"

#include <ATen/ops/full.h>

#include <cmath>

using namespace ctorch;

namespace {

/// For each row the place of the farthest or nearest column so far.
class Extremes {
 public:
  Extremes(const at::Tensor &mask, bool isFarthest)
      : mask_(mask.contiguous()),
        isFarthest_(isFarthest),
        distances_(mask.size(0), 0),
        places_(at::full({mask.size(0), 1}, -1, mask.options().dtype(at::kLong))) {}

  const at::Tensor &places() const { return places_; }

  /// The distances of a row to some columns, in order.
  void add(int64_t row, int64_t firstColumn, const std::vector<float> &distances, int64_t count) {
    const bool *const isChosen = mask_.const_data_ptr<bool>() + row * mask_.size(1) + firstColumn;
    int64_t &place = places_.mutable_data_ptr<int64_t>()[row];
    float &best = distances_[row];
    for (int64_t column = 0; column < count; ++column) {
      if (!isChosen[column]) continue;
      if (place >= 0 && !(isFarthest_ ? distances[column] > best : distances[column] < best)) continue;
      place = firstColumn + column;
      best = distances[column];
    }
  }

 private:
  at::Tensor mask_;
  bool isFarthest_;
  std::vector<float> distances_;
  at::Tensor places_;
};

}  // namespace

int32_t ctorch_extreme_columns(
    ctorch_tensor *rows, ctorch_tensor *columns, bool are_squared, ctorch_tensor *positives, bool farthest_positive,
    ctorch_tensor *negatives, bool farthest_negative, ctorch_tensor **positive, ctorch_tensor **negative) {
  return guarded([&] {
    const In x(rows), y(columns);
    for (ctorch_tensor *mask : {positives, negatives}) {
      TORCH_CHECK(
          In(mask)->scalar_type() == at::kBool && In(mask)->sizes() == at::IntArrayRef({x->size(0), y->size(0)}),
          "a mask of rows of shape ", x->sizes(), " and columns of shape ", y->sizes(), " has shape ",
          In(mask)->sizes());
    }
    const Scores scores{
        x->detach().to(at::kDouble).contiguous(), y->detach().to(at::kDouble).contiguous(), 0, -2, 512};
    const Grid grid(scores);
    const at::Tensor rowSquares = scores.rows.square().sum(1), columnSquares = scores.columns.square().sum(1);
    Extremes ofPositives(In(positives), farthest_positive), ofNegatives(In(negatives), farthest_negative);
    forBlocks(grid, [&] {
      return [&, memory = TileMemory<double>(grid, scores), distances = std::vector<float>(grid.tileColumns())](
                 int64_t index, Turns &) mutable {
        const Part block = grid.block(index);
        for (int64_t place = 0; place < grid.tiles(); ++place) {
          const Part tile = grid.tile(place);
          const auto products = memory.write(block, tile);
          for (int64_t row = 0; row < block.count; ++row) {
            const double *const inner = products.row(row), *const squares = data<double>(columnSquares) + tile.begin;
            const double own = data<double>(rowSquares)[block.begin + row];
            for (int64_t column = 0; column < tile.count; ++column) {
              const double lengths = own + squares[column];
              const double square = lengths + inner[column];
              // What is nothing but rounding is 0.
              const double distance = square <= lengths * 1e-14 ? 0 : are_squared ? square : std::sqrt(square);
              distances[column] = static_cast<float>(distance);
            }
            ofPositives.add(block.begin + row, tile.begin, distances, tile.count);
            ofNegatives.add(block.begin + row, tile.begin, distances, tile.count);
          }
        }
      };
    });
    give(at::Tensor(ofPositives.places()), positive);
    give(at::Tensor(ofNegatives.places()), negative);
  });
}
