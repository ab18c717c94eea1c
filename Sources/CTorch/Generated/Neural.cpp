// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#include "../internal.h"

#include <ATen/ops/adaptive_avg_pool2d_ops.h>
#include <ATen/ops/avg_pool2d_ops.h>
#include <ATen/ops/batch_norm_ops.h>
#include <ATen/ops/binary_cross_entropy_with_logits_ops.h>
#include <ATen/ops/conv1d_ops.h>
#include <ATen/ops/conv2d_ops.h>
#include <ATen/ops/conv_transpose2d_ops.h>
#include <ATen/ops/cross_entropy_loss_ops.h>
#include <ATen/ops/embedding_ops.h>
#include <ATen/ops/fft_irfft_ops.h>
#include <ATen/ops/fft_rfft_ops.h>
#include <ATen/ops/group_norm_ops.h>
#include <ATen/ops/kl_div_ops.h>
#include <ATen/ops/layer_norm_ops.h>
#include <ATen/ops/max_pool2d_ops.h>
#include <ATen/ops/mse_loss_ops.h>
#include <ATen/ops/nll_loss_ops.h>
#include <ATen/ops/rms_norm_ops.h>
#include <ATen/ops/scaled_dot_product_attention_ops.h>
#include <ATen/ops/smooth_l1_loss_ops.h>
#include <ATen/ops/view_as_complex_ops.h>
#include <ATen/ops/view_as_real_ops.h>

using namespace ctorch;

int32_t ctorch_embedding(ctorch_tensor *weight, ctorch_tensor *indices, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::embedding::call(In(weight), In(indices), -1, false, false), result);
  });
}

int32_t ctorch_layer_norm(
    ctorch_tensor *input, const intptr_t *normalized_shape, intptr_t normalized_shape_count, ctorch_tensor *weight,
    ctorch_tensor *bias, double eps, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::layer_norm::call(
    In(input), symInts(normalized_shape, normalized_shape_count), InOptional(weight), InOptional(bias), eps, true
), result);
  });
}

int32_t ctorch_rms_norm(
    ctorch_tensor *input, const intptr_t *normalized_shape, intptr_t normalized_shape_count, ctorch_tensor *weight,
    double eps, bool has_eps, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::rms_norm::call(
    In(input), symInts(normalized_shape, normalized_shape_count), InOptional(weight), optionalReal(eps, has_eps)
), result);
  });
}

int32_t ctorch_batch_norm(
    ctorch_tensor *input, ctorch_tensor *weight, ctorch_tensor *bias, ctorch_tensor *running_mean,
    ctorch_tensor *running_var, bool training, double momentum, double eps, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::batch_norm::call(
    In(input), InOptional(weight), InOptional(bias), InOptional(running_mean), InOptional(running_var), training,
    momentum, eps, true
), result);
  });
}

int32_t ctorch_group_norm(
    ctorch_tensor *input, intptr_t num_groups, ctorch_tensor *weight, ctorch_tensor *bias, double eps,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::group_norm::call(In(input), num_groups, InOptional(weight), InOptional(bias), eps, true), result);
  });
}

int32_t ctorch_conv1d(
    ctorch_tensor *input, ctorch_tensor *weight, ctorch_tensor *bias, const intptr_t *stride, intptr_t stride_count,
    const intptr_t *padding, intptr_t padding_count, const intptr_t *dilation, intptr_t dilation_count, intptr_t groups,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::conv1d::call(
    In(input), In(weight), InOptional(bias), symInts(stride, stride_count), symInts(padding, padding_count),
    symInts(dilation, dilation_count), groups
), result);
  });
}

int32_t ctorch_conv2d(
    ctorch_tensor *input, ctorch_tensor *weight, ctorch_tensor *bias, const intptr_t *stride, intptr_t stride_count,
    const intptr_t *padding, intptr_t padding_count, const intptr_t *dilation, intptr_t dilation_count, intptr_t groups,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::conv2d::call(
    In(input), In(weight), InOptional(bias), symInts(stride, stride_count), symInts(padding, padding_count),
    symInts(dilation, dilation_count), groups
), result);
  });
}

int32_t ctorch_conv_transpose2d_input(
    ctorch_tensor *input, ctorch_tensor *weight, ctorch_tensor *bias, const intptr_t *stride, intptr_t stride_count,
    const intptr_t *padding, intptr_t padding_count, const intptr_t *output_padding, intptr_t output_padding_count,
    intptr_t groups, const intptr_t *dilation, intptr_t dilation_count, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::conv_transpose2d_input::call(
    In(input), In(weight), InOptional(bias), symInts(stride, stride_count), symInts(padding, padding_count),
    symInts(output_padding, output_padding_count), groups, symInts(dilation, dilation_count)
), result);
  });
}

