#include "session.h"
#include <stdlib.h>
#include <string.h>

/// Hands a failure on to the caller of the function that this stands in.
#define TRY(expression)                                                                                                \
  do {                                                                                                                 \
    const int32_t code = (expression);                                                                                 \
    if (code != CORT_OK) return code;                                                                                  \
  } while (0)

static int32_t no_memory(char **message) { return cort_fail(CORT_OUT_OF_MEMORY, "no memory", message); }

// --- Options ---

static int32_t apply(
    const cort_runtime *runtime, OrtSessionOptions *handle, const cort_session_options *options, char **message) {
  const cort_functions *call = &runtime->call;
  const char *spinning = options->spins ? "1" : "0";
  TRY(cort_finish(runtime, call->SetIntraOpNumThreads(handle, options->threads), message));
  // Nodes run one after another: a tower is a chain.
  TRY(cort_finish(runtime, call->SetInterOpNumThreads(handle, 1), message));
  TRY(cort_finish(runtime, call->SetSessionGraphOptimizationLevel(handle, options->graph_optimization), message));
  TRY(cort_finish(
      runtime, options->uses_memory_arena ? call->EnableCpuMemArena(handle) : call->DisableCpuMemArena(handle),
      message));
  TRY(cort_finish(
      runtime, options->uses_memory_patterns ? call->EnableMemPattern(handle) : call->DisableMemPattern(handle),
      message));
  TRY(cort_finish(
      runtime, call->AddSessionConfigEntry(handle, "session.intra_op.allow_spinning", spinning), message));
  TRY(cort_finish(
      runtime, call->AddSessionConfigEntry(handle, "session.inter_op.allow_spinning", spinning), message));
  if (options->affinities)
    TRY(cort_finish(
        runtime, call->AddSessionConfigEntry(handle, "session.intra_op_thread_affinities", options->affinities),
        message));
  return CORT_OK;
}

// --- Descriptions ---

/// Copies a text that ONNX Runtime allocated, and frees it.
static int32_t take(const cort_runtime *runtime, char *text, const char **result, char **message) {
  char *copy = strdup(text ? text : "");
  if (text) TRY(cort_finish(runtime, runtime->call.AllocatorFree(runtime->allocator, text), message));
  *result = copy;
  return copy ? CORT_OK : no_memory(message);
}

static int32_t describe_shape(
    const cort_runtime *runtime, const OrtTensorInfo *tensor, cort_value_info *info, char **message) {
  const cort_functions *call = &runtime->call;
  int element_type = 0;
  TRY(cort_finish(runtime, call->GetTensorElementType(tensor, &element_type), message));
  TRY(cort_finish(runtime, call->GetDimensionsCount(tensor, &info->rank), message));
  info->element_type = element_type;
  if (info->rank == 0) return CORT_OK;
  int64_t *dimensions = calloc(info->rank, sizeof(int64_t));
  const char **symbols = calloc(info->rank, sizeof(char *));
  info->dimensions = dimensions;
  info->symbols = symbols;
  if (!dimensions || !symbols) return no_memory(message);
  TRY(cort_finish(runtime, call->GetDimensions(tensor, dimensions, info->rank), message));
  OrtStatus *status = call->GetSymbolicDimensions(tensor, symbols, info->rank);
  // The names belong to ONNX Runtime.
  for (size_t axis = 0; axis < info->rank; ++axis) symbols[axis] = strdup(symbols[axis] ? symbols[axis] : "");
  TRY(cort_finish(runtime, status, message));
  for (size_t axis = 0; axis < info->rank; ++axis)
    if (!symbols[axis]) return no_memory(message);
  return CORT_OK;
}

static int32_t describe(
    const cort_session *session, bool is_input, size_t index, cort_value_info *info, char **message) {
  const cort_runtime *runtime = session->runtime;
  const cort_functions *call = &runtime->call;
  char *name = NULL;
  OrtTypeInfo *type = NULL;
  TRY(cort_finish(
      runtime,
      (is_input ? call->SessionGetInputName : call->SessionGetOutputName)(
          session->handle, index, runtime->allocator, &name),
      message));
  TRY(take(runtime, name, &info->name, message));
  TRY(cort_finish(
      runtime,
      (is_input ? call->SessionGetInputTypeInfo : call->SessionGetOutputTypeInfo)(session->handle, index, &type),
      message));
  const OrtTensorInfo *tensor = NULL; // Belongs to `type`; stays NULL for sequences and maps.
  int32_t code = cort_finish(runtime, call->CastTypeInfoToTensorInfo(type, &tensor), message);
  if (code == CORT_OK && tensor) code = describe_shape(runtime, tensor, info, message);
  call->ReleaseTypeInfo(type);
  return code;
}

static int32_t describe_all(cort_session *session, bool is_input, char **message) {
  const cort_functions *call = &session->runtime->call;
  size_t count = 0;
  TRY(cort_finish(
      session->runtime,
      (is_input ? call->SessionGetInputCount : call->SessionGetOutputCount)(session->handle, &count), message));
  cort_value_info *infos = calloc(count + 1, sizeof(cort_value_info));
  if (!infos) return no_memory(message);
  *(is_input ? &session->inputs : &session->outputs) = infos;
  *(is_input ? &session->input_count : &session->output_count) = count;
  for (size_t index = 0; index < count; ++index) TRY(describe(session, is_input, index, infos + index, message));
  return CORT_OK;
}

