// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#include "../product.h"

#include <ATen/ops/_unique2_ops.h>
#include <ATen/ops/abs_ops.h>
#include <ATen/ops/add_ops.h>
#include <ATen/ops/addcdiv_ops.h>
#include <ATen/ops/addcmul_ops.h>
#include <ATen/ops/addmm_ops.h>
#include <ATen/ops/all_ops.h>
#include <ATen/ops/amax_ops.h>
#include <ATen/ops/amin_ops.h>
#include <ATen/ops/any_ops.h>
#include <ATen/ops/arange_ops.h>
#include <ATen/ops/argmax_ops.h>
#include <ATen/ops/argmin_ops.h>
#include <ATen/ops/argsort_ops.h>
#include <ATen/ops/bernoulli_ops.h>
#include <ATen/ops/bincount_ops.h>
#include <ATen/ops/ceil_ops.h>
#include <ATen/ops/clamp_ops.h>
#include <ATen/ops/copy_ops.h>
#include <ATen/ops/cos_ops.h>
#include <ATen/ops/cumsum_ops.h>
#include <ATen/ops/div_ops.h>
#include <ATen/ops/elu_ops.h>
#include <ATen/ops/empty_like_ops.h>
#include <ATen/ops/empty_ops.h>
#include <ATen/ops/erf_ops.h>
#include <ATen/ops/exp_ops.h>
#include <ATen/ops/expm1_ops.h>
#include <ATen/ops/eye_ops.h>
#include <ATen/ops/fill_ops.h>
#include <ATen/ops/floor_divide_ops.h>
#include <ATen/ops/floor_ops.h>
#include <ATen/ops/full_ops.h>
#include <ATen/ops/hann_window_ops.h>
#include <ATen/ops/index_add_ops.h>
#include <ATen/ops/index_copy_ops.h>
#include <ATen/ops/isfinite_ops.h>
#include <ATen/ops/isnan_ops.h>
#include <ATen/ops/leaky_relu_ops.h>
#include <ATen/ops/lerp_ops.h>
#include <ATen/ops/linalg_vector_norm_ops.h>
#include <ATen/ops/linspace_ops.h>
#include <ATen/ops/log1p_ops.h>
#include <ATen/ops/log2_ops.h>
#include <ATen/ops/log_ops.h>
#include <ATen/ops/log_sigmoid_ops.h>
#include <ATen/ops/log_softmax_ops.h>
#include <ATen/ops/logaddexp_ops.h>
#include <ATen/ops/logsumexp_ops.h>
#include <ATen/ops/masked_fill_ops.h>
#include <ATen/ops/max_ops.h>
#include <ATen/ops/maximum_ops.h>
#include <ATen/ops/mean_ops.h>
#include <ATen/ops/min_ops.h>
#include <ATen/ops/minimum_ops.h>
#include <ATen/ops/mul_ops.h>
#include <ATen/ops/nan_to_num_ops.h>
#include <ATen/ops/neg_ops.h>
#include <ATen/ops/normal_ops.h>
#include <ATen/ops/ones_like_ops.h>
#include <ATen/ops/ones_ops.h>
#include <ATen/ops/pow_ops.h>
#include <ATen/ops/prod_ops.h>
#include <ATen/ops/randperm_ops.h>
#include <ATen/ops/reciprocal_ops.h>
#include <ATen/ops/relu_ops.h>
#include <ATen/ops/remainder_ops.h>
#include <ATen/ops/round_ops.h>
#include <ATen/ops/rsqrt_ops.h>
#include <ATen/ops/sigmoid_ops.h>
#include <ATen/ops/sign_ops.h>
#include <ATen/ops/silu_ops.h>
#include <ATen/ops/sin_ops.h>
#include <ATen/ops/softmax_ops.h>
#include <ATen/ops/softplus_ops.h>
#include <ATen/ops/sort_ops.h>
#include <ATen/ops/sqrt_ops.h>
#include <ATen/ops/square_ops.h>
#include <ATen/ops/std_ops.h>
#include <ATen/ops/sum_ops.h>
#include <ATen/ops/tanh_ops.h>
#include <ATen/ops/topk_ops.h>
#include <ATen/ops/trunc_ops.h>
#include <ATen/ops/uniform_ops.h>
#include <ATen/ops/var_ops.h>
#include <ATen/ops/zero_ops.h>
#include <ATen/ops/zeros_like_ops.h>
#include <ATen/ops/zeros_ops.h>