int32_t ctorch_avg_pool2d(
    ctorch_tensor *self_, const intptr_t *kernel_size, intptr_t kernel_size_count, const intptr_t *stride,
    intptr_t stride_count, const intptr_t *padding, intptr_t padding_count, bool ceil_mode, bool count_include_pad,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::avg_pool2d::call(
    In(self_), ints(kernel_size, kernel_size_count), ints(stride, stride_count), ints(padding, padding_count),
    ceil_mode, count_include_pad, std::nullopt
), result);
  });
}

int32_t ctorch_max_pool2d(
    ctorch_tensor *self_, const intptr_t *kernel_size, intptr_t kernel_size_count, const intptr_t *stride,
    intptr_t stride_count, const intptr_t *padding, intptr_t padding_count, const intptr_t *dilation,
    intptr_t dilation_count, bool ceil_mode, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::max_pool2d::call(
    In(self_), ints(kernel_size, kernel_size_count), ints(stride, stride_count), ints(padding, padding_count),
    ints(dilation, dilation_count), ceil_mode
), result);
  });
}

int32_t ctorch_adaptive_avg_pool2d(
    ctorch_tensor *self_, const intptr_t *output_size, intptr_t output_size_count, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::adaptive_avg_pool2d::call(In(self_), symInts(output_size, output_size_count)), result);
  });
}

int32_t ctorch_scaled_dot_product_attention(
    ctorch_tensor *query, ctorch_tensor *key, ctorch_tensor *value, ctorch_tensor *attn_mask, double dropout_p,
    bool is_causal, double scale, bool has_scale, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::scaled_dot_product_attention::call(
    In(query), In(key), In(value), InOptional(attn_mask), dropout_p, is_causal, optionalReal(scale, has_scale), false
), result);
  });
}

int32_t ctorch_cross_entropy_loss(
    ctorch_tensor *self_, ctorch_tensor *target, ctorch_tensor *weight, intptr_t reduction, intptr_t ignore_index,
    double label_smoothing, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::cross_entropy_loss::call(
    In(self_), In(target), InOptional(weight), reduction, ignore_index, label_smoothing
), result);
  });
}

int32_t ctorch_nll_loss(
    ctorch_tensor *self_, ctorch_tensor *target, ctorch_tensor *weight, intptr_t reduction, intptr_t ignore_index,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::nll_loss::call(In(self_), In(target), InOptional(weight), reduction, ignore_index), result);
  });
}

int32_t ctorch_binary_cross_entropy_with_logits(
    ctorch_tensor *self_, ctorch_tensor *target, ctorch_tensor *weight, ctorch_tensor *pos_weight, intptr_t reduction,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::binary_cross_entropy_with_logits::call(
    In(self_), In(target), InOptional(weight), InOptional(pos_weight), reduction
), result);
  });
}

int32_t ctorch_mse_loss(ctorch_tensor *self_, ctorch_tensor *target, intptr_t reduction, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::mse_loss::call(In(self_), In(target), reduction), result);
  });
}

int32_t ctorch_smooth_l1_loss(
    ctorch_tensor *self_, ctorch_tensor *target, intptr_t reduction, double beta, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::smooth_l1_loss::call(In(self_), In(target), reduction, beta), result);
  });
}

int32_t ctorch_kl_div(
    ctorch_tensor *self_, ctorch_tensor *target, intptr_t reduction, bool log_target, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::kl_div::call(In(self_), In(target), reduction, log_target), result);
  });
}

int32_t ctorch_fft_rfft(ctorch_tensor *self_, intptr_t n_, bool has_n_, intptr_t dim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::fft_rfft::call(In(self_), optionalSymInt(n_, has_n_), dim, std::nullopt), result);
  });
}

int32_t ctorch_fft_irfft(ctorch_tensor *self_, intptr_t n_, bool has_n_, intptr_t dim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::fft_irfft::call(In(self_), optionalSymInt(n_, has_n_), dim, std::nullopt), result);
  });
}

int32_t ctorch_view_as_real(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::view_as_real::call(In(self_)), result);
  });
}

int32_t ctorch_view_as_complex(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::view_as_complex::call(In(self_)), result);
  });
}
