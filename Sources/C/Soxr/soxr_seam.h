// One call of libsoxr: all of a sound of one channel, on the calling thread.
#pragma once

#include <soxr.h>
#include <stdbool.h>
#include <stddef.h>

// Resamples `count` samples with the quality that librosa calls soxr_hq. Returns how many samples it wrote into `target`,
// which holds `capacity`; negative on failure.
static inline ptrdiff_t soxr_seam_resample(
    double from, double to, const float *samples, size_t count, float *target, size_t capacity)
{
    const soxr_io_spec_t types = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    const soxr_runtime_spec_t threads = soxr_runtime_spec(1);
    size_t read = 0, written = 0;
    soxr_error_t error =
        soxr_oneshot(from, to, 1, samples, count, &read, target, capacity, &written, &types, &quality, &threads);
    return error ? -1 : (ptrdiff_t) written;
}
