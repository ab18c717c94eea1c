// Matrix products: of few rows, and under autocast on processors that lack instructions for its type.
#pragma once
#include <ATen/autocast_mode.h>
#include <ATen/ops/linear_ops.h>
#include <ATen/ops/scaled_dot_product_attention_ops.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <optional>
#include <type_traits>

#include "few_rows.h"
#include "internal.h"

namespace ctorch {

/// The type that autocast asks the CPU for where the CPU has no instructions for it. libtorch's fallback is then many
/// times slower than float32.
std::optional<at::ScalarType> emulatedType();

/// The values that a type keeps, as float32; what autocast leaves alone stays as it is.
inline at::Tensor rounded(const at::Tensor &tensor, at::ScalarType type) {
  const bool isCast = tensor.defined() && tensor.is_cpu() && tensor.is_floating_point() && tensor.scalar_type() != at::kDouble;
  return isCast ? tensor.to(type).to(at::kFloat) : tensor;
}

template <typename Argument>
auto roundedArgument(const Argument &argument, at::ScalarType type) {
  if constexpr (std::is_same_v<Argument, In>) {
    return rounded(argument, type);
  } else if constexpr (std::is_same_v<Argument, InOptional>) {
    const std::optional<at::Tensor> &tensor = argument;
    return tensor ? std::optional<at::Tensor>(rounded(*tensor, type)) : std::nullopt;
  } else {
    return argument;
  }
}

/// Calls a matrix product, for few rows one that is made for them. Where autocast's type would be slow, the operands
/// are rounded to it and multiplied in float32, and the result is rounded: what the instructions compute, which sum in
/// float32 too.
template <typename Operation, typename... Arguments>
at::Tensor product(const Arguments &...arguments) {
  if constexpr (std::is_same_v<Operation, at::_ops::linear>) {
    if (std::optional<at::Tensor> result = fewRowsLinear(arguments...)) return *std::move(result);
  }
  if constexpr (std::is_same_v<Operation, at::_ops::scaled_dot_product_attention>) {
    if (std::optional<at::Tensor> result = fewRowsAttention(arguments...)) return *std::move(result);
  }
  const std::optional<at::ScalarType> type = emulatedType();
  if (!type) return Operation::call(arguments...);
  c10::impl::ExcludeDispatchKeyGuard withoutAutocast(c10::DispatchKey::AutocastCPU);
  at::Tensor result = Operation::call(roundedArgument(arguments, *type)...);
  return result.scalar_type() == at::kFloat ? result.to(*type) : result;
}

}  // namespace ctorch