using namespace ctorch;

int32_t ctorch_exp(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::exp::call(In(self_)), result);
  });
}

int32_t ctorch_expm1(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::expm1::call(In(self_)), result);
  });
}

int32_t ctorch_log(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::log::call(In(self_)), result);
  });
}

int32_t ctorch_log1p(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::log1p::call(In(self_)), result);
  });
}

int32_t ctorch_log2(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::log2::call(In(self_)), result);
  });
}

int32_t ctorch_sqrt(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::sqrt::call(In(self_)), result);
  });
}

int32_t ctorch_rsqrt(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::rsqrt::call(In(self_)), result);
  });
}

int32_t ctorch_square(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::square::call(In(self_)), result);
  });
}

int32_t ctorch_reciprocal(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::reciprocal::call(In(self_)), result);
  });
}

int32_t ctorch_pow_Tensor_Scalar(ctorch_tensor *self_, double exponent, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::pow_Tensor_Scalar::call(In(self_), scalar(exponent)), result);
  });
}

int32_t ctorch_pow_Tensor_Tensor(ctorch_tensor *self_, ctorch_tensor *exponent, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::pow_Tensor_Tensor::call(In(self_), In(exponent)), result);
  });
}

int32_t ctorch_pow_Scalar(double self_, ctorch_tensor *exponent, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::pow_Scalar::call(scalar(self_), In(exponent)), result);
  });
}

int32_t ctorch_abs(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::abs::call(In(self_)), result);
  });
}

int32_t ctorch_sign(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::sign::call(In(self_)), result);
  });
}

int32_t ctorch_neg(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::neg::call(In(self_)), result);
  });
}

int32_t ctorch_sin(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::sin::call(In(self_)), result);
  });
}

int32_t ctorch_cos(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::cos::call(In(self_)), result);
  });
}

int32_t ctorch_tanh(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::tanh::call(In(self_)), result);
  });
}

int32_t ctorch_sigmoid(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::sigmoid::call(In(self_)), result);
  });
}

int32_t ctorch_relu(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::relu::call(In(self_)), result);
  });
}

int32_t ctorch_leaky_relu(ctorch_tensor *self_, double negative_slope, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::leaky_relu::call(In(self_), scalar(negative_slope)), result);
  });
}

int32_t ctorch_elu(ctorch_tensor *self_, double alpha, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::elu::call(In(self_), scalar(alpha), 1, 1), result);
  });
}

int32_t ctorch_silu(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::silu::call(In(self_)), result);
  });
}

int32_t ctorch_erf(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::erf::call(In(self_)), result);
  });
}

int32_t ctorch_softplus(ctorch_tensor *self_, double beta, double threshold, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::softplus::call(In(self_), scalar(beta), scalar(threshold)), result);
  });
}

int32_t ctorch_log_sigmoid(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::log_sigmoid::call(In(self_)), result);
  });
}

int32_t ctorch_clamp(ctorch_tensor *self_, double min, bool has_min, double max, bool has_max, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::clamp::call(In(self_), optionalScalar(min, has_min), optionalScalar(max, has_max)), result);
  });
}

int32_t ctorch_lerp_Scalar(ctorch_tensor *self_, ctorch_tensor *end, double weight, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::lerp_Scalar::call(In(self_), In(end), scalar(weight)), result);
  });
}

int32_t ctorch_maximum(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::maximum::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_minimum(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::minimum::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_floor(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::floor::call(In(self_)), result);
  });
}

int32_t ctorch_ceil(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::ceil::call(In(self_)), result);
  });
}

int32_t ctorch_round(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::round::call(In(self_)), result);
  });
}

int32_t ctorch_trunc(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::trunc::call(In(self_)), result);
  });
}

int32_t ctorch_remainder_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::remainder_Scalar::call(In(self_), scalar(other)), result);
  });
}

int32_t ctorch_floor_divide_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::floor_divide_Scalar::call(In(self_), scalar(other)), result);
  });
}

int32_t ctorch_logaddexp(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::logaddexp::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_isnan(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::isnan::call(In(self_)), result);
  });
}

