// Weights in the layout that oneDNN multiplies few rows with fastest.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "ctorch.h"

namespace ctorch {

/// The packed copies of weights, made when a product first needs one and again when the weight has changed.
class PackedWeights {
 public:
  /// `input · weightᵀ + bias`, or nothing where packing does not apply or does not pay.
  std::optional<at::Tensor> linear(
      const at::Tensor &input, const at::Tensor &weight, const std::optional<at::Tensor> &bias);

  intptr_t count() const { return static_cast<intptr_t>(entries_.size()); }
  void clear() { entries_.clear(); }

 private:
  struct Entry {
    // Keeps the key's address from being taken by another tensor.
    at::Tensor weight;
    uint32_t version;
    at::Tensor packed;
  };
  std::unordered_map<const c10::TensorImpl *, Entry> entries_;
};

/// What the scope of this thread packs with; NULL outside.
inline PackedWeights *packedWeights() {
  return static_cast<PackedWeights *>(ctorch_this_thread()->packed_weights);
}

}  // namespace ctorch
