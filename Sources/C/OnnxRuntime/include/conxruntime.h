// The C seam to ONNX Runtime. The library is opened at run time, so that no release of it is linked, and serving needs
// no header of it.
//
// Rules for every function of the seam: it is named `cort_…` and throws nothing. Those that can fail return a status and
// write a text to `message`, which the caller frees with `free`; results go through pointers, and are untouched on
// failure. Functions borrow their arguments. All but `cort_session_close` may be called from several threads at once.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cort_runtime cort_runtime;
typedef struct cort_session cort_session;

/// What a function returns. Those below 100 are ONNX Runtime's own; others of them mean a failure without a name here.
enum {
  CORT_OK = 0,
  CORT_FAILED = 1,
  CORT_INVALID_ARGUMENT = 2,
  CORT_NO_SUCH_FILE = 3,
  CORT_INVALID_PROTOBUF = 7,
  CORT_NOT_IMPLEMENTED = 9,
  CORT_INVALID_GRAPH = 10,
  /// The file is no library of this machine, or lacks something that it needs.
  CORT_NOT_LOADABLE = 100,
  /// A library, but not ONNX Runtime.
  CORT_NOT_ONNX_RUNTIME = 101,
  /// Older than `CORT_MINIMUM_API`, or its table of functions is not there.
  CORT_TOO_OLD = 102,
  CORT_OUT_OF_MEMORY = 103,
  CORT_UNSUPPORTED_VALUE = 104,
};

/// The version of the table of functions that is asked for, which is the minor number of the oldest release that will
/// do. Each release keeps the tables of those before it.
enum { CORT_MINIMUM_API = 18 };

/// No tensor of the seam has more axes.
enum { CORT_MAXIMUM_RANK = 8 };

/// Whether a release such as `1.32.0` has that table.
bool cort_is_new_enough(const char *version);

/// The folder where the package's set-up puts the library, as known when this was compiled; NULL when it was not.
const char *cort_setup_folder(void);

/// Opens the library at `path` and starts its environment, which logs nothing. It stays for the life of the process:
/// ONNX Runtime does not promise to survive being unloaded.
int32_t cort_open(const char *path, cort_runtime **runtime, char **message);

/// The release, such as `1.32.0`.
const char *cort_version(const cort_runtime *runtime);

/// Whether the data files of models are read into memory. Where that is not known how (other systems than Linux), ONNX
/// Runtime maps them, and they must not change while a session is open.
bool cort_reads_data_files(const cort_runtime *runtime);

typedef struct {
  /// How many threads one run uses, the caller's among them.
  int32_t threads;
  /// 0 none, 1 basic, 2 extended, 99 all.
  int32_t graph_optimization;
  /// Keep memory of earlier runs for later ones.
  bool uses_memory_arena;
  /// Plan memory once for each combination of shapes, and keep the plans.
  bool uses_memory_patterns;
  /// Let idle threads spin for a while instead of sleeping.
  bool spins;
  /// Processors of each thread but the caller's, `1,2;3,4`, counted from 1; NULL leaves that to the system.
  const char *affinities;
} cort_session_options;

/// A tensor that a model takes or gives.
typedef struct {
  const char *name;
  /// An element type of ONNX; 0 when it is no tensor.
  int32_t element_type;
  /// 0 also when the model does not say.
  size_t rank;
  /// -1 where the length is free.
  const int64_t *dimensions;
  /// Names of free lengths; empty where there is none.
  const char *const *symbols;
} cort_value_info;

/// Texts that a model carries. None is NULL.
typedef struct {
  const char *producer;
  const char *graph;
  const char *description;
  int64_t version;
  size_t entry_count;
  const char *const *keys;
  const char *const *values;
} cort_metadata;

/// Reads the model at `path`, and data files beside it.
int32_t cort_session_open(
    const cort_runtime *runtime, const char *path, const cort_session_options *options, cort_session **session,
    char **message);
/// Reads a model from memory, which is not needed afterwards. Data files are not read.
int32_t cort_session_open_bytes(
    const cort_runtime *runtime, const void *bytes, size_t count, const cort_session_options *options,
    cort_session **session, char **message);
/// To be called once, when no run of the session is under way. Takes NULL.
void cort_session_close(cort_session *session);

size_t cort_session_input_count(const cort_session *session);
size_t cort_session_output_count(const cort_session *session);
/// These live as long as the session.
const cort_value_info *cort_session_input(const cort_session *session, size_t index);
const cort_value_info *cort_session_output(const cort_session *session, size_t index);
const cort_metadata *cort_session_metadata(const cort_session *session);

/// A dense tensor in row-major order.
typedef struct {
  void *data;
  size_t byte_count;
  int32_t element_type;
  size_t rank;
  int64_t shape[CORT_MAXIMUM_RANK];
  /// What holds `data`: NULL for the caller's memory, otherwise to be given to `cort_release`.
  void *owner;
} cort_tensor;

/// Runs a session.
///
/// An output whose `data` is not NULL is written there, and its type, shape and length must be right; the others are
/// filled in, with an `owner`. On failure nothing is to be released.
int32_t cort_run(
    const cort_session *session, const char *const *input_names, const cort_tensor *inputs, size_t input_count, const char *const *output_names, cort_tensor *outputs,
    size_t output_count, char **message);

/// Releases the memory of an output. Takes NULL.
void cort_release(const cort_runtime *runtime, void *owner);

#ifdef __cplusplus
}
#endif
