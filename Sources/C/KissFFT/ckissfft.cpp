#include "ckissfft.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numeric>
#include <utility>
#include <vector>

// With it, results would depend on whether a processor can multiply and add in one step.
#pragma clang fp contract(off)

struct ckissfft_plan {
  explicit ckissfft_plan(const ckissfft_settings &settings)
      : points(settings.points),
        frame(settings.frame),
        hop(settings.hop),
        removesMean(settings.removes_mean),
        preEmphasis(settings.pre_emphasis),
        window(settings.window, settings.window + settings.frame),
        bands(settings.bands),
        first(settings.first, settings.first + settings.bands),
        count(settings.count, settings.count + settings.bands),
        weights(settings.weights, settings.weights + std::accumulate(count.begin(), count.end(), int64_t(0))),
        floor(settings.floor),
        scale(settings.scale) {}
  virtual ~ckissfft_plan() = default;
  /// Without memory for a few frames it ends the program, as Swift does.
  virtual void run(const float *samples, int64_t frames, float *logarithms) const noexcept = 0;

 protected:
  const int points, frame, hop;
  const bool removesMean;
  const double preEmphasis;
  const std::vector<double> window;
  const int bands;
  const std::vector<int32_t> first, count;
  const std::vector<double> weights;
  const double floor, scale;
};

#define INSTRUCTIONS anywhere
#define LANES 2
#include "mel_kernel.h"
#undef INSTRUCTIONS
#undef LANES

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define INSTRUCTIONS avx2
#define LANES 4
#include "mel_kernel.h"
#undef INSTRUCTIONS
#undef LANES
#pragma clang attribute pop
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2"))), apply_to = function)
#define INSTRUCTIONS avx512
#define LANES 8
#include "mel_kernel.h"
#undef INSTRUCTIONS
#undef LANES
#pragma clang attribute pop
#endif

ckissfft_plan *ckissfft_make(const ckissfft_settings *settings) {
  try {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
      return new avx512::Plan(*settings);
    if (__builtin_cpu_supports("avx2")) return new avx2::Plan(*settings);
#endif
    return new anywhere::Plan(*settings);
  } catch (...) {
    return nullptr;
  }
}

void ckissfft_release(ckissfft_plan *plan) { delete plan; }

void ckissfft_run(const ckissfft_plan *plan, const float *samples, int64_t frames, float *logarithms) {
  plan->run(samples, frames, logarithms);
}
