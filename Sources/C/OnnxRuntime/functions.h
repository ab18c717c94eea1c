// The functions of ONNX Runtime that the seam calls: their places in its table, and their types.
//
// The table only ever grows at its end, so a place, once released, keeps its meaning. All that are listed exist since
// API version 10.
#pragma once
#include "conxruntime.h"

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtAllocator OrtAllocator;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtTensorInfo OrtTensorInfo;
typedef struct OrtValue OrtValue;
typedef struct OrtModelMetadata OrtModelMetadata;

/// What the one exported function, `OrtGetApiBase`, returns.
typedef struct {
  void *const *(*get_api)(uint32_t version);
  const char *(*get_version)(void);
} OrtApiBase;

/// F(place, result, name, (parameters)). A status of NULL means success; others are to be released.
#define CORT_FUNCTIONS(F)                                                                                              \
  F(1, int, GetErrorCode, (const OrtStatus *))                                                                         \
  F(2, const char *, GetErrorMessage, (const OrtStatus *))                                                             \
  F(3, OrtStatus *, CreateEnv, (int log_level, const char *log_id, OrtEnv **))                                         \
  F(7, OrtStatus *, CreateSession, (const OrtEnv *, const char *path, const OrtSessionOptions *, OrtSession **))       \
  F(8, OrtStatus *, CreateSessionFromArray,                                                                            \
    (const OrtEnv *, const void *, size_t, const OrtSessionOptions *, OrtSession **))                                  \
  F(9, OrtStatus *, Run,                                                                                               \
    (OrtSession *, const OrtRunOptions *, const char *const *, const OrtValue *const *, size_t, const char *const *,   \
     size_t, OrtValue **))                                                                                             \
  F(10, OrtStatus *, CreateSessionOptions, (OrtSessionOptions **))                                                     \
  F(16, OrtStatus *, EnableMemPattern, (OrtSessionOptions *))                                                          \
  F(17, OrtStatus *, DisableMemPattern, (OrtSessionOptions *))                                                         \
  F(18, OrtStatus *, EnableCpuMemArena, (OrtSessionOptions *))                                                         \
  F(19, OrtStatus *, DisableCpuMemArena, (OrtSessionOptions *))                                                        \
  F(23, OrtStatus *, SetSessionGraphOptimizationLevel, (OrtSessionOptions *, int))                                     \
  F(24, OrtStatus *, SetIntraOpNumThreads, (OrtSessionOptions *, int))                                                 \
  F(25, OrtStatus *, SetInterOpNumThreads, (OrtSessionOptions *, int))                                                 \
  F(30, OrtStatus *, SessionGetInputCount, (const OrtSession *, size_t *))                                             \
  F(31, OrtStatus *, SessionGetOutputCount, (const OrtSession *, size_t *))                                            \
  F(33, OrtStatus *, SessionGetInputTypeInfo, (const OrtSession *, size_t, OrtTypeInfo **))                            \
  F(34, OrtStatus *, SessionGetOutputTypeInfo, (const OrtSession *, size_t, OrtTypeInfo **))                           \
  F(36, OrtStatus *, SessionGetInputName, (const OrtSession *, size_t, OrtAllocator *, char **))                       \
  F(37, OrtStatus *, SessionGetOutputName, (const OrtSession *, size_t, OrtAllocator *, char **))                      \
  F(39, OrtStatus *, CreateRunOptions, (OrtRunOptions **))                                                             \
  F(46, OrtStatus *, RunOptionsSetTerminate, (OrtRunOptions *))                                                        \
  F(49, OrtStatus *, CreateTensorWithDataAsOrtValue,                                                                   \
    (const OrtMemoryInfo *, void *, size_t, const int64_t *, size_t, int, OrtValue **))                                \
  F(50, OrtStatus *, IsTensor, (const OrtValue *, int *))                                                              \
  F(51, OrtStatus *, GetTensorMutableData, (OrtValue *, void **))                                                      \
  F(55, OrtStatus *, CastTypeInfoToTensorInfo, (const OrtTypeInfo *, const OrtTensorInfo **))                          \
  F(60, OrtStatus *, GetTensorElementType, (const OrtTensorInfo *, int *))                                             \
  F(61, OrtStatus *, GetDimensionsCount, (const OrtTensorInfo *, size_t *))                                            \
  F(62, OrtStatus *, GetDimensions, (const OrtTensorInfo *, int64_t *, size_t))                                        \
  F(63, OrtStatus *, GetSymbolicDimensions, (const OrtTensorInfo *, const char **, size_t))                            \
  F(65, OrtStatus *, GetTensorTypeAndShape, (const OrtValue *, OrtTensorInfo **))                                      \
  F(69, OrtStatus *, CreateCpuMemoryInfo, (int allocator, int kind, OrtMemoryInfo **))                                 \
  F(76, OrtStatus *, AllocatorFree, (OrtAllocator *, void *))                                                          \
  F(78, OrtStatus *, GetAllocatorWithDefaultOptions, (OrtAllocator **))                                                \
  F(92, void, ReleaseEnv, (OrtEnv *))                                                                                  \
  F(93, void, ReleaseStatus, (OrtStatus *))                                                                            \
  F(95, void, ReleaseSession, (OrtSession *))                                                                          \
  F(96, void, ReleaseValue, (OrtValue *))                                                                              \
  F(97, void, ReleaseRunOptions, (OrtRunOptions *))                                                                    \
  F(98, void, ReleaseTypeInfo, (OrtTypeInfo *))                                                                        \
  F(99, void, ReleaseTensorTypeAndShapeInfo, (OrtTensorInfo *))                                                        \
  F(100, void, ReleaseSessionOptions, (OrtSessionOptions *))                                                           \
  F(111, OrtStatus *, SessionGetModelMetadata, (const OrtSession *, OrtModelMetadata **))                              \
  F(112, OrtStatus *, ModelMetadataGetProducerName, (const OrtModelMetadata *, OrtAllocator *, char **))               \
  F(113, OrtStatus *, ModelMetadataGetGraphName, (const OrtModelMetadata *, OrtAllocator *, char **))                  \
  F(115, OrtStatus *, ModelMetadataGetDescription, (const OrtModelMetadata *, OrtAllocator *, char **))                \
  F(116, OrtStatus *, ModelMetadataLookupCustomMetadataMap,                                                            \
    (const OrtModelMetadata *, OrtAllocator *, const char *key, char **))                                              \
  F(117, OrtStatus *, ModelMetadataGetVersion, (const OrtModelMetadata *, int64_t *))                                  \
  F(118, void, ReleaseModelMetadata, (OrtModelMetadata *))                                                             \
  F(123, OrtStatus *, ModelMetadataGetCustomMetadataMapKeys,                                                           \
    (const OrtModelMetadata *, OrtAllocator *, char ***, int64_t *))                                                   \
  F(130, OrtStatus *, AddSessionConfigEntry, (OrtSessionOptions *, const char *key, const char *value))

typedef struct {
#define CORT_DECLARE(place, result, name, parameters) result(*name) parameters;
  CORT_FUNCTIONS(CORT_DECLARE)
#undef CORT_DECLARE
} cort_functions;

struct cort_runtime {
  cort_functions call;
  const char *version;
  OrtEnv *environment;
  OrtAllocator *allocator;
  OrtMemoryInfo *processor_memory;
  /// Whether data files are read where ONNX Runtime would map them.
  bool reads_data_files;
};

/// Has a library of ONNX Runtime read data files instead of mapping them; false where that cannot be.
bool cort_read_data_files(void *library);

/// Releases a status; gives its text to `message`, and its code as the result. NULL is success.
int32_t cort_finish(const cort_runtime *runtime, OrtStatus *status, char **message);
/// Gives a copy of `text` to `message` and returns `code`.
int32_t cort_fail(int32_t code, const char *text, char **message);
