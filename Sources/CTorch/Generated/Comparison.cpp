// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#include "../internal.h"

#include <ATen/ops/eq_ops.h>
#include <ATen/ops/ge_ops.h>
#include <ATen/ops/gt_ops.h>
#include <ATen/ops/le_ops.h>
#include <ATen/ops/logical_and_ops.h>
#include <ATen/ops/logical_not_ops.h>
#include <ATen/ops/logical_or_ops.h>
#include <ATen/ops/lt_ops.h>
#include <ATen/ops/masked_fill_ops.h>
#include <ATen/ops/masked_select_ops.h>
#include <ATen/ops/ne_ops.h>
#include <ATen/ops/nonzero_ops.h>
#include <ATen/ops/where_ops.h>

using namespace ctorch;

int32_t ctorch_eq_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::eq_Tensor::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_eq_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::eq_Scalar::call(In(self_), scalar(other)), result);
  });
}

int32_t ctorch_ne_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::ne_Tensor::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_ne_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::ne_Scalar::call(In(self_), scalar(other)), result);
  });
}

int32_t ctorch_gt_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::gt_Tensor::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_gt_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::gt_Scalar::call(In(self_), scalar(other)), result);
  });
}

int32_t ctorch_ge_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::ge_Tensor::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_ge_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::ge_Scalar::call(In(self_), scalar(other)), result);
  });
}

int32_t ctorch_lt_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::lt_Tensor::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_lt_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::lt_Scalar::call(In(self_), scalar(other)), result);
  });
}

int32_t ctorch_le_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::le_Tensor::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_le_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::le_Scalar::call(In(self_), scalar(other)), result);
  });
}

int32_t ctorch_logical_and(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::logical_and::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_logical_or(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::logical_or::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_logical_not(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::logical_not::call(In(self_)), result);
  });
}

int32_t ctorch_where_self(ctorch_tensor *condition, ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::where_self::call(In(condition), In(self_), In(other)), result);
  });
}

int32_t ctorch_where_ScalarOther(ctorch_tensor *condition, ctorch_tensor *self_, double other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::where_ScalarOther::call(In(condition), In(self_), scalar(other)), result);
  });
}

int32_t ctorch_where_ScalarSelf(ctorch_tensor *condition, double self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::where_ScalarSelf::call(In(condition), scalar(self_), In(other)), result);
  });
}

int32_t ctorch_masked_fill_Scalar(ctorch_tensor *self_, ctorch_tensor *mask, double value, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::masked_fill_Scalar::call(In(self_), In(mask), scalar(value)), result);
  });
}

int32_t ctorch_masked_fill_Tensor(
    ctorch_tensor *self_, ctorch_tensor *mask, ctorch_tensor *value, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::masked_fill_Tensor::call(In(self_), In(mask), In(value)), result);
  });
}

int32_t ctorch_masked_select(ctorch_tensor *self_, ctorch_tensor *mask, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::masked_select::call(In(self_), In(mask)), result);
  });
}

int32_t ctorch_nonzero(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::nonzero::call(In(self_)), result);
  });
}
