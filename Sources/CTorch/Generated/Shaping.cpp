// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#include "../internal.h"

#include <ATen/ops/broadcast_to_ops.h>
#include <ATen/ops/cat_ops.h>
#include <ATen/ops/chunk_ops.h>
#include <ATen/ops/clone_ops.h>
#include <ATen/ops/constant_pad_nd_ops.h>
#include <ATen/ops/contiguous_ops.h>
#include <ATen/ops/detach_ops.h>
#include <ATen/ops/diag_embed_ops.h>
#include <ATen/ops/diagonal_ops.h>
#include <ATen/ops/expand_ops.h>
#include <ATen/ops/flatten_ops.h>
#include <ATen/ops/flip_ops.h>
#include <ATen/ops/gather_ops.h>
#include <ATen/ops/index_add_ops.h>
#include <ATen/ops/index_copy_ops.h>
#include <ATen/ops/index_select_ops.h>
#include <ATen/ops/narrow_ops.h>
#include <ATen/ops/one_hot_ops.h>
#include <ATen/ops/permute_ops.h>
#include <ATen/ops/repeat_interleave_ops.h>
#include <ATen/ops/repeat_ops.h>
#include <ATen/ops/reshape_ops.h>
#include <ATen/ops/roll_ops.h>
#include <ATen/ops/scatter_add_ops.h>
#include <ATen/ops/scatter_ops.h>
#include <ATen/ops/select_ops.h>
#include <ATen/ops/slice_ops.h>
#include <ATen/ops/split_with_sizes_ops.h>
#include <ATen/ops/squeeze_ops.h>
#include <ATen/ops/stack_ops.h>
#include <ATen/ops/take_along_dim_ops.h>
#include <ATen/ops/transpose_ops.h>
#include <ATen/ops/tril_ops.h>
#include <ATen/ops/triu_ops.h>
#include <ATen/ops/unbind_ops.h>
#include <ATen/ops/unflatten_ops.h>
#include <ATen/ops/unfold_ops.h>
#include <ATen/ops/unsqueeze_ops.h>

using namespace ctorch;

int32_t ctorch_reshape(ctorch_tensor *self_, const intptr_t *shape, intptr_t shape_count, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::reshape::call(In(self_), symInts(shape, shape_count)), result);
  });
}

int32_t ctorch_transpose_int(ctorch_tensor *self_, intptr_t dim0, intptr_t dim1, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::transpose_int::call(In(self_), dim0, dim1), result);
  });
}

int32_t ctorch_permute(ctorch_tensor *self_, const intptr_t *dims, intptr_t dims_count, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::permute::call(In(self_), ints(dims, dims_count)), result);
  });
}

int32_t ctorch_unsqueeze(ctorch_tensor *self_, intptr_t dim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::unsqueeze::call(In(self_), dim), result);
  });
}

int32_t ctorch_squeeze_dim(ctorch_tensor *self_, intptr_t dim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::squeeze_dim::call(In(self_), dim), result);
  });
}

int32_t ctorch_squeeze(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::squeeze::call(In(self_)), result);
  });
}

int32_t ctorch_flatten_using_ints(ctorch_tensor *self_, intptr_t start_dim, intptr_t end_dim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::flatten_using_ints::call(In(self_), start_dim, end_dim), result);
  });
}

int32_t ctorch_unflatten_int(
    ctorch_tensor *self_, intptr_t dim, const intptr_t *sizes, intptr_t sizes_count, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::unflatten_int::call(In(self_), dim, symInts(sizes, sizes_count)), result);
  });
}

int32_t ctorch_contiguous(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::contiguous::call(In(self_), at::MemoryFormat::Contiguous), result);
  });
}

int32_t ctorch_expand(ctorch_tensor *self_, const intptr_t *size, intptr_t size_count, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::expand::call(In(self_), symInts(size, size_count), false), result);
  });
}

int32_t ctorch_broadcast_to(ctorch_tensor *self_, const intptr_t *size, intptr_t size_count, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::broadcast_to::call(In(self_), symInts(size, size_count)), result);
  });
}

int32_t ctorch_repeat(ctorch_tensor *self_, const intptr_t *repeats, intptr_t repeats_count, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::repeat::call(In(self_), symInts(repeats, repeats_count)), result);
  });
}

int32_t ctorch_repeat_interleave_self_int(
    ctorch_tensor *self_, intptr_t repeats, intptr_t dim, bool has_dim, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::repeat_interleave_self_int::call(In(self_), repeats, optionalInt(dim, has_dim), std::nullopt), result);
  });
}

int32_t ctorch_slice_Tensor(
    ctorch_tensor *self_, intptr_t dim, intptr_t start, bool has_start, intptr_t end, bool has_end, intptr_t step,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::slice_Tensor::call(In(self_), dim, optionalSymInt(start, has_start), optionalSymInt(end, has_end), step), result);
  });
}

