// Operations whose arguments do not fit the table, and the kernels of optimizers.
#include "internal.h"

#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale_ops.h>
#include <ATen/ops/_amp_update_scale_ops.h>
#include <ATen/ops/_foreach_add_ops.h>
#include <ATen/ops/_foreach_lerp_ops.h>
#include <ATen/ops/_foreach_mul_ops.h>
#include <ATen/ops/_foreach_norm_ops.h>
#include <ATen/ops/_fused_adamw_ops.h>
#include <ATen/ops/_upsample_bicubic2d_aa_ops.h>
#include <ATen/ops/_upsample_bilinear2d_aa_ops.h>
#include <ATen/ops/einsum_ops.h>
#include <ATen/ops/gelu_ops.h>
#include <ATen/ops/index_ops.h>
#include <ATen/ops/stft_ops.h>
#include <ATen/ops/upsample_bicubic2d_ops.h>
#include <ATen/ops/upsample_bilinear2d_ops.h>
#include <ATen/ops/upsample_nearest2d_ops.h>

using namespace ctorch;

int32_t ctorch_gelu(ctorch_tensor *self, bool tanh_approximation, ctorch_tensor **result) {
  return guarded([&] { give(at::_ops::gelu::call(In(self), tanh_approximation ? "tanh" : "none"), result); });
}

int32_t ctorch_einsum(
    const char *equation, ctorch_tensor *const *tensors, intptr_t tensors_count, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::einsum::call(equation, InList(tensors, tensors_count), std::nullopt), result);
  });
}

int32_t ctorch_interpolate(
    ctorch_tensor *self, intptr_t height, intptr_t width, int32_t mode, bool align_corners, bool antialias,
    ctorch_tensor **result) {
  return guarded([&] {
    const intptr_t size[2] = {height, width};
    const auto target = symInts(size, 2);
    const auto none = std::nullopt;
    In input(self);
    if (mode == 0)
      give(at::_ops::upsample_nearest2d::call(*input, target, none, none), result);
    else if (mode == 1 && antialias)
      give(at::_ops::_upsample_bilinear2d_aa::call(*input, target, align_corners, none, none), result);
    else if (mode == 1)
      give(at::_ops::upsample_bilinear2d::call(*input, target, align_corners, none, none), result);
    else if (antialias)
      give(at::_ops::_upsample_bicubic2d_aa::call(*input, target, align_corners, none, none), result);
    else
      give(at::_ops::upsample_bicubic2d::call(*input, target, align_corners, none, none), result);
  });
}

int32_t ctorch_stft(
    ctorch_tensor *self, intptr_t size, intptr_t hop, ctorch_tensor *window, bool center, bool reflect,
    ctorch_tensor **result) {
  return guarded([&] {
    give(
        at::_ops::stft_center::call(
            In(self), size, hop, std::nullopt, InOptional(window), center, reflect ? "reflect" : "constant", false,
            true, true, std::nullopt),
        result);
  });
}

int32_t ctorch_index(
    ctorch_tensor *self, ctorch_tensor *const *indices, intptr_t indices_count, ctorch_tensor **result) {
  return guarded([&] {
    c10::List<std::optional<at::Tensor>> list;
    list.reserve(indices_count);
    for (intptr_t index = 0; index < indices_count; ++index)
      list.push_back(indices[index] ? std::optional<at::Tensor>(retained(indices[index])) : std::nullopt);
    give(at::_ops::index_Tensor::call(In(self), list), result);
  });
}

static c10::IValue argument(const ctorch_value &value) {
  switch (value.tag) {
    case 1: return retained(value.tensor);
    case 2: return c10::List<at::Tensor>(tensors(value.tensors, value.count));
    case 3: return static_cast<int64_t>(value.integer);
    case 4: return value.real;
    case 5: return value.integer != 0;
    case 6: return c10::List<int64_t>(ints(value.integers, value.count));
    case 7: return std::string(value.text);
    default: return {};
  }
}

