// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#pragma once
#include "../ctorch_types.h"

#ifdef __cplusplus
extern "C" {
#endif

// Elementwise
int32_t ctorch_exp(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_expm1(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_log(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_log1p(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_log2(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_sqrt(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_rsqrt(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_square(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_reciprocal(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_pow_Tensor_Scalar(ctorch_tensor *self_, double exponent, ctorch_tensor **result);
int32_t ctorch_pow_Tensor_Tensor(ctorch_tensor *self_, ctorch_tensor *exponent, ctorch_tensor **result);
int32_t ctorch_pow_Scalar(double self_, ctorch_tensor *exponent, ctorch_tensor **result);
int32_t ctorch_abs(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_sign(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_neg(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_sin(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_cos(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_tanh(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_sigmoid(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_relu(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_leaky_relu(ctorch_tensor *self_, double negative_slope, ctorch_tensor **result);
int32_t ctorch_elu(ctorch_tensor *self_, double alpha, ctorch_tensor **result);
int32_t ctorch_silu(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_erf(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_softplus(ctorch_tensor *self_, double beta, double threshold, ctorch_tensor **result);
int32_t ctorch_log_sigmoid(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_clamp(ctorch_tensor *self_, double min, bool has_min, double max, bool has_max, ctorch_tensor **result);
int32_t ctorch_lerp_Scalar(ctorch_tensor *self_, ctorch_tensor *end, double weight, ctorch_tensor **result);
int32_t ctorch_maximum(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_minimum(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_floor(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_ceil(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_round(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_trunc(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_remainder_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_floor_divide_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_logaddexp(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_isnan(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_isfinite(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_nan_to_num(ctorch_tensor *self_, double nan, bool has_nan, ctorch_tensor **result);
int32_t ctorch_add_Tensor(ctorch_tensor *self_, ctorch_tensor *other, double alpha, ctorch_tensor **result);
int32_t ctorch_addcmul(
    ctorch_tensor *self_, ctorch_tensor *tensor1, ctorch_tensor *tensor2, double value, ctorch_tensor **result
);

// Comparison
int32_t ctorch_eq_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_eq_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_ne_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_ne_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_gt_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_gt_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_ge_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_ge_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_lt_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_lt_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_le_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_le_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_logical_and(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_logical_or(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_logical_not(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_where_self(ctorch_tensor *condition, ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_where_ScalarOther(ctorch_tensor *condition, ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_where_ScalarSelf(ctorch_tensor *condition, double self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_masked_fill_Scalar(ctorch_tensor *self_, ctorch_tensor *mask, double value, ctorch_tensor **result);
int32_t ctorch_masked_fill_Tensor(
    ctorch_tensor *self_, ctorch_tensor *mask, ctorch_tensor *value, ctorch_tensor **result
);
int32_t ctorch_masked_select(ctorch_tensor *self_, ctorch_tensor *mask, ctorch_tensor **result);
int32_t ctorch_nonzero(ctorch_tensor *self_, ctorch_tensor **result);

// Shaping
int32_t ctorch_reshape(ctorch_tensor *self_, const intptr_t *shape, intptr_t shape_count, ctorch_tensor **result);
int32_t ctorch_transpose_int(ctorch_tensor *self_, intptr_t dim0, intptr_t dim1, ctorch_tensor **result);
int32_t ctorch_permute(ctorch_tensor *self_, const intptr_t *dims, intptr_t dims_count, ctorch_tensor **result);
int32_t ctorch_unsqueeze(ctorch_tensor *self_, intptr_t dim, ctorch_tensor **result);
int32_t ctorch_squeeze_dim(ctorch_tensor *self_, intptr_t dim, ctorch_tensor **result);
int32_t ctorch_squeeze(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_flatten_using_ints(ctorch_tensor *self_, intptr_t start_dim, intptr_t end_dim, ctorch_tensor **result);
int32_t ctorch_unflatten_int(
    ctorch_tensor *self_, intptr_t dim, const intptr_t *sizes, intptr_t sizes_count, ctorch_tensor **result
);
int32_t ctorch_contiguous(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_expand(ctorch_tensor *self_, const intptr_t *size, intptr_t size_count, ctorch_tensor **result);
int32_t ctorch_broadcast_to(ctorch_tensor *self_, const intptr_t *size, intptr_t size_count, ctorch_tensor **result);
int32_t ctorch_repeat(ctorch_tensor *self_, const intptr_t *repeats, intptr_t repeats_count, ctorch_tensor **result);
int32_t ctorch_repeat_interleave_self_int(
    ctorch_tensor *self_, intptr_t repeats, intptr_t dim, bool has_dim, ctorch_tensor **result
);
int32_t ctorch_slice_Tensor(
    ctorch_tensor *self_, intptr_t dim, intptr_t start, bool has_start, intptr_t end, bool has_end, intptr_t step,
    ctorch_tensor **result
);
int32_t ctorch_select_int(ctorch_tensor *self_, intptr_t dim, intptr_t index, ctorch_tensor **result);
int32_t ctorch_narrow(ctorch_tensor *self_, intptr_t dim, intptr_t start, intptr_t length, ctorch_tensor **result);
int32_t ctorch_index_select(ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor **result);
int32_t ctorch_gather(ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor **result);
int32_t ctorch_take_along_dim(
    ctorch_tensor *self_, ctorch_tensor *indices, intptr_t dim, bool has_dim, ctorch_tensor **result
);
int32_t ctorch_scatter_add(
    ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *src, ctorch_tensor **result
);
int32_t ctorch_scatter_src(
    ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *src, ctorch_tensor **result
);
int32_t ctorch_scatter_value(
    ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, double value, ctorch_tensor **result
);
int32_t ctorch_index_add(
    ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *source, double alpha,
    ctorch_tensor **result
);
int32_t ctorch_index_copy(
    ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *source, ctorch_tensor **result
);
int32_t ctorch_cat(ctorch_tensor *const *tensors, intptr_t tensors_count, intptr_t dim, ctorch_tensor **result);
int32_t ctorch_stack(ctorch_tensor *const *tensors, intptr_t tensors_count, intptr_t dim, ctorch_tensor **result);
int32_t ctorch_chunk(
    ctorch_tensor *self_, intptr_t chunks, intptr_t dim, ctorch_tensor ***results, intptr_t *results_count
);
int32_t ctorch_split_with_sizes(
    ctorch_tensor *self_, const intptr_t *split_sizes, intptr_t split_sizes_count, intptr_t dim,
    ctorch_tensor ***results, intptr_t *results_count
);
int32_t ctorch_unbind_int(ctorch_tensor *self_, intptr_t dim, ctorch_tensor ***results, intptr_t *results_count);
int32_t ctorch_flip(ctorch_tensor *self_, const intptr_t *dims, intptr_t dims_count, ctorch_tensor **result);
int32_t ctorch_roll(
    ctorch_tensor *self_, const intptr_t *shifts, intptr_t shifts_count, const intptr_t *dims, intptr_t dims_count,
    ctorch_tensor **result
);
int32_t ctorch_tril(ctorch_tensor *self_, intptr_t diagonal, ctorch_tensor **result);
int32_t ctorch_triu(ctorch_tensor *self_, intptr_t diagonal, ctorch_tensor **result);
int32_t ctorch_diagonal(ctorch_tensor *self_, intptr_t offset, intptr_t dim1, intptr_t dim2, ctorch_tensor **result);
int32_t ctorch_constant_pad_nd(
    ctorch_tensor *self_, const intptr_t *pad, intptr_t pad_count, double value, ctorch_tensor **result
);
int32_t ctorch_unfold(ctorch_tensor *self_, intptr_t dimension, intptr_t size, intptr_t step, ctorch_tensor **result);
int32_t ctorch_diag_embed(ctorch_tensor *self_, intptr_t offset, ctorch_tensor **result);
int32_t ctorch_one_hot(ctorch_tensor *self_, intptr_t num_classes, ctorch_tensor **result);
int32_t ctorch_clone(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_detach(ctorch_tensor *self_, ctorch_tensor **result);

// Reduction
int32_t ctorch_sum(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_sum_dim_IntList(
    ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result
);
int32_t ctorch_mean(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_mean_dim(
    ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result
);
int32_t ctorch_prod(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_prod_dim_int(ctorch_tensor *self_, intptr_t dim, bool keepdim, ctorch_tensor **result);
int32_t ctorch_var_dim(
    ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool unbiased, bool keepdim, ctorch_tensor **result
);
int32_t ctorch_std_dim(
    ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool unbiased, bool keepdim, ctorch_tensor **result
);
int32_t ctorch_max(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_min(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_max_dim(
    ctorch_tensor *self_, intptr_t dim, bool keepdim, ctorch_tensor **result0, ctorch_tensor **result1
);
int32_t ctorch_min_dim(
    ctorch_tensor *self_, intptr_t dim, bool keepdim, ctorch_tensor **result0, ctorch_tensor **result1
);
int32_t ctorch_amax(ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result);
int32_t ctorch_amin(ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result);
int32_t ctorch_argmax(ctorch_tensor *self_, intptr_t dim, bool has_dim, bool keepdim, ctorch_tensor **result);
int32_t ctorch_argmin(ctorch_tensor *self_, intptr_t dim, bool has_dim, bool keepdim, ctorch_tensor **result);
int32_t ctorch_any(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_any_dim(ctorch_tensor *self_, intptr_t dim, bool keepdim, ctorch_tensor **result);
int32_t ctorch_all(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_all_dim(ctorch_tensor *self_, intptr_t dim, bool keepdim, ctorch_tensor **result);
int32_t ctorch_cumsum(ctorch_tensor *self_, intptr_t dim, ctorch_tensor **result);
int32_t ctorch_linalg_vector_norm(
    ctorch_tensor *self_, double ord, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result
);
int32_t ctorch_logsumexp(
    ctorch_tensor *self_, const intptr_t *dim, intptr_t dim_count, bool keepdim, ctorch_tensor **result
);
int32_t ctorch_softmax_int(ctorch_tensor *self_, intptr_t dim, ctorch_tensor **result);
int32_t ctorch_log_softmax_int(ctorch_tensor *self_, intptr_t dim, ctorch_tensor **result);
int32_t ctorch_sort_stable(
    ctorch_tensor *self_, intptr_t dim, bool descending, ctorch_tensor **result0, ctorch_tensor **result1
);
int32_t ctorch_argsort_stable(ctorch_tensor *self_, intptr_t dim, bool descending, ctorch_tensor **result);
int32_t ctorch_topk(
    ctorch_tensor *self_, intptr_t k_, intptr_t dim, bool largest, ctorch_tensor **result0, ctorch_tensor **result1
);
int32_t ctorch_bincount(ctorch_tensor *self_, ctorch_tensor *weights, intptr_t minlength, ctorch_tensor **result);
int32_t ctorch_unique2(ctorch_tensor *self_, ctorch_tensor **result0, ctorch_tensor **result1, ctorch_tensor **result2);

// LinearAlgebra
int32_t ctorch_matmul(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_linear(ctorch_tensor *input, ctorch_tensor *weight, ctorch_tensor *bias, ctorch_tensor **result);
int32_t ctorch_addmm(
    ctorch_tensor *self_, ctorch_tensor *mat1, ctorch_tensor *mat2, double beta, double alpha, ctorch_tensor **result
);
int32_t ctorch_baddbmm(
    ctorch_tensor *self_, ctorch_tensor *batch1, ctorch_tensor *batch2, double beta, double alpha,
    ctorch_tensor **result
);
int32_t ctorch_outer(ctorch_tensor *self_, ctorch_tensor *vec2, ctorch_tensor **result);
int32_t ctorch_linalg_qr(ctorch_tensor *A, ctorch_tensor **result0, ctorch_tensor **result1);
int32_t ctorch_cdist(ctorch_tensor *x1, ctorch_tensor *x2, double p_, ctorch_tensor **result);
int32_t ctorch_cosine_similarity(ctorch_tensor *x1, ctorch_tensor *x2, intptr_t dim, double eps, ctorch_tensor **result);

// Neural
int32_t ctorch_embedding(ctorch_tensor *weight, ctorch_tensor *indices, ctorch_tensor **result);
int32_t ctorch_layer_norm(
    ctorch_tensor *input, const intptr_t *normalized_shape, intptr_t normalized_shape_count, ctorch_tensor *weight,
    ctorch_tensor *bias, double eps, ctorch_tensor **result
);
int32_t ctorch_rms_norm(
    ctorch_tensor *input, const intptr_t *normalized_shape, intptr_t normalized_shape_count, ctorch_tensor *weight,
    double eps, bool has_eps, ctorch_tensor **result
);
int32_t ctorch_batch_norm(
    ctorch_tensor *input, ctorch_tensor *weight, ctorch_tensor *bias, ctorch_tensor *running_mean,
    ctorch_tensor *running_var, bool training, double momentum, double eps, ctorch_tensor **result
);
int32_t ctorch_group_norm(
    ctorch_tensor *input, intptr_t num_groups, ctorch_tensor *weight, ctorch_tensor *bias, double eps,
    ctorch_tensor **result
);
int32_t ctorch_conv1d(
    ctorch_tensor *input, ctorch_tensor *weight, ctorch_tensor *bias, const intptr_t *stride, intptr_t stride_count,
    const intptr_t *padding, intptr_t padding_count, const intptr_t *dilation, intptr_t dilation_count, intptr_t groups,
    ctorch_tensor **result
);
int32_t ctorch_conv2d(
    ctorch_tensor *input, ctorch_tensor *weight, ctorch_tensor *bias, const intptr_t *stride, intptr_t stride_count,
    const intptr_t *padding, intptr_t padding_count, const intptr_t *dilation, intptr_t dilation_count, intptr_t groups,
    ctorch_tensor **result
);
int32_t ctorch_conv_transpose2d_input(
    ctorch_tensor *input, ctorch_tensor *weight, ctorch_tensor *bias, const intptr_t *stride, intptr_t stride_count,
    const intptr_t *padding, intptr_t padding_count, const intptr_t *output_padding, intptr_t output_padding_count,
    intptr_t groups, const intptr_t *dilation, intptr_t dilation_count, ctorch_tensor **result
);
int32_t ctorch_avg_pool2d(
    ctorch_tensor *self_, const intptr_t *kernel_size, intptr_t kernel_size_count, const intptr_t *stride,
    intptr_t stride_count, const intptr_t *padding, intptr_t padding_count, bool ceil_mode, bool count_include_pad,
    ctorch_tensor **result
);
int32_t ctorch_max_pool2d(
    ctorch_tensor *self_, const intptr_t *kernel_size, intptr_t kernel_size_count, const intptr_t *stride,
    intptr_t stride_count, const intptr_t *padding, intptr_t padding_count, const intptr_t *dilation,
    intptr_t dilation_count, bool ceil_mode, ctorch_tensor **result
);
int32_t ctorch_adaptive_avg_pool2d(
    ctorch_tensor *self_, const intptr_t *output_size, intptr_t output_size_count, ctorch_tensor **result
);
int32_t ctorch_scaled_dot_product_attention(
    ctorch_tensor *query, ctorch_tensor *key, ctorch_tensor *value, ctorch_tensor *attn_mask, double dropout_p,
    bool is_causal, double scale, bool has_scale, ctorch_tensor **result
);
int32_t ctorch_cross_entropy_loss(
    ctorch_tensor *self_, ctorch_tensor *target, ctorch_tensor *weight, intptr_t reduction, intptr_t ignore_index,
    double label_smoothing, ctorch_tensor **result
);
int32_t ctorch_nll_loss(
    ctorch_tensor *self_, ctorch_tensor *target, ctorch_tensor *weight, intptr_t reduction, intptr_t ignore_index,
    ctorch_tensor **result
);
int32_t ctorch_binary_cross_entropy_with_logits(
    ctorch_tensor *self_, ctorch_tensor *target, ctorch_tensor *weight, ctorch_tensor *pos_weight, intptr_t reduction,
    ctorch_tensor **result
);
int32_t ctorch_mse_loss(ctorch_tensor *self_, ctorch_tensor *target, intptr_t reduction, ctorch_tensor **result);
int32_t ctorch_smooth_l1_loss(
    ctorch_tensor *self_, ctorch_tensor *target, intptr_t reduction, double beta, ctorch_tensor **result
);
int32_t ctorch_kl_div(
    ctorch_tensor *self_, ctorch_tensor *target, intptr_t reduction, bool log_target, ctorch_tensor **result
);
int32_t ctorch_fft_rfft(ctorch_tensor *self_, intptr_t n_, bool has_n_, intptr_t dim, ctorch_tensor **result);
int32_t ctorch_fft_irfft(ctorch_tensor *self_, intptr_t n_, bool has_n_, intptr_t dim, ctorch_tensor **result);
int32_t ctorch_view_as_real(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_view_as_complex(ctorch_tensor *self_, ctorch_tensor **result);

// InPlace
int32_t ctorch_copy_(ctorch_tensor *self_, ctorch_tensor *src);
int32_t ctorch_fill__Scalar(ctorch_tensor *self_, double value);
int32_t ctorch_zero_(ctorch_tensor *self_);
int32_t ctorch_add__Tensor(ctorch_tensor *self_, ctorch_tensor *other, double alpha);
int32_t ctorch_add__Scalar(ctorch_tensor *self_, double other);
int32_t ctorch_mul__Scalar(ctorch_tensor *self_, double other);
int32_t ctorch_mul__Tensor(ctorch_tensor *self_, ctorch_tensor *other);
int32_t ctorch_exp_(ctorch_tensor *self_);
int32_t ctorch_addmm_(ctorch_tensor *self_, ctorch_tensor *mat1, ctorch_tensor *mat2, double beta, double alpha);
int32_t ctorch_div__Tensor(ctorch_tensor *self_, ctorch_tensor *other);
int32_t ctorch_clamp_(ctorch_tensor *self_, double min, bool has_min, double max, bool has_max);
int32_t ctorch_lerp__Scalar(ctorch_tensor *self_, ctorch_tensor *end, double weight);
int32_t ctorch_addcmul_(ctorch_tensor *self_, ctorch_tensor *tensor1, ctorch_tensor *tensor2, double value);
int32_t ctorch_addcdiv_(ctorch_tensor *self_, ctorch_tensor *tensor1, ctorch_tensor *tensor2, double value);
int32_t ctorch_masked_fill__Scalar(ctorch_tensor *self_, ctorch_tensor *mask, double value);
int32_t ctorch_index_add_(ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *source, double alpha);
int32_t ctorch_index_copy_(ctorch_tensor *self_, intptr_t dim, ctorch_tensor *index, ctorch_tensor *source);
int32_t ctorch_normal_(ctorch_tensor *self_, double mean, double std, ctorch_generator *generator);
int32_t ctorch_uniform_(ctorch_tensor *self_, double from_, double to, ctorch_generator *generator);
int32_t ctorch_bernoulli__float(ctorch_tensor *self_, double p_, ctorch_generator *generator);

// Creation
int32_t ctorch_zeros(
    const intptr_t *size, intptr_t size_count, int32_t dtype, ctorch_device device, ctorch_tensor **result
);
int32_t ctorch_ones(
    const intptr_t *size, intptr_t size_count, int32_t dtype, ctorch_device device, ctorch_tensor **result
);
int32_t ctorch_full(
    const intptr_t *size, intptr_t size_count, double fill_value, int32_t dtype, ctorch_device device,
    ctorch_tensor **result
);
int32_t ctorch_empty_memory_format(
    const intptr_t *size, intptr_t size_count, int32_t dtype, ctorch_device device, ctorch_tensor **result
);
int32_t ctorch_arange_start_step(
    double start, double end, double step, int32_t dtype, ctorch_device device, ctorch_tensor **result
);
int32_t ctorch_arange(double end, int32_t dtype, ctorch_device device, ctorch_tensor **result);
int32_t ctorch_linspace(
    double start, double end, intptr_t steps, int32_t dtype, ctorch_device device, ctorch_tensor **result
);
int32_t ctorch_eye(intptr_t n_, int32_t dtype, ctorch_device device, ctorch_tensor **result);
int32_t ctorch_zeros_like(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_ones_like(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_empty_like(ctorch_tensor *self_, ctorch_tensor **result);
int32_t ctorch_randperm_generator(
    intptr_t n_, ctorch_generator *generator, int32_t dtype, ctorch_device device, ctorch_tensor **result
);
int32_t ctorch_hann_window_periodic(
    intptr_t window_length, bool periodic, int32_t dtype, ctorch_device device, ctorch_tensor **result
);

// Operator
int32_t ctorch_add_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_sub_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_sub_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_rsub_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_mul_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_mul_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);
int32_t ctorch_div_Tensor(ctorch_tensor *self_, ctorch_tensor *other, ctorch_tensor **result);
int32_t ctorch_div_Scalar(ctorch_tensor *self_, double other, ctorch_tensor **result);

#ifdef __cplusplus
}
#endif
