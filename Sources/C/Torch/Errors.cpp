#include <c10/util/Exception.h>

#include <cstdlib>
#include <new>
#include <string>

#include "errors.h"

namespace {
thread_local std::string last_error;
thread_local ctorch_thread_state thread_state = {nullptr, nullptr};

int32_t keep(int32_t status, const char *message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
  return status;
}
}  // namespace

namespace ctorch {

int32_t capture_exception() noexcept {
  try {
    throw;
  } catch (const UndefinedOperand &) {
    return keep(CTORCH_UNDEFINED, "an operand is the undefined tensor");
  } catch (const ProcessGroupFailure &error) {
    return keep(CTORCH_PROCESS_GROUP, error.what());
  } catch (const c10::IndexError &error) {
    return keep(CTORCH_INDEX, error.what_without_backtrace());
  } catch (const c10::OutOfMemoryError &error) {
    return keep(CTORCH_OUT_OF_MEMORY, error.what_without_backtrace());
  } catch (const c10::NotImplementedError &error) {
    return keep(CTORCH_NOT_IMPLEMENTED, error.what_without_backtrace());
  } catch (const c10::AcceleratorError &error) {
    return keep(CTORCH_DEVICE, error.what_without_backtrace());
  } catch (const c10::Error &error) {
    return keep(CTORCH_INVALID_ARGUMENT, error.what_without_backtrace());
  } catch (const std::bad_alloc &error) {
    return keep(CTORCH_OUT_OF_MEMORY, error.what());
  } catch (const std::exception &error) {
    return keep(CTORCH_OTHER, error.what());
  } catch (...) {
    return keep(CTORCH_OTHER, "an unknown C++ exception");
  }
}

}  // namespace ctorch

const char *ctorch_last_error(void) { return last_error.c_str(); }
ctorch_thread_state *ctorch_this_thread(void) { return &thread_state; }
void ctorch_free(void *memory) { std::free(memory); }
