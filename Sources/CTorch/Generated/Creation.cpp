// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
#include "../internal.h"

#include <ATen/ops/arange_ops.h>
#include <ATen/ops/empty_like_ops.h>
#include <ATen/ops/empty_ops.h>
#include <ATen/ops/eye_ops.h>
#include <ATen/ops/full_ops.h>
#include <ATen/ops/hann_window_ops.h>
#include <ATen/ops/linspace_ops.h>
#include <ATen/ops/ones_like_ops.h>
#include <ATen/ops/ones_ops.h>
#include <ATen/ops/randperm_ops.h>
#include <ATen/ops/zeros_like_ops.h>
#include <ATen/ops/zeros_ops.h>

using namespace ctorch;

int32_t ctorch_zeros(
    const intptr_t *size, intptr_t size_count, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::zeros::call(
    symInts(size, size_count), ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}

int32_t ctorch_ones(
    const intptr_t *size, intptr_t size_count, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::ones::call(
    symInts(size, size_count), ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}

int32_t ctorch_full(
    const intptr_t *size, intptr_t size_count, double fill_value, int32_t dtype, ctorch_device device,
    ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::full::call(
    symInts(size, size_count), scalar(fill_value), ctorch::dtype(dtype), std::nullopt, ctorch::device(device),
    std::nullopt
), result);
  });
}

int32_t ctorch_empty_memory_format(
    const intptr_t *size, intptr_t size_count, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::empty_memory_format::call(
    symInts(size, size_count), ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt, std::nullopt
), result);
  });
}

int32_t ctorch_arange_start_step(
    double start, double end, double step, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::arange_start_step::call(
    scalar(start), scalar(end), scalar(step), ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}

int32_t ctorch_linspace(
    double start, double end, intptr_t steps, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::linspace::call(
    scalar(start), scalar(end), steps, ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}

int32_t ctorch_eye(intptr_t n_, int32_t dtype, ctorch_device device, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::eye::call(n_, ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt), result);
  });
}

int32_t ctorch_zeros_like(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::zeros_like::call(In(self_), std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt), result);
  });
}

int32_t ctorch_ones_like(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::ones_like::call(In(self_), std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt), result);
  });
}

int32_t ctorch_empty_like(ctorch_tensor *self_, ctorch_tensor **result) {
  return guarded([&] {
    give(at::_ops::empty_like::call(In(self_), std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt), result);
  });
}

int32_t ctorch_randperm_generator(
    intptr_t n_, ctorch_generator *generator, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::randperm_generator::call(
    n_, InGenerator(generator), ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}

int32_t ctorch_hann_window_periodic(
    intptr_t window_length, bool periodic, int32_t dtype, ctorch_device device, ctorch_tensor **result
) {
  return guarded([&] {
    give(at::_ops::hann_window_periodic::call(
    window_length, periodic, ctorch::dtype(dtype), std::nullopt, ctorch::device(device), std::nullopt
), result);
  });
}
