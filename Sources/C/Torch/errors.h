// How the C++ files of the seam report errors.
#pragma once
#include "include/ctorch.h"

namespace ctorch {

struct UndefinedOperand {};

/// Turns the exception in flight into a status, and keeps its text for `ctorch_last_error`.
int32_t capture_exception() noexcept;

template <class Body>
int32_t guarded(Body &&body) noexcept {
  try {
    body();
    return CTORCH_OK;
  } catch (...) {
    return capture_exception();
  }
}

}  // namespace ctorch
