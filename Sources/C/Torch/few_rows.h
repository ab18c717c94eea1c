// Inference with few rows, as in decoding token by token: what bounds it is how fast weights come from memory.
#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

namespace ctorch {

/// `input · weightᵀ + bias`, or nothing where the library's own product is to be called: where gradients are recorded,
/// for other types and devices than float32 on the CPU, and for many rows.
std::optional<at::Tensor> fewRowsLinear(
    const at::Tensor &input, const at::Tensor &weight, const std::optional<at::Tensor> &bias);

/// `softmax(query · keyᵀ · scale) · value`, or nothing where the library's own attention is to be called: as above, and
/// with a mask or dropout.
std::optional<at::Tensor> fewRowsAttention(
    const at::Tensor &query, const at::Tensor &key, const at::Tensor &value, const std::optional<at::Tensor> &mask,
    double dropout, bool isCausal, std::optional<double> scale, bool isGrouped);

}  // namespace ctorch
