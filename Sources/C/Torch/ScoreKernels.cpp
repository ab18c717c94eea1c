#include "score_kernels.h"

#include <ATen/Version.h>

#include <string>

using namespace ctorch;

namespace {

namespace anywhere {
#include "score_kernels_vectors.h"
}

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
namespace avx2 {
#include "score_kernels_vectors.h"
}
#pragma clang attribute pop
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
namespace avx512 {
#include "score_kernels_vectors.h"
}
#pragma clang attribute pop
#endif

template <typename Number, typename Vectors>
constexpr ScoreKernels<Number> table{
    Vectors::addMaxima, Vectors::addExponentials, Vectors::probabilities, Vectors::sigmoids};

}  // namespace

template <typename Number>
const ScoreKernels<Number> &ctorch::scoreKernels() {
  static const ScoreKernels<Number> kernels = [] {
#if defined(__x86_64__)
    const std::string capability = at::get_cpu_capability();
    if (capability == "AVX512") return table<Number, avx512::Vectors<Number, 64 / sizeof(Number)>>;
    if (capability == "AVX2") return table<Number, avx2::Vectors<Number, 32 / sizeof(Number)>>;
#endif
    return table<Number, anywhere::Vectors<Number, 16 / sizeof(Number)>>;
  }();
  return kernels;
}

template const ScoreKernels<float> &ctorch::scoreKernels<float>();
template const ScoreKernels<double> &ctorch::scoreKernels<double>();