int32_t ctorch_isfinite(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::isfinite::call(In(self_)), result);
  });
}

int32_t ctorch_nan_to_num(ctorch_tensor *self_, double nan, bool has_nan, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::nan_to_num::call(In(self_), optionalReal(nan, has_nan), std::nullopt, std::nullopt), result);
  });
}

int32_t ctorch_add_Tensor(ctorch_tensor *self_, ctorch_tensor *other, double alpha, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::add_Tensor::call(In(self_), In(other), scalar(alpha)), result);
  });
}

int32_t ctorch_addcmul(
    ctorch_tensor *self_, ctorch_tensor *tensor1, ctorch_tensor *tensor2, double value, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::addcmul::call(In(self_), In(tensor1), In(tensor2), scalar(value)), result);
  });
}

int32_t ctorch_sum(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::sum::call(In(self_), std::nullopt), result);
  });
}

int32_t ctorch_sum_dim_IntList(
    ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::sum_dim_IntList::call(In(self_), optionalInts(dim, dim_count), keepdim, std::nullopt), result);
  });
}

int32_t ctorch_mean(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::mean::call(In(self_), std::nullopt), result);
  });
}

int32_t ctorch_mean_dim(
    ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::mean_dim::call(In(self_), optionalInts(dim, dim_count), keepdim, std::nullopt), result);
  });
}

int32_t ctorch_prod(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::prod::call(In(self_), std::nullopt), result);
  });
}

int32_t ctorch_prod_dim_int(ctorch_tensor *self_, intptr_t dim, bool keepdim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::prod_dim_int::call(In(self_), dim, keepdim, std::nullopt), result);
  });
}

int32_t ctorch_var_dim(
    ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool unbiased, bool keepdim, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::var_dim::call(In(self_), optionalInts(dim, dim_count), unbiased, keepdim), result);
  });
}

int32_t ctorch_std_dim(
    ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool unbiased, bool keepdim, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::std_dim::call(In(self_), optionalInts(dim, dim_count), unbiased, keepdim), result);
  });
}

int32_t ctorch_max(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::max::call(In(self_)), result);
  });
}

int32_t ctorch_min(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::min::call(In(self_)), result);
  });
}

int32_t ctorch_max_dim(
    ctorch_tensor *self_, intptr_t dim, bool keepdim, ctorch_tensor **result0, ctorch_tensor **result1
) {
  return guarded([&] {
    giveAll(at::_ops::max_dim::call(In(self_), dim, keepdim), result0, result1);
  });
}

int32_t ctorch_min_dim(
    ctorch_tensor *self_, intptr_t dim, bool keepdim, ctorch_tensor **result0, ctorch_tensor **result1
) {
  return guarded([&] {
    giveAll(at::_ops::min_dim::call(In(self_), dim, keepdim), result0, result1);
  });
}

int32_t ctorch_amax(ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::amax::call(In(self_), ints(dim, dim_count), keepdim), result);
  });
}

int32_t ctorch_amin(ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::amin::call(In(self_), ints(dim, dim_count), keepdim), result);
  });
}

int32_t ctorch_argmax(ctorch_tensor *self_, intptr_t dim, bool has_dim, bool keepdim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::argmax::call(In(self_), optionalInt(dim, has_dim), keepdim), result);
  });
}

int32_t ctorch_argmin(ctorch_tensor *self_, intptr_t dim, bool has_dim, bool keepdim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::argmin::call(In(self_), optionalInt(dim, has_dim), keepdim), result);
  });
}

int32_t ctorch_any(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::any::call(In(self_)), result);
  });
}

int32_t ctorch_any_dim(ctorch_tensor *self_, intptr_t dim, bool keepdim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::any_dim::call(In(self_), dim, keepdim), result);
  });
}

int32_t ctorch_all(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::all::call(In(self_)), result);
  });
}

int32_t ctorch_all_dim(ctorch_tensor *self_, intptr_t dim, bool keepdim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::all_dim::call(In(self_), dim, keepdim), result);
  });
}

int32_t ctorch_cumsum(ctorch_tensor *self_, intptr_t dim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::cumsum::call(In(self_), dim, std::nullopt), result);
  });
}

