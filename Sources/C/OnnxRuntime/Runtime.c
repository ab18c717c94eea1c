#include "functions.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

int32_t cort_fail(int32_t code, const char *text, char **message) {
  *message = strdup(text);
  return code;
}

int32_t cort_finish(const cort_runtime *runtime, OrtStatus *status, char **message) {
  if (!status) return CORT_OK;
  int32_t code = runtime->call.GetErrorCode(status);
  cort_fail(code, runtime->call.GetErrorMessage(status), message);
  runtime->call.ReleaseStatus(status);
  return code == CORT_OK ? CORT_FAILED : code;
}

const char *cort_setup_folder(void) {
#ifdef CONCORD_ONNXRUNTIME_FOLDER
  return CONCORD_ONNXRUNTIME_FOLDER;
#else
  return NULL;
#endif
}

bool cort_is_new_enough(const char *version) {
  char *end = NULL;
  const long major = strtol(version, &end, 10);
  if (major != 1 || *end != '.') return major > 1;
  return strtol(end + 1, NULL, 10) >= CORT_MINIMUM_API;
}

static int32_t start(cort_runtime *runtime, char **message) {
  // Log level 4, fatal: what goes wrong comes back as a status, and ONNX Runtime would also print it.
  int32_t code = cort_finish(runtime, runtime->call.CreateEnv(4, "concord", &runtime->environment), message);
  if (code == CORT_OK)
    code = cort_finish(runtime, runtime->call.GetAllocatorWithDefaultOptions(&runtime->allocator), message);
  if (code == CORT_OK) // Allocator 1 is the arena, memory 0 the default one.
    code = cort_finish(runtime, runtime->call.CreateCpuMemoryInfo(1, 0, &runtime->processor_memory), message);
  if (code != CORT_OK && runtime->environment) runtime->call.ReleaseEnv(runtime->environment);
  return code;
}

int32_t cort_open(const char *path, cort_runtime **result, char **message) {
  // Local: libtorch in the same process has its own protobuf.
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    return cort_fail(CORT_NOT_LOADABLE, reason ? reason : "it cannot be loaded", message);
  }
  const OrtApiBase *(*get_base)(void) = (const OrtApiBase *(*)(void))dlsym(library, "OrtGetApiBase");
  const OrtApiBase *base = get_base ? get_base() : NULL;
  if (!base) {
    dlclose(library);
    return cort_fail(CORT_NOT_ONNX_RUNTIME, "it has no OrtGetApiBase", message);
  }
  const char *version = base->get_version();
  // An older release that is asked for the table prints a line.
  void *const *table = cort_is_new_enough(version) ? base->get_api(CORT_MINIMUM_API) : NULL;
  if (!table) {
    cort_fail(CORT_TOO_OLD, version, message);
    dlclose(library);
    return CORT_TOO_OLD;
  }
  cort_runtime *runtime = calloc(1, sizeof(cort_runtime));
  if (!runtime) return cort_fail(CORT_OUT_OF_MEMORY, "no memory", message);
  runtime->version = version;
#define CORT_FILL(place, result, name, parameters) runtime->call.name = (result(*) parameters)table[place];
  CORT_FUNCTIONS(CORT_FILL)
#undef CORT_FILL
  runtime->reads_data_files = cort_read_data_files(library);
  const int32_t code = start(runtime, message);
  if (code != CORT_OK) {
    free(runtime);
    return code;
  }
  *result = runtime;
  return CORT_OK;
}

const char *cort_version(const cort_runtime *runtime) { return runtime->version; }
bool cort_reads_data_files(const cort_runtime *runtime) { return runtime->reads_data_files; }

