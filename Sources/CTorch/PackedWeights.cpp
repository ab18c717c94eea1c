#include "packed_weights.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>

#include <string_view>

#include "internal.h"

using namespace ctorch;

namespace {

// As measured for float32 on AVX-512: with fewer rows the plain product reads a weight as fast as memory gives it, with
// many more it packs the weight itself for less than the product costs; and small weights gain nothing.
constexpr int64_t fewestRows = 4, mostRows = 64, smallestWeight = 1 << 20;

using Pack = at::Tensor(const at::Tensor &, std::optional<int64_t>);
using Multiply = at::Tensor(
    const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &, std::string_view,
    c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);

/// libtorch's operations on packed weights, which builds without oneDNN lack.
struct Operations {
  std::optional<c10::TypedOperatorHandle<Pack>> pack;
  std::optional<c10::TypedOperatorHandle<Multiply>> multiply;

  Operations() {
    if (!at::globalContext().hasMKLDNN()) return;
    auto &dispatcher = c10::Dispatcher::singleton();
    const auto packing = dispatcher.findSchema({"mkldnn::_reorder_linear_weight", ""});
    const auto multiplying = dispatcher.findSchema({"mkldnn::_linear_pointwise", ""});
    if (!packing || !multiplying) return;
    pack = packing->typed<Pack>();
    multiply = multiplying->typed<Multiply>();
  }
};

const Operations &operations() {
  static const Operations operations;
  return operations;
}

bool isPlain(const at::Tensor &tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.layout() == at::kStrided;
}

bool pays(const at::Tensor &input, const at::Tensor &weight, const std::optional<at::Tensor> &bias) {
  if (at::GradMode::is_enabled() || at::autocast::is_autocast_enabled(at::kCPU)) return false;
  if (!isPlain(input) || !isPlain(weight) || (bias && bias->defined() && !isPlain(*bias))) return false;
  // Tensors of inference mode do not count their changes.
  if (weight.dim() != 2 || weight.numel() < smallestWeight || weight.is_inference()) return false;
  if (input.dim() < 2 || input.size(-1) != weight.size(1)) return false;
  const int64_t rows = input.numel() / weight.size(1);
  return rows >= fewestRows && rows <= mostRows && operations().multiply;
}

}  // namespace

std::optional<at::Tensor> PackedWeights::linear(
    const at::Tensor &input, const at::Tensor &weight, const std::optional<at::Tensor> &bias
) {
  if (!pays(input, weight, bias)) return std::nullopt;
  const uint32_t version = weight.unsafeGetTensorImpl()->version_counter().current_version();
  auto found = entries_.find(weight.unsafeGetTensorImpl());
  if (found == entries_.end() || found->second.version != version) {
    Entry entry{weight, version, operations().pack->call(weight.detach(), std::nullopt)};
    found = entries_.insert_or_assign(weight.unsafeGetTensorImpl(), std::move(entry)).first;
  }
  return operations().multiply->call(input, found->second.packed, bias, "none", c10::List<std::optional<at::Scalar>>(), std::nullopt);
}

void *ctorch_make_packed_weights(void) { return new PackedWeights(); }
void ctorch_free_packed_weights(void *weights) { delete static_cast<PackedWeights *>(weights); }
void ctorch_clear_packed_weights(void *weights) { static_cast<PackedWeights *>(weights)->clear(); }
intptr_t ctorch_packed_weight_count(void *weights) { return static_cast<PackedWeights *>(weights)->count(); }