int32_t ctorch_linalg_vector_norm(
    ctorch_tensor *self_, double ord, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::linalg_vector_norm::call(In(self_), scalar(ord), optionalInts(dim, dim_count), keepdim, std::nullopt), result);
  });
}

int32_t ctorch_logsumexp(
    ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::logsumexp::call(In(self_), ints(dim, dim_count), keepdim), result);
  });
}

int32_t ctorch_softmax_int(ctorch_tensor *self_, intptr_t dim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::softmax_int::call(In(self_), dim, std::nullopt), result);
  });
}

int32_t ctorch_log_softmax_int(ctorch_tensor *self_, intptr_t dim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::log_softmax_int::call(In(self_), dim, std::nullopt), result);
  });
}

int32_t ctorch_sort_stable(
    ctorch_tensor *self_, intptr_t dim, bool descending, ctorch_tensor **result0, ctorch_tensor **result1
) {
  return guarded([&] {
    giveAll(at::_ops::sort_stable::call(In(self_), true, dim, descending), result0, result1);
  });
}

int32_t ctorch_argsort_stable(ctorch_tensor *self_, intptr_t dim, bool descending, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::argsort_stable::call(In(self_), true, dim, descending), result);
  });
}

int32_t ctorch_topk(
    ctorch_tensor *self_, intptr_t k_, intptr_t dim, bool largest, ctorch_tensor **result0, ctorch_tensor **result1
) {
  return guarded([&] {
    giveAll(at::_ops::topk::call(In(self_), k_, dim, largest, true), result0, result1);
  });
}

int32_t ctorch_bincount(ctorch_tensor *self_, ctorch_tensor *weights, intptr_t minlength, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::bincount::call(In(self_), InOptional(weights), minlength), result);
  });
}

int32_t ctorch_unique2(ctorch_tensor *self_, ctorch_tensor **result0, ctorch_tensor **result1, ctorch_tensor **result2) {
  return guarded([&] {
    giveAll(at::_ops::_unique2::call(In(self_), true, true, true), result0, result1, result2);
  });
}

int32_t ctorch_copy_(ctorch_tensor *self_, ctorch_tensor *src) {
  return guarded([&] {
    at::_ops::copy_::call(In(self_), In(src), false);
  });
}

int32_t ctorch_fill__Scalar(ctorch_tensor *self_, double value) {
  return guarded([&] {
    at::_ops::fill__Scalar::call(In(self_), scalar(value));
  });
}

int32_t ctorch_zero_(ctorch_tensor *self_) {
  return guarded([&] {
    at::_ops::zero_::call(In(self_));
  });
}

int32_t ctorch_add__Tensor(ctorch_tensor *self_, ctorch_tensor *other, double alpha) {
  return guarded([&] {
    at::_ops::add__Tensor::call(In(self_), In(other), scalar(alpha));
  });
}

int32_t ctorch_add__Scalar(ctorch_tensor *self_, double other) {
  return guarded([&] {
    at::_ops::add__Scalar::call(In(self_), scalar(other), 1);
  });
}

int32_t ctorch_mul__Scalar(ctorch_tensor *self_, double other) {
  return guarded([&] {
    at::_ops::mul__Scalar::call(In(self_), scalar(other));
  });
}

int32_t ctorch_mul__Tensor(ctorch_tensor *self_, ctorch_tensor *other) {
  return guarded([&] {
    at::_ops::mul__Tensor::call(In(self_), In(other));
  });
}

int32_t ctorch_exp_(ctorch_tensor *self_) {
  return guarded([&] {
    at::_ops::exp_::call(In(self_));
  });
}

int32_t ctorch_addmm_(ctorch_tensor *self_, ctorch_tensor *mat1, ctorch_tensor *mat2, double beta, double alpha) {
  return guarded([&] {
    at::_ops::addmm_::call(In(self_), In(mat1), In(mat2), scalar(beta), scalar(alpha));
  });
}

int32_t ctorch_div__Tensor(ctorch_tensor *self_, ctorch_tensor *other) {
  return guarded([&] {
    at::_ops::div__Tensor::call(In(self_), In(other));
  });
}

int32_t ctorch_clamp_(ctorch_tensor *self_, double min, bool has_min, double max, bool has_max) {
  return guarded([&] {
    at::_ops::clamp_::call(In(self_), optionalScalar(min, has_min), optionalScalar(max, has_max));
  });
}

