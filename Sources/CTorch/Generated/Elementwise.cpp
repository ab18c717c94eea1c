// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#include "../internal.h"

#include <ATen/ops/abs_ops.h>
#include <ATen/ops/add_ops.h>
#include <ATen/ops/addcmul_ops.h>
#include <ATen/ops/ceil_ops.h>
#include <ATen/ops/clamp_ops.h>
#include <ATen/ops/cos_ops.h>
#include <ATen/ops/elu_ops.h>
#include <ATen/ops/erf_ops.h>
#include <ATen/ops/exp_ops.h>
#include <ATen/ops/expm1_ops.h>
#include <ATen/ops/floor_divide_ops.h>
#include <ATen/ops/floor_ops.h>
#include <ATen/ops/isfinite_ops.h>
#include <ATen/ops/isnan_ops.h>
#include <ATen/ops/leaky_relu_ops.h>
#include <ATen/ops/lerp_ops.h>
#include <ATen/ops/log1p_ops.h>
#include <ATen/ops/log2_ops.h>
#include <ATen/ops/log_ops.h>
#include <ATen/ops/log_sigmoid_ops.h>
#include <ATen/ops/logaddexp_ops.h>
#include <ATen/ops/maximum_ops.h>
#include <ATen/ops/minimum_ops.h>
#include <ATen/ops/nan_to_num_ops.h>
#include <ATen/ops/neg_ops.h>
#include <ATen/ops/pow_ops.h>
#include <ATen/ops/reciprocal_ops.h>
#include <ATen/ops/relu_ops.h>
#include <ATen/ops/remainder_ops.h>
#include <ATen/ops/round_ops.h>
#include <ATen/ops/rsqrt_ops.h>
#include <ATen/ops/sigmoid_ops.h>
#include <ATen/ops/sign_ops.h>
#include <ATen/ops/silu_ops.h>
#include <ATen/ops/sin_ops.h>
#include <ATen/ops/softplus_ops.h>
#include <ATen/ops/sqrt_ops.h>
#include <ATen/ops/square_ops.h>
#include <ATen/ops/tanh_ops.h>
#include <ATen/ops/trunc_ops.h>

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
