// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#include "../internal.h"

#include <ATen/ops/add_ops.h>
#include <ATen/ops/addcdiv_ops.h>
#include <ATen/ops/addcmul_ops.h>
#include <ATen/ops/bernoulli_ops.h>
#include <ATen/ops/clamp_ops.h>
#include <ATen/ops/copy_ops.h>
#include <ATen/ops/div_ops.h>
#include <ATen/ops/fill_ops.h>
#include <ATen/ops/index_add_ops.h>
#include <ATen/ops/index_copy_ops.h>
#include <ATen/ops/lerp_ops.h>
#include <ATen/ops/masked_fill_ops.h>
#include <ATen/ops/mul_ops.h>
#include <ATen/ops/normal_ops.h>
#include <ATen/ops/uniform_ops.h>
#include <ATen/ops/zero_ops.h>

using namespace ctorch;

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