int32_t ctorch_call_operator(
    const char *name, const char *overload, const ctorch_value *arguments, intptr_t arguments_count,
    ctorch_tensor ***results, intptr_t *results_count) {
  return guarded([&] {
    const auto operation = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
    const auto &schema = operation.schema();
    TORCH_CHECK(
        arguments_count <= static_cast<intptr_t>(schema.arguments().size()), "too many arguments for ", schema);
    torch::jit::Stack stack;
    for (size_t index = 0; index < schema.arguments().size(); ++index) {
      if (static_cast<intptr_t>(index) < arguments_count) {
        stack.push_back(argument(arguments[index]));
      } else {
        const auto &fallback = schema.arguments()[index].default_value();
        TORCH_CHECK(fallback.has_value(), "argument ", schema.arguments()[index].name(), " is missing for ", schema);
        stack.push_back(*fallback);
      }
    }
    schema.checkAndNormalizeInputs(stack);
    operation.callBoxed(stack);
    std::vector<at::Tensor> outputs;
    for (const auto &value : stack) {
      if (value.isTensorList())
        for (const auto &tensor : value.toTensorVector()) outputs.push_back(tensor);
      else if (value.isTensor())
        outputs.push_back(value.toTensor());
      else
        TORCH_CHECK(false, name, " returns a ", value.tagKind(), ", not tensors");
    }
    give(std::move(outputs), results, results_count);
  });
}

// Kernels of optimizers

int32_t ctorch_fused_adamw(
    ctorch_tensor *const *parameters, ctorch_tensor *const *gradients, ctorch_tensor *const *first_moments,
    ctorch_tensor *const *second_moments, ctorch_tensor *const *steps, intptr_t count, double learning_rate,
    double beta1, double beta2, double weight_decay, double epsilon) {
  return guarded([&] {
    const auto counters = tensors(steps, count), changed = tensors(parameters, count);
    at::_ops::_foreach_add__Scalar::call(counters, 1);
    at::_ops::_fused_adamw_::call(
        changed, InList(gradients, count), InList(first_moments, count), InList(second_moments, count),
        at::TensorList(), counters, learning_rate, beta1, beta2, weight_decay, epsilon, false, false,
        std::nullopt, std::nullopt);
    // Unlike other operations in place, this one does not count as a change by itself.
    for (const at::Tensor &parameter : changed)
      if (!parameter.is_inference()) parameter.unsafeGetTensorImpl()->bump_version();
  });
}

int32_t ctorch_foreach_norm(
    ctorch_tensor *const *tensors, intptr_t count, double p, ctorch_tensor ***results, intptr_t *results_count) {
  return guarded([&] {
    give(at::_ops::_foreach_norm_Scalar::call(InList(tensors, count), scalar(p), std::nullopt), results, results_count);
  });
}

int32_t ctorch_foreach_multiply(ctorch_tensor *const *tensors, intptr_t count, double factor) {
  return guarded([&] { at::_ops::_foreach_mul__Scalar::call(InList(tensors, count), scalar(factor)); });
}

int32_t ctorch_foreach_lerp(
    ctorch_tensor *const *tensors, ctorch_tensor *const *ends, intptr_t count, double weight) {
  return guarded([&] {
    at::_ops::_foreach_lerp__Scalar::call(InList(tensors, count), InList(ends, count), scalar(weight));
  });
}

int32_t ctorch_unscale_gradients(
    ctorch_tensor *const *gradients, intptr_t count, ctorch_tensor *inverse_scale, ctorch_tensor *found) {
  return guarded([&] {
    In flag(found);
    at::_ops::_amp_foreach_non_finite_check_and_unscale_::call(InList(gradients, count), flag, In(inverse_scale));
  });
}

int32_t ctorch_update_scale(
    ctorch_tensor *scale, ctorch_tensor *growth_tracker, ctorch_tensor *found, double growth_factor,
    double backoff_factor, int64_t growth_interval) {
  return guarded([&] {
    In factor(scale), tracker(growth_tracker);
    at::_ops::_amp_update_scale_::call(factor, tracker, In(found), growth_factor, backoff_factor, growth_interval);
  });
}
