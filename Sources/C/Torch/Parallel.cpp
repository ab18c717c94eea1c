#include "parallel.h"

#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>

// MKL comes with libtorch on x86-64 Linux, without headers.
#if defined(__linux__) && defined(__x86_64__)
extern "C" int MKL_Set_Num_Threads_Local(int count) __attribute__((weak));

namespace {

int setProductThreads(int count) { return MKL_Set_Num_Threads_Local ? MKL_Set_Num_Threads_Local(count) : 0; }

}  // namespace
#else
namespace {

int setProductThreads(int) { return 0; }

}  // namespace
#endif

ctorch::OneThreadProducts::OneThreadProducts() : before_(setProductThreads(1)) {}

ctorch::OneThreadProducts::~OneThreadProducts() { setProductThreads(before_); }

// `at::parallel_for` is a template, which needs the OpenMP that libtorch was compiled with; loops over tensors are
// compiled in libtorch.
void ctorch::forParts(
    int64_t count, int64_t smallestPart, c10::function_ref<void(int64_t begin, int64_t end)> body
) {
  const at::Tensor places = at::empty({count}, at::kByte);
  const char *const first = static_cast<const char *>(places.const_data_ptr());
  at::TensorIterator::borrowing_nullary_op(places).for_each(
      [&](char **data, const int64_t *, int64_t length) {
        const int64_t begin = data[0] - first;
        body(begin, begin + length);
      },
      smallestPart);
}
