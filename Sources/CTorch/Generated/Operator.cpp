// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#include "../internal.h"

#include <ATen/ops/add_ops.h>
#include <ATen/ops/div_ops.h>
#include <ATen/ops/mul_ops.h>
#include <ATen/ops/rsub_ops.h>
#include <ATen/ops/sub_ops.h>

using namespace ctorch;

int32_t ctorch_add_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::add_Scalar::call(In(self_), scalar(other), 1), result);
  });
}

int32_t ctorch_sub_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::sub_Tensor::call(In(self_), In(other), 1), result);
  });
}

int32_t ctorch_sub_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::sub_Scalar::call(In(self_), scalar(other), 1), result);
  });
}

int32_t ctorch_rsub_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::rsub_Scalar::call(In(self_), scalar(other), 1), result);
  });
}

int32_t ctorch_mul_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::mul_Tensor::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_mul_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::mul_Scalar::call(In(self_), scalar(other)), result);
  });
}

int32_t ctorch_div_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::div_Tensor::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_div_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::div_Scalar::call(In(self_), scalar(other)), result);
  });
}
