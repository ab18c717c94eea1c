// The C seam to KissFFT, which in double precision is a C++ template only: the logarithms of a sound's mel spectrum, many
// frames a call. No function lets an exception out.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  /// Points of the transform: even, and its half has no prime factor but 2, 3 and 5.
  int32_t points;
  /// Samples of a frame, at most `points`; zeros follow. Samples from one frame to the next.
  int32_t frame, hop;
  /// Whether a frame's mean is taken from it, and the part of each sample's predecessor that is.
  bool removes_mean;
  double pre_emphasis;
  /// What a frame is multiplied by, [frame].
  const double *window;
  /// Of each mel band, [bands]: the first of its spectral lines, their number, and their weights, one band's after the
  /// other's.
  int32_t bands;
  const int32_t *first, *count;
  const double *weights;
  /// The smallest energy of a band, a normal number above 0; what natural logarithms are multiplied by.
  double floor, scale;
} ckissfft_settings;

/// Tables for one kind of spectrum. They do not change, so all threads may use them at once.
typedef struct ckissfft_plan ckissfft_plan;

/// Copies the settings. NULL where memory is short.
ckissfft_plan *ckissfft_make(const ckissfft_settings *settings);
void ckissfft_release(ckissfft_plan *plan);

/// Writes the logarithms of `frames` frames, [frames, bands]. Frame i begins at `samples[i · hop]`. The bits are the same
/// on all processors of a kind, whatever instructions they have.
void ckissfft_run(const ckissfft_plan *plan, const float *samples, int64_t frames, float *logarithms);

#ifdef __cplusplus
}
#endif
