// The scores of all pairs of a batch, worked on a tile at a time.
//
// One pass over all scores is one parallel loop. A thread takes the next block of rows, and goes through its tiles from
// left to right: each is small enough for the thread's own cache, and its product is the library's, on one thread. What
// is summed over rows goes from block to block: a tile waits until the tile above has added its part. So the result is
// the same whatever the number of threads, nothing is kept for each thread but a tile, and threads that other programs
// hold up are waited for asleep, and not before they are a whole row of tiles behind.
#pragma once
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm_ops.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <vector>

#include "parallel.h"
#include "score_kernels.h"

namespace ctorch {

/// Rows, columns and how their scores are worked on.
struct Scores {
  /// `[rows, width]` and `[columns, width]`, float32 or float64, on the CPU, with rows side by side.
  at::Tensor rows, columns;
  /// The column that matches the first row.
  int64_t own;
  /// Multiplies inner products.
  double scale;
  /// The most rows that a thread works on at a time.
  int64_t blockRows;
};

constexpr int64_t wholeVectors(int64_t count) { return (count + longestVector - 1) / longestVector * longestVector; }

/// `result = keeping · result + scale · left · right`, on the calling thread where it is one of several.
inline void addProduct(
    at::Tensor result, const at::Tensor &left, const at::Tensor &right, double keeping, double scale
) {
  at::_ops::addmm_out::call(result, left, right, keeping, scale, result);
}

struct Part {
  int64_t begin, count;

  at::Tensor of(const at::Tensor &tensor, int64_t axis = 0) const { return tensor.narrow(axis, begin, count); }
};

/// Blocks of rows, and columns by tile: a matter of the shape alone, so that the number of threads changes no result.
class Grid {
 public:
  explicit Grid(const Scores &scores) : rows_(scores.rows.size(0)), columns_(scores.columns.size(0)) {
    // Small batches are shared out, too.
    blockRows_ = std::min(scores.blockRows, std::clamp<int64_t>(wholeVectors(rows_ / 8), 64, 512));
    tileColumns_ = std::clamp<int64_t>(wholeVectors(columns_ / 4), 128, 512);
    // A millisecond for each thread at least: beside busy programs, one to wait for takes many.
    constexpr int64_t smallestPart = 1 << 25;
    const int64_t parts = rows_ * columns_ * scores.rows.size(1) / smallestPart;
    threads_ = std::max<int64_t>(1, std::min({parts, blocks(), static_cast<int64_t>(at::get_num_threads())}));
  }

  int64_t threads() const { return threads_; }

  int64_t blocks() const { return (rows_ + blockRows_ - 1) / blockRows_; }
  int64_t tiles() const { return (columns_ + tileColumns_ - 1) / tileColumns_; }
  int64_t blockRows() const { return blockRows_; }
  int64_t tileColumns() const { return tileColumns_; }
  Part block(int64_t index) const {
    return {index * blockRows_, std::min(blockRows_, rows_ - index * blockRows_)};
  }
  Part tile(int64_t index) const {
    return {index * tileColumns_, std::min(tileColumns_, columns_ - index * tileColumns_)};
  }

 private:
  int64_t rows_, columns_, blockRows_, tileColumns_, threads_;
};

/// The blocks' turns to add to what the columns of a tile have in common.
class Turns {
 public:
  explicit Turns(int64_t tiles) : next_(tiles, 0) {}

  void wait(int64_t tile, int64_t block) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return hasFailed_ || next_[tile] == block; });
    TORCH_CHECK(!hasFailed_, "another thread has failed");
  }

  void pass(int64_t tile) {
    {
      std::lock_guard lock(mutex_);
      ++next_[tile];
    }
    changed_.notify_all();
  }

  /// No thread waits for one that has ended.
  void fail() {
    {
      std::lock_guard lock(mutex_);
      hasFailed_ = true;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int64_t> next_;
  bool hasFailed_ = false;
};

/// Calls `body(block, turns)` for all blocks, each thread with a body of its own.
///
/// Blocks are taken in order, so the thread with the first unfinished one waits for no other: it goes on with any
/// number of threads.
template <typename MakeBody>
void forBlocks(const Grid &grid, MakeBody makeBody) {
  std::atomic<int64_t> next = 0;
  Turns turns(grid.tiles());
  forParts(grid.threads(), 1, [&](int64_t, int64_t) {
    // The threads have modes of their own.
    at::AutoDispatchBelowADInplaceOrView withoutAutograd;
    const OneThreadProducts oneThread;
    c10::impl::ExcludeDispatchKeyGuard withoutAutocast(c10::DispatchKey::AutocastCPU);
    try {
      auto body = makeBody();
      for (int64_t block = next++; block < grid.blocks(); block = next++) body(block, turns);
    } catch (...) {
      turns.fail();
      throw;
    }
  });
}

template <typename Number>
Number *data(const at::Tensor &tensor) {
  return tensor.mutable_data_ptr<Number>();
}

/// A thread's memory for the logits of a tile.
template <typename Number>
class TileMemory {
 public:
  TileMemory(const Grid &grid, const Scores &scores)
      : scores_(scores), memory_(at::empty({grid.blockRows(), wholeVectors(grid.tileColumns())}, scores.rows.options())) {}

  const at::Tensor &memory() const { return memory_; }

  /// The tile as it lies in some memory, where its first place is.
  static Tile<Number> view(const at::Tensor &memory, Part block, Part tile, int64_t row, int64_t column) {
    return {data<Number>(memory) + row * memory.stride(0) + column, memory.stride(0), block.count,
            wholeVectors(tile.count)};
  }

  /// Writes logits to memory.
  Tile<Number> write(const at::Tensor &memory, Part block, Part tile, int64_t row, int64_t column) const {
    addProduct(
        memory.narrow(0, row, block.count).narrow(1, column, tile.count), block.of(scores_.rows),
        tile.of(scores_.columns).t(), 0, scores_.scale);
    const auto result = view(memory, block, tile, row, column);
    for (int64_t r = 0; r < result.rows; ++r)
      std::fill(result.row(r) + tile.count, result.row(r) + result.columns, -std::numeric_limits<Number>::infinity());
    return result;
  }

  Tile<Number> write(Part block, Part tile) const { return write(memory_, block, tile, 0, 0); }

 private:
  const Scores &scores_;
  at::Tensor memory_;
};

/// The place of a matching pair in the row of a tile, for each row that has one there.
template <typename Body>
void forMatching(const Scores &scores, Part block, Part tile, Body body) {
  const int64_t first = scores.own + block.begin - tile.begin;
  for (int64_t row = std::max<int64_t>(0, -first); row < std::min(block.count, tile.count - first); ++row)
    body(row, first + row);
}

}  // namespace ctorch