int32_t ctorch_lerp__Scalar(ctorch_tensor *self_, ctorch_tensor *end, double weight) {
  return guarded([&] {
    at::_ops::lerp__Scalar::call(In(self_), In(end), scalar(weight));
  });
}

int32_t ctorch_addcmul_(ctorch_tensor *self_, ctorch_tensor *tensor1, ctorch_tensor *tensor2, double value) {
  return guarded([&] {
    at::_ops::addcmul_::call(In(self_), In(tensor1), In(tensor2), scalar(value));
  });
}

int32_t ctorch_addcdiv_(ctorch_tensor *self_, ctorch_tensor *tensor1, ctorch_tensor *tensor2, double value) {
  return guarded([&] {
    at::_ops::addcdiv_::call(In(self_), In(tensor1), In(tensor2), scalar(value));
  });
}

int32_t ctorch_masked_fill__Scalar(ctorch_tensor *self_, ctorch_tensor *mask, double value) {
  return guarded([&] {
    at::_ops::masked_fill__Scalar::call(In(self_), In(mask), scalar(value));
  });
}

int32_t ctorch_index_add_(ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *source, double alpha) {
  return guarded([&] {
    at::_ops::index_add_::call(In(self_), dim, In(index), In(source), scalar(alpha));
  });
}

int32_t ctorch_index_copy_(ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *source) {
  return guarded([&] {
    at::_ops::index_copy_::call(In(self_), dim, In(index), In(source));
  });
}

int32_t ctorch_normal_(ctorch_tensor *self_, double mean, double std, ctorch_generator *generator) {
  return guarded([&] {
    at::_ops::normal_::call(In(self_), mean, std, InGenerator(generator));
  });
}

int32_t ctorch_uniform_(ctorch_tensor *self_, double from_, double to, ctorch_generator *generator) {
  return guarded([&] {
    at::_ops::uniform_::call(In(self_), from_, to, InGenerator(generator));
  });
}

int32_t ctorch_bernoulli__float(ctorch_tensor *self_, double p_, ctorch_generator *generator) {
  return guarded([&] {
    at::_ops::bernoulli__float::call(In(self_), p_, InGenerator(generator));
  });
}

int32_t ctorch_zeros(
    const intptr_t *size, intptr_t size_count, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::zeros::call(
    symInts(size, size_count), ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}

int32_t ctorch_ones(
    const intptr_t *size, intptr_t size_count, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::ones::call(
    symInts(size, size_count), ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}

int32_t ctorch_full(
    const intptr_t *size, intptr_t size_count, double fill_value, int32_t dtype, ctorch_device device,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::full::call(
    symInts(size, size_count), scalar(fill_value), ctorch::dtype(dtype), std::nullopt, ctorch::device(device),
    std::nullopt
), result);
  });
}

int32_t ctorch_empty_memory_format(
    const intptr_t *size, intptr_t size_count, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::empty_memory_format::call(
    symInts(size, size_count), ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt, std::nullopt
), result);
  });
}

int32_t ctorch_arange_start_step(
    double start, double end, double step, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::arange_start_step::call(
    scalar(start), scalar(end), scalar(step), ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}

int32_t ctorch_arange(double end, int32_t dtype, ctorch_device device, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::arange::call(scalar(end), ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt), result);
  });
}

int32_t ctorch_linspace(
    double start, double end, intptr_t steps, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::linspace::call(
    scalar(start), scalar(end), steps, ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}

int32_t ctorch_eye(intptr_t n_, int32_t dtype, ctorch_device device, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::eye::call(n_, ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt), result);
  });
}

int32_t ctorch_zeros_like(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::zeros_like::call(In(self_), std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt), result);
  });
}

int32_t ctorch_ones_like(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::ones_like::call(In(self_), std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt), result);
  });
}

int32_t ctorch_empty_like(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::empty_like::call(In(self_), std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt), result);
  });
}

int32_t ctorch_randperm_generator(
    intptr_t n_, ctorch_generator *generator, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::randperm_generator::call(
    n_, InGenerator(generator), ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}

int32_t ctorch_hann_window_periodic(
    intptr_t window_length, bool periodic, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::hann_window_periodic::call(
    window_length, periodic, ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}
