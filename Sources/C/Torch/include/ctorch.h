// The C seam to libtorch: everything that is not in the table of operations.
#pragma once
#include "Generated/operations.h"
#include "ctorch_types.h"

#ifdef __cplusplus
extern "C" {
#endif

// Errors and thread state

/// The text of this thread's last failure, without a backtrace. Valid until the next failure on this thread.
const char *ctorch_last_error(void);

/// Pointers that belong to the calling thread. Swift keeps its recorder and error scope here, because its own
/// task-local values cost more than a small operation.
typedef struct {
  void *recorder;
  void *error_scope;
} ctorch_thread_state;
ctorch_thread_state *ctorch_this_thread(void);

/// Frees memory that a function of the seam allocated (arrays of results, strings).
void ctorch_free(void *memory);

// Tensors. Those without a status cannot fail; the undefined tensor has rank 0, no elements and dtype -1.

void ctorch_release(ctorch_tensor *tensor);
ctorch_tensor *ctorch_retain(ctorch_tensor *tensor);
intptr_t ctorch_rank(ctorch_tensor *tensor);
/// Writes `ctorch_rank` numbers.
void ctorch_sizes(ctorch_tensor *tensor, intptr_t *sizes);
intptr_t ctorch_size(ctorch_tensor *tensor, intptr_t axis);
intptr_t ctorch_count(ctorch_tensor *tensor);
int32_t ctorch_dtype(ctorch_tensor *tensor);
ctorch_device ctorch_device_of(ctorch_tensor *tensor);
bool ctorch_is_contiguous(ctorch_tensor *tensor);
/// Whether both tensors use the same memory.
bool ctorch_is_alias(ctorch_tensor *first, ctorch_tensor *second);
int32_t ctorch_item(ctorch_tensor *tensor, double *value);
int32_t ctorch_item_int(ctorch_tensor *tensor, int64_t *value);
int32_t ctorch_copy_bytes(
    const void *bytes, const intptr_t *sizes, intptr_t rank, int32_t dtype, ctorch_device device,
    ctorch_tensor **result);
/// Wraps CPU memory that stays valid until `release(owner)` is called.
int32_t ctorch_borrow_bytes(
    const void *bytes, const intptr_t *sizes, intptr_t rank, int32_t dtype, void *owner, void (*release)(void *owner),
    ctorch_tensor **result);
/// The first element of a CPU tensor.
int32_t ctorch_data(ctorch_tensor *tensor, void **data);
int32_t ctorch_to(
    ctorch_tensor *tensor, ctorch_device device, int32_t dtype, bool non_blocking, ctorch_tensor **result);
/// A readable print of the elements; free it.
int32_t ctorch_describe(ctorch_tensor *tensor, char **text);

// Operations whose arguments do not fit the table

int32_t ctorch_gelu(ctorch_tensor *self, bool tanh_approximation, ctorch_tensor **result);
int32_t ctorch_einsum(
    const char *equation, ctorch_tensor *const *tensors, intptr_t tensors_count, ctorch_tensor **result);
/// `mode` is 0 nearest, 1 bilinear, 2 bicubic.
int32_t ctorch_interpolate(
    ctorch_tensor *self, intptr_t height, intptr_t width, int32_t mode, bool align_corners, bool antialias,
    ctorch_tensor **result);
int32_t ctorch_stft(
    ctorch_tensor *self, intptr_t size, intptr_t hop, ctorch_tensor *window, bool center, bool reflect,
    ctorch_tensor **result);
/// Elements addressed by index tensors, one for each leading axis; NULL takes a whole axis.
int32_t ctorch_index(
    ctorch_tensor *self, ctorch_tensor *const *indices, intptr_t indices_count, ctorch_tensor **result);
/// Calls any operation by its schema name through libtorch's dispatcher. Tags of arguments: 0 none, 1 tensor,
/// 2 tensor list, 3 int, 4 double, 5 bool, 6 int list, 7 string.
typedef struct {
  int32_t tag;
  intptr_t integer;
  double real;
  ctorch_tensor *tensor;
  ctorch_tensor *const *tensors;
  const intptr_t *integers;
  const char *text;
  intptr_t count;
} ctorch_value;
int32_t ctorch_call_operator(
    const char *name, const char *overload, const ctorch_value *arguments, intptr_t arguments_count,
    ctorch_tensor ***results, intptr_t *results_count);

// Autograd

bool ctorch_requires_gradient(ctorch_tensor *tensor);
int32_t ctorch_set_requires_gradient(ctorch_tensor *tensor, bool requires_gradient);
bool ctorch_is_leaf(ctorch_tensor *tensor);
int32_t ctorch_gradient(ctorch_tensor *tensor, ctorch_tensor **result);
int32_t ctorch_set_gradient(ctorch_tensor *tensor, ctorch_tensor *gradient);
int32_t ctorch_backward(
    ctorch_tensor *const *outputs, ctorch_tensor *const *gradients, intptr_t count, bool retain_graph);
/// Unused inputs get NULL.
int32_t ctorch_gradients(
    ctorch_tensor *const *outputs, ctorch_tensor *const *gradients, intptr_t count, ctorch_tensor *const *inputs,
    intptr_t inputs_count, bool retain_graph, bool create_graph, ctorch_tensor ***results, intptr_t *results_count);

/// What computes gradients anew, as functions of the inputs, for derivatives of higher order: `run` puts `count` of them
/// into `gradients`, NULL for none. `context` is released once no graph needs it.
typedef struct {
  void *context;
  void (*run)(void *context, ctorch_tensor **gradients, intptr_t count);
  void (*release)(void *context);
} ctorch_gradients_body;
/// A copy of `value` `[]` with these gradients with respect to the inputs, of which it takes over the memory. `body` is
/// all 0 where there is none.
int32_t ctorch_known_gradients(
    ctorch_tensor *value, ctorch_tensor *const *inputs, ctorch_tensor *const *gradients, intptr_t count,
    ctorch_gradients_body body, ctorch_tensor **result);

/// Set the mode of this thread and return the old one.
bool ctorch_set_gradient_mode(bool enabled);
bool ctorch_gradient_mode(void);
void *ctorch_begin_inference_mode(void);
void ctorch_end_inference_mode(void *guard);

typedef struct {
  int32_t device_kind;
  int32_t dtype;
  bool enabled;
} ctorch_autocast_state;
/// Returns the state to give back to `ctorch_end_autocast`.
ctorch_autocast_state ctorch_begin_autocast(int32_t device_kind, int32_t dtype, bool enabled);
/// The outermost scope also drops the cache of cast weights.
void ctorch_end_autocast(ctorch_autocast_state previous);

/// What recomputes a checkpointed part of the graph. `context` is released once no graph needs it.
typedef struct {
  void *context;
  void (*run)(void *context);
  void (*release)(void *context);
} ctorch_checkpoint_body;
/// Between begin and end, tensors that operations save for the backward pass are replaced by a note of their number, and
/// made again by `body` when the backward pass asks for the first of them.
int32_t ctorch_begin_checkpoint(ctorch_checkpoint_body body);
void ctorch_end_checkpoint(void);

// Random numbers

int32_t ctorch_generator_create(ctorch_device device, uint64_t seed, ctorch_generator **result);
void ctorch_generator_release(ctorch_generator *generator);
int32_t ctorch_generator_seed(ctorch_generator *generator, uint64_t seed);
int32_t ctorch_generator_state(ctorch_generator *generator, ctorch_tensor **result);
int32_t ctorch_generator_set_state(ctorch_generator *generator, ctorch_tensor *state);

// Groups of processes: c10d with Gloo

/// A table of texts that several processes share, kept by the one that is the server. `timeout`, in milliseconds, is for
/// reaching it. Calls lock the store, and wait for an answer without end.
int32_t ctorch_store_create(
    const char *host, uint16_t port, bool is_server, const char *prefix, int64_t timeout, ctorch_store **result);
void ctorch_store_release(ctorch_store *store);
int32_t ctorch_store_set(ctorch_store *store, const char *key, const char *value);
/// Adds to a number, which is 0 at first, and returns the sum.
int32_t ctorch_store_add(ctorch_store *store, const char *key, int64_t amount, int64_t *result);
/// Replaces the text, or the absence of one where `expected` is empty, and returns what is there then; free it.
int32_t ctorch_store_exchange(
    ctorch_store *store, const char *key, const char *expected, const char *desired, char **result);
int32_t ctorch_store_has(ctorch_store *store, const char *key, bool *result);
/// The texts of keys that are all there; free each.
int32_t ctorch_store_get(ctorch_store *store, const char *const *keys, intptr_t count, char **results);

/// Connects the processes that have met at the store, within `timeout` milliseconds. Later calls wait without end, until
/// a connection breaks or the group fails; they then return `CTORCH_PROCESS_GROUP`.
int32_t ctorch_process_group_create(
    ctorch_store *store, const char *host, int32_t rank, int32_t world_size, int64_t timeout,
    ctorch_process_group **result);
/// A group that has failed may still wait in threads of its own; it has to be left alone.
void ctorch_process_group_release(ctorch_process_group *group);
/// Ends with this reason what waits for other processes in any thread, and all later calls.
void ctorch_process_group_fail(ctorch_process_group *group, const char *reason);
/// In place. `operation` is 0 sum, 1 maximum, 2 minimum.
int32_t ctorch_all_reduce(ctorch_process_group *group, ctorch_tensor *tensor, int32_t operation);
/// The tensor of every rank, in order of ranks; all must have the same shape and dtype.
int32_t ctorch_all_gather(
    ctorch_process_group *group, ctorch_tensor *tensor, ctorch_tensor ***results, intptr_t *results_count);
/// Overwrites the tensor with that of rank `root`.
int32_t ctorch_broadcast(ctorch_process_group *group, ctorch_tensor *tensor, int32_t root);

/// Sums gradients of these leaves over the group during backward passes; all processes have the same. `compresses` sends
/// them as bfloat16.
int32_t ctorch_reducer_create(
    ctorch_process_group *group, ctorch_tensor *const *parameters, intptr_t count, bool compresses,
    ctorch_reducer **result);
void ctorch_reducer_release(ctorch_reducer *reducer);
/// A copy of `loss` whose backward pass, the next one, ends with summed gradients in all parameters.
int32_t ctorch_reducer_prepare(ctorch_reducer *reducer, ctorch_tensor *loss, ctorch_tensor **result);
/// The bytes of the gradients that were handed over for summation since.
int64_t ctorch_reducer_bytes(ctorch_reducer *reducer);

// Scores of all pairs of rows and columns on the CPU, float32 or float64. `own` is the column that matches the first row,
// `scale` multiplies inner products, and `block_rows` is the most rows that a thread works on at a time.

/// The logits of the matching pairs; the largest of all others and the sum of their exponentials relative to it, of rows
/// and of columns; and logits to give to `ctorch_score_gradients`, if `keeps`.
int32_t ctorch_score_statistics(
    ctorch_tensor *rows, ctorch_tensor *columns, intptr_t own, double scale, intptr_t block_rows, bool keeps,
    ctorch_tensor ***results, intptr_t *count);
/// The gradients where that of a logit is `factor` times the sum of its softmaxes in row and column, and times `matched`
/// for the matching pairs.
int32_t ctorch_score_gradients(
    ctorch_tensor *rows, ctorch_tensor *columns, intptr_t own, double scale, intptr_t block_rows, ctorch_tensor *kept,
    ctorch_tensor *row_maxima, ctorch_tensor *row_inverse_sums, ctorch_tensor *column_maxima,
    ctorch_tensor *column_inverse_sums, ctorch_tensor *matched, double factor, ctorch_tensor **row_gradient,
    ctorch_tensor **column_gradient);
/// Of `-log σ(±(logit + bias))`, + for the matching pairs: the sum and its derivative by the bias, float64 `[2]`; and,
/// if needed, the gradients of rows and columns times `factor`.
int32_t ctorch_sigmoid_scores(
    ctorch_tensor *rows, ctorch_tensor *columns, intptr_t own, double scale, intptr_t block_rows, double bias,
    double factor, bool needs_gradients, ctorch_tensor **sums, ctorch_tensor **row_gradient,
    ctorch_tensor **column_gradient);
/// Of each float32 row the farthest or nearest column of a mask of positives and of one of negatives, bool
/// `[rows, columns]`: int64 `[rows, 1]`, the first of equally far ones, -1 where there is none. Distances are Euclidean,
/// or their squares, computed in float64 and compared in float32.
int32_t ctorch_extreme_columns(
    ctorch_tensor *rows, ctorch_tensor *columns, bool are_squared, ctorch_tensor *positives, bool farthest_positive,
    ctorch_tensor *negatives, bool farthest_negative, ctorch_tensor **positive, ctorch_tensor **negative);

// Kernels of optimizers

int32_t ctorch_fused_adamw(
    ctorch_tensor *const *parameters, ctorch_tensor *const *gradients, ctorch_tensor *const *first_moments,
    ctorch_tensor *const *second_moments, ctorch_tensor *const *steps, intptr_t count, double learning_rate,
    double beta1, double beta2, double weight_decay, double epsilon);
int32_t ctorch_foreach_norm(
    ctorch_tensor *const *tensors, intptr_t count, double p, ctorch_tensor ***results, intptr_t *results_count);
int32_t ctorch_foreach_multiply(ctorch_tensor *const *tensors, intptr_t count, double factor);
int32_t ctorch_foreach_lerp(
    ctorch_tensor *const *tensors, ctorch_tensor *const *ends, intptr_t count, double weight);
/// In place. `found` becomes 1 where a gradient is not finite, and stays as it is otherwise.
int32_t ctorch_unscale_gradients(
    ctorch_tensor *const *gradients, intptr_t count, ctorch_tensor *inverse_scale, ctorch_tensor *found);
int32_t ctorch_update_scale(
    ctorch_tensor *scale, ctorch_tensor *growth_tracker, ctorch_tensor *found, double growth_factor,
    double backoff_factor, int64_t growth_interval);

// The runtime

const char *ctorch_version(void);
int32_t ctorch_thread_count(void);
int32_t ctorch_set_thread_count(int32_t count);
bool ctorch_has_cuda(void);
bool ctorch_has_mps(void);
int32_t ctorch_cuda_device_count(void);
/// Strings to free.
char *ctorch_cuda_device_name(int32_t index);
char *ctorch_cpu_capability(void);
/// Whether the CPU has instructions for products of a type; true for other types than bfloat16 and float16.
bool ctorch_has_fast_products(int32_t dtype);
/// Whether this thread computes as a CPU without such instructions does. Returns what was set before.
bool ctorch_set_emulates_products(bool enabled);

#ifdef __cplusplus
}
#endif
