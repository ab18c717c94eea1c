#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/api/include/torch/version.h>

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <utility>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "internal.h"
#include "product.h"

using namespace ctorch;

const char *ctorch_version(void) { return TORCH_VERSION; }

int32_t ctorch_thread_count(void) { return at::get_num_threads(); }
int32_t ctorch_set_thread_count(int32_t count) {
  return guarded([&] { at::set_num_threads(count); });
}

bool ctorch_has_cuda(void) { return at::globalContext().hasCUDA() && ctorch_cuda_device_count() > 0; }
bool ctorch_has_mps(void) { return at::globalContext().hasMPS(); }

int32_t ctorch_cuda_device_count(void) {
  int32_t count = 0;
  guarded([&] {
    if (at::globalContext().hasCUDA()) count = at::detail::getCUDAHooks().deviceCount();
  });
  return count;
}

char *ctorch_cuda_device_name(int32_t index) {
  // The library of the CUDA build is loaded already; its own name for a device is in the driver API.
  using Get = int (*)(int *, int);
  using Name = int (*)(char *, int, int);
  const auto get = reinterpret_cast<Get>(dlsym(RTLD_DEFAULT, "cuDeviceGet"));
  const auto name = reinterpret_cast<Name>(dlsym(RTLD_DEFAULT, "cuDeviceGetName"));
  char text[256] = "CUDA device";
  int device = 0;
  if (get && name && get(&device, index) == 0) name(text, sizeof(text), device);
  return strdup(text);
}

char *ctorch_cpu_capability(void) { return strdup(at::get_cpu_capability().c_str()); }

static bool hasFastBFloat16() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool avx512 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 5));
  const bool amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & (1u << 22));
  return avx512 || amx;
#elif defined(__ARM_FEATURE_BF16) || defined(__APPLE__)
  return true;
#else
  return false;
#endif
}

static bool hasFastFloat16() {
#if defined(__x86_64__)
  // AVX512-FP16. Processors with AMX-FP16 have it, too.
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & (1u << 23));
#elif defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC) || defined(__APPLE__)
  return true;
#else
  return false;
#endif
}

bool ctorch_has_fast_products(int32_t type) {
  static const bool bfloat16 = hasFastBFloat16(), float16 = hasFastFloat16();
  switch (dtype(type)) {
    case at::kBFloat16: return bfloat16;
    case at::kHalf: return float16;
    default: return true;
  }
}

static thread_local bool emulatesProducts = false;

bool ctorch_set_emulates_products(bool enabled) { return std::exchange(emulatesProducts, enabled); }

namespace ctorch {

std::optional<at::ScalarType> emulatedType() {
  if (!at::autocast::is_autocast_enabled(at::kCPU)) return std::nullopt;
  const at::ScalarType type = at::autocast::get_autocast_dtype(at::kCPU);
  const bool isFast = ctorch_has_fast_products(static_cast<int32_t>(type)) && !emulatesProducts;
  return isFast ? std::nullopt : std::optional(type);
}

}  // namespace ctorch
