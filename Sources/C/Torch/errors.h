// How the C++ files of the seam report errors.
#pragma once
#include <stdexcept>

#include "include/ctorch.h"

namespace ctorch {

struct UndefinedOperand {};

/// A collective operation that failed: another process is gone, or calls something else.
struct ProcessGroupFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

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
