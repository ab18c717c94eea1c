// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#include "../internal.h"

#include <ATen/ops/_unique2_ops.h>
#include <ATen/ops/all_ops.h>
#include <ATen/ops/amax_ops.h>
#include <ATen/ops/amin_ops.h>
#include <ATen/ops/any_ops.h>
#include <ATen/ops/argmax_ops.h>
#include <ATen/ops/argmin_ops.h>
#include <ATen/ops/argsort_ops.h>
#include <ATen/ops/bincount_ops.h>
#include <ATen/ops/cumsum_ops.h>
#include <ATen/ops/linalg_vector_norm_ops.h>
#include <ATen/ops/log_softmax_ops.h>
#include <ATen/ops/logsumexp_ops.h>
#include <ATen/ops/max_ops.h>
#include <ATen/ops/mean_ops.h>
#include <ATen/ops/min_ops.h>
#include <ATen/ops/prod_ops.h>
#include <ATen/ops/softmax_ops.h>
#include <ATen/ops/sort_ops.h>
#include <ATen/ops/std_ops.h>
#include <ATen/ops/sum_ops.h>
#include <ATen/ops/topk_ops.h>
#include <ATen/ops/var_ops.h>

using namespace ctorch;

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
