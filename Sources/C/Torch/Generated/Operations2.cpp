// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#include "../product.h"

#include <ATen/ops/adaptive_avg_pool2d_ops.h>
#include <ATen/ops/add_ops.h>
#include <ATen/ops/addmm_ops.h>
#include <ATen/ops/avg_pool2d_ops.h>
#include <ATen/ops/baddbmm_ops.h>
#include <ATen/ops/batch_norm_ops.h>
#include <ATen/ops/binary_cross_entropy_with_logits_ops.h>
#include <ATen/ops/broadcast_to_ops.h>
#include <ATen/ops/cat_ops.h>
#include <ATen/ops/cdist_ops.h>
#include <ATen/ops/chunk_ops.h>
#include <ATen/ops/clone_ops.h>
#include <ATen/ops/constant_pad_nd_ops.h>
#include <ATen/ops/contiguous_ops.h>
#include <ATen/ops/conv1d_ops.h>
#include <ATen/ops/conv2d_ops.h>
#include <ATen/ops/conv_transpose2d_ops.h>
#include <ATen/ops/cosine_similarity_ops.h>
#include <ATen/ops/cross_entropy_loss_ops.h>
#include <ATen/ops/detach_ops.h>
#include <ATen/ops/diag_embed_ops.h>
#include <ATen/ops/diagonal_ops.h>
#include <ATen/ops/div_ops.h>
#include <ATen/ops/embedding_ops.h>
#include <ATen/ops/eq_ops.h>
#include <ATen/ops/expand_ops.h>
#include <ATen/ops/fft_irfft_ops.h>
#include <ATen/ops/fft_rfft_ops.h>
#include <ATen/ops/flatten_ops.h>
#include <ATen/ops/flip_ops.h>
#include <ATen/ops/gather_ops.h>
#include <ATen/ops/ge_ops.h>
#include <ATen/ops/group_norm_ops.h>
#include <ATen/ops/gt_ops.h>
#include <ATen/ops/index_add_ops.h>
#include <ATen/ops/index_copy_ops.h>
#include <ATen/ops/index_select_ops.h>
#include <ATen/ops/kl_div_ops.h>
#include <ATen/ops/layer_norm_ops.h>
#include <ATen/ops/le_ops.h>
#include <ATen/ops/linalg_qr_ops.h>
#include <ATen/ops/linear_ops.h>
#include <ATen/ops/logical_and_ops.h>
#include <ATen/ops/logical_not_ops.h>
#include <ATen/ops/logical_or_ops.h>
#include <ATen/ops/lt_ops.h>
#include <ATen/ops/masked_fill_ops.h>
#include <ATen/ops/masked_select_ops.h>
#include <ATen/ops/matmul_ops.h>
#include <ATen/ops/max_pool2d_ops.h>
#include <ATen/ops/mse_loss_ops.h>
#include <ATen/ops/mul_ops.h>
#include <ATen/ops/narrow_ops.h>
#include <ATen/ops/ne_ops.h>
#include <ATen/ops/nll_loss_ops.h>
#include <ATen/ops/nonzero_ops.h>
#include <ATen/ops/one_hot_ops.h>
#include <ATen/ops/outer_ops.h>
#include <ATen/ops/permute_ops.h>
#include <ATen/ops/repeat_interleave_ops.h>
#include <ATen/ops/repeat_ops.h>
#include <ATen/ops/reshape_ops.h>
#include <ATen/ops/rms_norm_ops.h>
#include <ATen/ops/roll_ops.h>
#include <ATen/ops/rsub_ops.h>
#include <ATen/ops/scaled_dot_product_attention_ops.h>
#include <ATen/ops/scatter_add_ops.h>
#include <ATen/ops/scatter_ops.h>
#include <ATen/ops/select_ops.h>
#include <ATen/ops/slice_ops.h>
#include <ATen/ops/smooth_l1_loss_ops.h>
#include <ATen/ops/split_with_sizes_ops.h>
#include <ATen/ops/squeeze_ops.h>
#include <ATen/ops/stack_ops.h>
#include <ATen/ops/sub_ops.h>
#include <ATen/ops/take_along_dim_ops.h>
#include <ATen/ops/transpose_ops.h>
#include <ATen/ops/tril_ops.h>
#include <ATen/ops/triu_ops.h>
#include <ATen/ops/unbind_ops.h>
#include <ATen/ops/unflatten_ops.h>
#include <ATen/ops/unfold_ops.h>
#include <ATen/ops/unsqueeze_ops.h>
#include <ATen/ops/view_as_complex_ops.h>
#include <ATen/ops/view_as_real_ops.h>
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

int32_t ctorch_matmul(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result) {
  return guarded([&] {
    give(product<at::_ops::matmul>(In(self_), In(other)), result);
  });
}

int32_t ctorch_linear(ctorch_tensor *input, ctorch_tensor *weight, ctorch_tensor *bias, ctorch_tensor **result) {
  return guarded([&] {
    give(product<at::_ops::linear>(In(input), In(weight), InOptional(bias)), result);
  });
}

int32_t ctorch_addmm(
    ctorch_tensor *self_, ctorch_tensor *mat1, ctorch_tensor *mat2, double beta, double alpha, ctorch_tensor **result
) {
  return guarded([&] {
    give(product<at::_ops::addmm>(In(self_), In(mat1), In(mat2), scalar(beta), scalar(alpha)), result);
  });
}

int32_t ctorch_baddbmm(
    ctorch_tensor *self_, ctorch_tensor *batch1, ctorch_tensor *batch2, double beta, double alpha,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(product<at::_ops::baddbmm>(In(self_), In(batch1), In(batch2), scalar(beta), scalar(alpha)), result);
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
    give(product<at::_ops::conv1d>(
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
    give(product<at::_ops::conv2d>(
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
    give(product<at::_ops::scaled_dot_product_attention>(
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