static int32_t read_entries(
    const cort_runtime *runtime, const OrtModelMetadata *handle, cort_metadata *metadata, char **message) {
  const cort_functions *call = &runtime->call;
  char **keys = NULL;
  int64_t count = 0;
  TRY(cort_finish(
      runtime, call->ModelMetadataGetCustomMetadataMapKeys(handle, runtime->allocator, &keys, &count), message));
  if (count <= 0 || !keys) return CORT_OK;
  const char **own_keys = calloc((size_t)count, sizeof(char *));
  const char **values = calloc((size_t)count, sizeof(char *));
  metadata->keys = own_keys;
  metadata->values = values;
  metadata->entry_count = own_keys && values ? (size_t)count : 0;
  int32_t code = own_keys && values ? CORT_OK : no_memory(message);
  for (int64_t index = 0; index < count; ++index) {
    char *value = NULL;
    if (code == CORT_OK)
      code = cort_finish(
          runtime, call->ModelMetadataLookupCustomMetadataMap(handle, runtime->allocator, keys[index], &value),
          message);
    if (code == CORT_OK) code = take(runtime, value, values + index, message);
    if (code == CORT_OK) {
      code = take(runtime, keys[index], own_keys + index, message);
    } else { // What is left of the list is freed all the same.
      OrtStatus *status = call->AllocatorFree(runtime->allocator, keys[index]);
      if (status) call->ReleaseStatus(status);
    }
  }
  OrtStatus *status = call->AllocatorFree(runtime->allocator, keys);
  if (status) call->ReleaseStatus(status);
  return code;
}

static int32_t read_metadata(
    const cort_runtime *runtime, const OrtModelMetadata *handle, cort_metadata *metadata, char **message) {
  const cort_functions *call = &runtime->call;
  char *text = NULL;
  TRY(cort_finish(runtime, call->ModelMetadataGetProducerName(handle, runtime->allocator, &text), message));
  TRY(take(runtime, text, &metadata->producer, message));
  TRY(cort_finish(runtime, call->ModelMetadataGetGraphName(handle, runtime->allocator, &text), message));
  TRY(take(runtime, text, &metadata->graph, message));
  TRY(cort_finish(runtime, call->ModelMetadataGetDescription(handle, runtime->allocator, &text), message));
  TRY(take(runtime, text, &metadata->description, message));
  TRY(cort_finish(runtime, call->ModelMetadataGetVersion(handle, &metadata->version), message));
  return read_entries(runtime, handle, metadata, message);
}

static int32_t describe_model(cort_session *session, char **message) {
  const cort_runtime *runtime = session->runtime;
  TRY(describe_all(session, true, message));
  TRY(describe_all(session, false, message));
  OrtModelMetadata *handle = NULL;
  TRY(cort_finish(runtime, runtime->call.SessionGetModelMetadata(session->handle, &handle), message));
  const int32_t code = read_metadata(runtime, handle, &session->metadata, message);
  runtime->call.ReleaseModelMetadata(handle);
  return code;
}

// --- Opening and closing ---

/// Opens the model at `path`, or the one in memory when `path` is NULL.
static int32_t open_session(
    const cort_runtime *runtime, const char *path, const void *bytes, size_t count,
    const cort_session_options *options, cort_session **result, char **message) {
  const cort_functions *call = &runtime->call;
  cort_session *session = calloc(1, sizeof(cort_session));
  if (!session) return no_memory(message);
  session->runtime = runtime;
  OrtSessionOptions *handle = NULL;
  int32_t code = cort_finish(runtime, call->CreateSessionOptions(&handle), message);
  if (code == CORT_OK) code = apply(runtime, handle, options, message);
  if (code == CORT_OK)
    code = cort_finish(
        runtime,
        path ? call->CreateSession(runtime->environment, path, handle, &session->handle)
             : call->CreateSessionFromArray(runtime->environment, bytes, count, handle, &session->handle),
        message);
  if (code == CORT_OK) code = describe_model(session, message);
  call->ReleaseSessionOptions(handle);
  if (code == CORT_OK)
    *result = session;
  else
    cort_session_close(session);
  return code;
}

int32_t cort_session_open(
    const cort_runtime *runtime, const char *path, const cort_session_options *options, cort_session **session,
    char **message) {
  return open_session(runtime, path, NULL, 0, options, session, message);
}

int32_t cort_session_open_bytes(
    const cort_runtime *runtime, const void *bytes, size_t count, const cort_session_options *options,
    cort_session **session, char **message) {
  return open_session(runtime, NULL, bytes, count, options, session, message);
}

static void free_texts(const char *const *texts, size_t count) {
  if (!texts) return;
  for (size_t index = 0; index < count; ++index) free((void *)texts[index]);
  free((void *)texts);
}

static void free_infos(cort_value_info *infos, size_t count) {
  if (!infos) return;
  for (size_t index = 0; index < count; ++index) {
    free((void *)infos[index].name);
    free((void *)infos[index].dimensions);
    free_texts(infos[index].symbols, infos[index].rank);
  }
  free(infos);
}

void cort_session_close(cort_session *session) {
  if (!session) return;
  session->runtime->call.ReleaseSession(session->handle);
  free_infos(session->inputs, session->input_count);
  free_infos(session->outputs, session->output_count);
  free((void *)session->metadata.producer);
  free((void *)session->metadata.graph);
  free((void *)session->metadata.description);
  free_texts(session->metadata.keys, session->metadata.entry_count);
  free_texts(session->metadata.values, session->metadata.entry_count);
  free(session);
}

size_t cort_session_input_count(const cort_session *session) { return session->input_count; }
size_t cort_session_output_count(const cort_session *session) { return session->output_count; }
const cort_value_info *cort_session_input(const cort_session *session, size_t index) {
  return session->inputs + index;
}
const cort_value_info *cort_session_output(const cort_session *session, size_t index) {
  return session->outputs + index;
}
const cort_metadata *cort_session_metadata(const cort_session *session) { return &session->metadata; }