int32_t ctorch_select_int(ctorch_tensor *self_, intptr_t dim, intptr_t index, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::select_int::call(In(self_), dim, index), result);
  });
}

int32_t ctorch_narrow(ctorch_tensor *self_, intptr_t dim, intptr_t start, intptr_t length, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::narrow::call(In(self_), dim, start, length), result);
  });
}

int32_t ctorch_index_select(ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::index_select::call(In(self_), dim, In(index)), result);
  });
}

int32_t ctorch_gather(ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::gather::call(In(self_), dim, In(index), false), result);
  });
}

int32_t ctorch_take_along_dim(
    ctorch_tensor *self_, ctorch_tensor *indices, intptr_t dim, bool has_dim, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::take_along_dim::call(In(self_), In(indices), optionalInt(dim, has_dim)), result);
  });
}

int32_t ctorch_scatter_add(
    ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *src, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::scatter_add::call(In(self_), dim, In(index), In(src)), result);
  });
}

int32_t ctorch_scatter_src(
    ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *src, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::scatter_src::call(In(self_), dim, In(index), In(src)), result);
  });
}

int32_t ctorch_scatter_value(
    ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, double value, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::scatter_value::call(In(self_), dim, In(index), scalar(value)), result);
  });
}

int32_t ctorch_index_add(
    ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *source, double alpha,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::index_add::call(In(self_), dim, In(index), In(source), scalar(alpha)), result);
  });
}

int32_t ctorch_index_copy(
    ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *source, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::index_copy::call(In(self_), dim, In(index), In(source)), result);
  });
}

int32_t ctorch_cat(ctorch_tensor *const *tensors, intptr_t tensors_count, intptr_t dim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::cat::call(InList(tensors, tensors_count), dim), result);
  });
}

int32_t ctorch_stack(ctorch_tensor *const *tensors, intptr_t tensors_count, intptr_t dim, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::stack::call(InList(tensors, tensors_count), dim), result);
  });
}

int32_t ctorch_chunk(
    ctorch_tensor *self_, intptr_t chunks, intptr_t dim, ctorch_tensor ***results, intptr_t *results_count
) {
  return guarded([&] {
    give(at::_ops::chunk::call(In(self_), chunks, dim), results, results_count);
  });
}

int32_t ctorch_split_with_sizes(
    ctorch_tensor *self_, const intptr_t *split_sizes, intptr_t split_sizes_count, intptr_t dim,
    ctorch_tensor ***results, intptr_t *results_count
) {
  return guarded([&] {
    give(at::_ops::split_with_sizes::call(In(self_), symInts(split_sizes, split_sizes_count), dim), results, results_count);
  });
}

int32_t ctorch_unbind_int(ctorch_tensor *self_, intptr_t dim, ctorch_tensor ***results, intptr_t *results_count) {
  return guarded([&] {
    give(at::_ops::unbind_int::call(In(self_), dim), results, results_count);
  });
}

int32_t ctorch_flip(ctorch_tensor *self_, const intptr_t *dims, intptr_t dims_count, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::flip::call(In(self_), ints(dims, dims_count)), result);
  });
}

int32_t ctorch_roll(
    ctorch_tensor *self_, const intptr_t *shifts, intptr_t shifts_count, const intptr_t *dims, intptr_t dims_count,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::roll::call(In(self_), symInts(shifts, shifts_count), ints(dims, dims_count)), result);
  });
}

int32_t ctorch_tril(ctorch_tensor *self_, intptr_t diagonal, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::tril::call(In(self_), diagonal), result);
  });
}

int32_t ctorch_triu(ctorch_tensor *self_, intptr_t diagonal, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::triu::call(In(self_), diagonal), result);
  });
}

int32_t ctorch_diagonal(ctorch_tensor *self_, intptr_t offset, intptr_t dim1, intptr_t dim2, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::diagonal::call(In(self_), offset, dim1, dim2), result);
  });
}

int32_t ctorch_constant_pad_nd(
    ctorch_tensor *self_, const intptr_t *pad, intptr_t pad_count, double value, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::constant_pad_nd::call(In(self_), symInts(pad, pad_count), scalar(value)), result);
  });
}

int32_t ctorch_unfold(ctorch_tensor *self_, intptr_t dimension, intptr_t size, intptr_t step, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::unfold::call(In(self_), dimension, size, step), result);
  });
}

int32_t ctorch_diag_embed(ctorch_tensor *self_, intptr_t offset, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::diag_embed::call(In(self_), offset, -2, -1), result);
  });
}

int32_t ctorch_one_hot(ctorch_tensor *self_, intptr_t num_classes, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::one_hot::call(In(self_), num_classes), result);
  });
}

int32_t ctorch_clone(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::clone::call(In(self_), std::nullopt), result);
  });
}

int32_t ctorch_detach(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::detach::call(In(self_)), result);
  });
}
