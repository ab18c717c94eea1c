// Loops on libtorch's threads.
#pragma once
#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace ctorch {

/// Calls `body` for parts of `0..<count`, on as many of libtorch's threads as have `smallestPart` each.
void forParts(int64_t count, int64_t smallestPart, c10::function_ref<void(int64_t begin, int64_t end)> body);

/// Keeps matrix products of this thread from being shared out, while one of it lives. Inside a parallel loop MKL has one
/// thread anyway, but plans for as many as libtorch has, and rounds differently.
class OneThreadProducts {
 public:
  OneThreadProducts();
  OneThreadProducts(const OneThreadProducts &) = delete;
  ~OneThreadProducts();

 private:
  int before_;
};

}  // namespace ctorch
