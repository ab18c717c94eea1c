#include "few_rows.h"

#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "parallel.h"

namespace {

/// `left · rightᵀ + bias`, one row of each for a number of the result.
struct InnerProducts {
  const float *left, *right;
  const float *bias;
  float *result;
  int64_t rows, depth;
  int64_t leftStride, rightStride, resultStride;
  /// How many of the right rows ahead of use memory is asked for.
  int64_t columnsAhead;
};

namespace anywhere {
#include "few_rows_kernel.h"
}

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
namespace avx2 {
#include "few_rows_kernel.h"
}
#pragma clang attribute pop
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
namespace avx512 {
#include "few_rows_kernel.h"
}
#pragma clang attribute pop
#endif

struct Kernels {
  void (*innerProducts)(const InnerProducts &, int64_t begin, int64_t end);
  void (*mix)(const float *weights, const float *rows, int64_t stride, int64_t count, int64_t depth, float *into);
};

/// Those for the instructions that libtorch uses, too. The sums of a tile take three quarters of the registers.
const Kernels &kernels() {
  static const Kernels kernels = []() -> Kernels {
#if defined(__x86_64__)
    const std::string capability = at::get_cpu_capability();
    if (capability == "AVX512") return {avx512::innerProducts<16, 8, 3>, avx512::mix<16>};
    if (capability == "AVX2") return {avx2::innerProducts<8, 4, 3>, avx2::mix<8>};
    return {anywhere::innerProducts<4, 4, 3>, anywhere::mix<4>};
#else
    return {anywhere::innerProducts<4, 8, 3>, anywhere::mix<4>};
#endif
  }();
  return kernels;
}

bool isInference() { return !at::GradMode::is_enabled() && !at::autocast::is_autocast_enabled(at::kCPU); }

/// Whether it is of the plain kind, with the numbers of a row side by side.
bool hasPlainRows(const at::Tensor &tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.layout() == at::kStrided &&
         tensor.dim() > 0 && tensor.stride(-1) == 1 && !tensor.is_neg();
}

}  // namespace

namespace ctorch {

std::optional<at::Tensor> fewRowsLinear(
    const at::Tensor &input, const at::Tensor &weight, const std::optional<at::Tensor> &bias
) {
  // With more, what bounds it is arithmetic, and the library's products do that better.
  constexpr int64_t mostRows = 64;
  // A part of the result as long as a line of the cache, and numbers of the weight that are worth a thread.
  constexpr int64_t unit = 16, smallestPart = 1 << 15;
  if (!isInference() || !hasPlainRows(weight) || weight.dim() != 2 || weight.numel() == 0) return std::nullopt;
  const int64_t outputs = weight.size(0), inputs = weight.size(1);
  if (input.dim() == 0 || input.size(-1) != inputs || input.numel() > mostRows * inputs) return std::nullopt;
  const at::Tensor rows = input.contiguous();
  if (!hasPlainRows(rows) || rows.numel() == 0) return std::nullopt;
  const bool hasBias = bias && bias->defined();
  if (hasBias && !(hasPlainRows(*bias) && bias->dim() == 1 && bias->size(0) == outputs)) return std::nullopt;

  at::DimVector shape(rows.sizes());
  shape.back() = outputs;
  const at::Tensor result = at::empty(shape, rows.options());
  const InnerProducts products{
      .left = rows.const_data_ptr<float>(),
      .right = weight.const_data_ptr<float>(),
      .bias = hasBias ? bias->const_data_ptr<float>() : nullptr,
      .result = result.mutable_data_ptr<float>(),
      .rows = rows.numel() / inputs,
      .depth = inputs,
      .leftStride = inputs,
      .rightStride = weight.stride(0),
      .resultStride = outputs,
      .columnsAhead = 3,  // the next tile
  };
  ctorch::forParts((outputs + unit - 1) / unit, smallestPart / (unit * inputs) + 1, [&](int64_t begin, int64_t end) {
    kernels().innerProducts(products, begin * unit, std::min(end * unit, outputs));
  });
  return result;
}

std::optional<at::Tensor> fewRowsAttention(
    const at::Tensor &query, const at::Tensor &key, const at::Tensor &value, const std::optional<at::Tensor> &mask,
    double dropout, bool isCausal, std::optional<double> scale, bool isGrouped
) {
  constexpr int64_t mostQueries = 8, smallestPart = 1 << 14;
  if (!isInference() || (mask && mask->defined()) || dropout != 0 || isCausal || isGrouped) return std::nullopt;
  for (const at::Tensor *tensor : {&query, &key, &value})
    if (!hasPlainRows(*tensor) || tensor->dim() != 4 || tensor->numel() == 0) return std::nullopt;
  const int64_t batch = query.size(0), heads = query.size(1), queries = query.size(2), width = query.size(3);
  const int64_t keys = key.size(2);
  const std::array<int64_t, 4> shape{batch, heads, keys, width};
  if (queries > mostQueries || key.sizes() != at::IntArrayRef(shape) || value.sizes() != at::IntArrayRef(shape))
    return std::nullopt;

  // Heads side by side, as the layer behind reads them.
  const at::Tensor result = at::empty({batch, queries, heads, width}, query.options());
  const float factor = scale ? *scale : 1 / std::sqrt(static_cast<double>(width));
  ctorch::forParts(batch * heads, smallestPart / (keys * width) + 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scores(queries * keys);
    for (int64_t index = begin; index < end; ++index) {
      const int64_t row = index / heads, head = index % heads;
      const auto place = [&](const at::Tensor &tensor) {
        return tensor.const_data_ptr<float>() + row * tensor.stride(0) + head * tensor.stride(1);
      };
      const InnerProducts products{
          .left = place(query),
          .right = place(key),
          .bias = nullptr,
          .result = scores.data(),
          .rows = queries,
          .depth = width,
          .leftStride = query.stride(2),
          .rightStride = key.stride(2),
          .resultStride = keys,
          .columnsAhead = 24,  // Rows are short, and the next ones do not follow at once.
      };
      kernels().innerProducts(products, 0, keys);
      for (int64_t q = 0; q < queries; ++q) {
        float *const weights = scores.data() + q * keys;
        for (int64_t k = 0; k < keys; ++k) weights[k] *= factor;
        const float largest = *std::max_element(weights, weights + keys);
        float sum = 0;
        for (int64_t k = 0; k < keys; ++k) sum += weights[k] = std::exp(weights[k] - largest);
        for (int64_t k = 0; k < keys; ++k) weights[k] /= sum;
        float *const into = result.mutable_data_ptr<float>() + ((row * queries + q) * heads + head) * width;
        kernels().mix(weights, place(value), value.stride(2), keys, width, into);
      }
    }
  });
  return result.transpose(1, 2);
}

}  // namespace ctorch
