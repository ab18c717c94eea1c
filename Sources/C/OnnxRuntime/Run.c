#include "session.h"
#include <stdlib.h>
#include <string.h>

void cort_release(const cort_runtime *runtime, void *owner) { runtime->call.ReleaseValue(owner); }

/// Makes a value over the caller's memory.
static int32_t wrap(const cort_runtime *runtime, const cort_tensor *tensor, OrtValue **value, char **message) {
  // A tensor without elements may have no memory, but ONNX Runtime wants an address.
  static char nothing;
  return cort_finish(
      runtime,
      runtime->call.CreateTensorWithDataAsOrtValue(
          runtime->processor_memory, tensor->data ? tensor->data : &nothing, tensor->byte_count, tensor->shape,
          tensor->rank, tensor->element_type, value),
      message);
}

/// Bytes of one element; 0 for texts and types of less than a byte.
static size_t element_size(int element_type) {
  switch (element_type) {
  case 2: case 3: case 9: return 1; // uint8, int8, bool
  case 4: case 5: case 10: case 16: return 2; // uint16, int16, float16, bfloat16
  case 1: case 6: case 12: return 4; // float32, int32, uint32
  case 7: case 11: case 13: return 8; // int64, float64, uint64
  default: return 0;
  }
}

/// Fills in where a value's memory is and what it holds. The caller still owns the value.
static int32_t unwrap(const cort_runtime *runtime, OrtValue *value, cort_tensor *tensor, char **message) {
  const cort_functions *call = &runtime->call;
  int is_tensor = 0;
  int32_t code = cort_finish(runtime, call->IsTensor(value, &is_tensor), message);
  if (code != CORT_OK) return code;
  if (!is_tensor) return cort_fail(CORT_UNSUPPORTED_VALUE, "an output is not a tensor", message);
  OrtTensorInfo *info = NULL;
  code = cort_finish(runtime, call->GetTensorTypeAndShape(value, &info), message);
  if (code != CORT_OK) return code;
  int element_type = 0;
  size_t rank = 0;
  code = cort_finish(runtime, call->GetTensorElementType(info, &element_type), message);
  if (code == CORT_OK) code = cort_finish(runtime, call->GetDimensionsCount(info, &rank), message);
  if (code == CORT_OK && (rank > CORT_MAXIMUM_RANK || element_size(element_type) == 0))
    code = cort_fail(CORT_UNSUPPORTED_VALUE, "an output is of an unsupported type or has over eight axes", message);
  if (code == CORT_OK) code = cort_finish(runtime, call->GetDimensions(info, tensor->shape, rank), message);
  call->ReleaseTensorTypeAndShapeInfo(info);
  if (code == CORT_OK) code = cort_finish(runtime, call->GetTensorMutableData(value, &tensor->data), message);
  if (code != CORT_OK) return code;
  tensor->element_type = element_type;
  tensor->rank = rank;
  tensor->byte_count = element_size(element_type);
  for (size_t axis = 0; axis < rank; ++axis) tensor->byte_count *= (size_t)tensor->shape[axis];
  tensor->owner = value;
  return CORT_OK;
}

int32_t cort_run(
    const cort_session *session, const char *const *input_names, const cort_tensor *inputs, size_t input_count, const char *const *output_names, cort_tensor *outputs,
    size_t output_count, char **message) {
  const cort_runtime *runtime = session->runtime;
  const cort_functions *call = &runtime->call;
  // One list: first the inputs' values, then the outputs'.
  OrtValue **values = calloc(input_count + output_count + 1, sizeof(OrtValue *));
  cort_tensor *results = calloc(output_count + 1, sizeof(cort_tensor));
  int32_t code = values && results ? CORT_OK : cort_fail(CORT_OUT_OF_MEMORY, "no memory", message);
  for (size_t index = 0; code == CORT_OK && index < input_count; ++index)
    code = wrap(runtime, inputs + index, values + index, message);
  for (size_t index = 0; code == CORT_OK && index < output_count; ++index)
    if (outputs[index].data) code = wrap(runtime, outputs + index, values + input_count + index, message);
  if (code == CORT_OK)
    code = cort_finish(
        runtime,
        call->Run(
            session->handle, NULL, input_names,
            (const OrtValue *const *)values, input_count, output_names, output_count, values + input_count),
        message);
  for (size_t index = 0; code == CORT_OK && index < output_count; ++index)
    if (!outputs[index].data) code = unwrap(runtime, values[input_count + index], results + index, message);
  for (size_t index = 0; code == CORT_OK && index < output_count; ++index)
    if (!outputs[index].data) {
      outputs[index] = results[index];
      values[input_count + index] = NULL; // The caller's from here.
    }
  for (size_t index = 0; values && index < input_count + output_count; ++index) call->ReleaseValue(values[index]);
  free(values);
  free(results);
  return code;
}
