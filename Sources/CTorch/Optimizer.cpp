#include "internal.h"

#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale_ops.h>
#include <ATen/ops/_foreach_add_ops.h>
#include <ATen/ops/_foreach_lerp_ops.h>
#include <ATen/ops/_foreach_mul_ops.h>
#include <ATen/ops/_foreach_norm_ops.h>
#include <ATen/ops/_foreach_zero_ops.h>
#include <ATen/ops/_fused_adamw_ops.h>

using namespace ctorch;

int32_t ctorch_fused_adamw(
    ctorch_tensor *const *parameters, ctorch_tensor *const *gradients, ctorch_tensor *const *first_moments,
    ctorch_tensor *const *second_moments, ctorch_tensor *const *steps, intptr_t count, double learning_rate,
    double beta1, double beta2, double weight_decay, double epsilon, ctorch_tensor *gradient_scale,
    ctorch_tensor *found_infinity) {
  return guarded([&] {
    at::_ops::_fused_adamw_::call(
        InList(parameters, count), InList(gradients, count), InList(first_moments, count),
        InList(second_moments, count), at::TensorList(), InList(steps, count), learning_rate, beta1, beta2,
        weight_decay, epsilon, false, false, InOptional(gradient_scale), InOptional(found_infinity));
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

int32_t ctorch_foreach_multiply_tensor(ctorch_tensor *const *tensors, intptr_t count, ctorch_tensor *factor) {
  return guarded([&] { at::_ops::_foreach_mul__Tensor::call(InList(tensors, count), In(factor)); });
}

int32_t ctorch_foreach_add(
    ctorch_tensor *const *tensors, ctorch_tensor *const *others, intptr_t count, double scale) {
  return guarded([&] {
    at::_ops::_foreach_add__List::call(InList(tensors, count), InList(others, count), scalar(scale));
  });
}

int32_t ctorch_foreach_lerp(
    ctorch_tensor *const *tensors, ctorch_tensor *const *ends, intptr_t count, double weight) {
  return guarded([&] {
    at::_ops::_foreach_lerp__Scalar::call(InList(tensors, count), InList(ends, count), scalar(weight));
  });
}

int32_t ctorch_foreach_zero(ctorch_tensor *const *tensors, intptr_t count) {
  return guarded([&] { at::_ops::_foreach_zero_::call(InList(tensors, count)); });
}

int32_t ctorch_foreach_unscale(
    ctorch_tensor *const *tensors, intptr_t count, ctorch_tensor *found_infinity, ctorch_tensor *inverse_scale) {
  return guarded([&] {
    at::_ops::_amp_foreach_non_finite_check_and_unscale_::call(
        InList(tensors, count), In(found_infinity), In(inverse_scale));
  });
}
