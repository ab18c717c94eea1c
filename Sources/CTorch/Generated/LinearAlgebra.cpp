// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#include "../internal.h"

#include <ATen/ops/addmm_ops.h>
#include <ATen/ops/baddbmm_ops.h>
#include <ATen/ops/cdist_ops.h>
#include <ATen/ops/cosine_similarity_ops.h>
#include <ATen/ops/linalg_qr_ops.h>
#include <ATen/ops/linear_ops.h>
#include <ATen/ops/matmul_ops.h>
#include <ATen/ops/outer_ops.h>

using namespace ctorch;

int32_t ctorch_matmul(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::matmul::call(In(self_), In(other)), result);
  });
}

int32_t ctorch_linear(ctorch_tensor *input, ctorch_tensor *weight, ctorch_tensor *bias, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::linear::call(In(input), In(weight), InOptional(bias)), result);
  });
}

int32_t ctorch_addmm(
    ctorch_tensor *self_, ctorch_tensor *mat1, ctorch_tensor *mat2, double beta, double alpha, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::addmm::call(In(self_), In(mat1), In(mat2), scalar(beta), scalar(alpha)), result);
  });
}

int32_t ctorch_baddbmm(
    ctorch_tensor *self_, ctorch_tensor *batch1, ctorch_tensor *batch2, double beta, double alpha,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::baddbmm::call(In(self_), In(batch1), In(batch2), scalar(beta), scalar(alpha)), result);
  });
}

int32_t ctorch_outer(ctorch_tensor *self_, ctorch_tensor *vec2, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::outer::call(In(self_), In(vec2)), result);
  });
}

int32_t ctorch_linalg_qr(ctorch_tensor *A, ctorch_tensor **result0, ctorch_tensor **result1) {
  return guarded([&] {
    giveAll(at::_ops::linalg_qr::call(In(A), "reduced"), result0, result1);
  });
}

int32_t ctorch_cdist(ctorch_tensor *x1, ctorch_tensor *x2, double p_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::cdist::call(In(x1), In(x2), p_, std::nullopt), result);
  });
}

int32_t ctorch_cosine_similarity(ctorch_tensor *x1, ctorch_tensor *x2, intptr_t dim, double eps, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::cosine_similarity::call(In(x1), In(x2), dim, eps), result);
  });
}
