// The types of the C seam to libtorch.
//
// Rules for every function of the seam: it is plain C, named `ctorch_…`, throws nothing, and returns a status; results
// go through trailing pointers. A `ctorch_tensor *` owns one reference; NULL is the undefined tensor. Functions borrow
// their arguments and give their results away.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ctorch_tensor ctorch_tensor;
typedef struct ctorch_generator ctorch_generator;
typedef struct ctorch_store ctorch_store;
typedef struct ctorch_process_group ctorch_process_group;
typedef struct ctorch_reducer ctorch_reducer;

/// What a function returns. The text of a failure is in `ctorch_last_error`.
enum {
  CTORCH_OK = 0,
  CTORCH_INVALID_ARGUMENT = 1,
  CTORCH_INDEX = 2,
  CTORCH_OUT_OF_MEMORY = 3,
  CTORCH_DEVICE = 4,
  CTORCH_NOT_IMPLEMENTED = 5,
  CTORCH_OTHER = 6,
  /// An operand was the undefined tensor.
  CTORCH_UNDEFINED = 7,
  /// Another process of a group is gone, or the group has failed before.
  CTORCH_PROCESS_GROUP = 8,
};

/// `kind` is libtorch's device type: 0 CPU, 1 CUDA, 13 MPS. `index` is -1 for the current one.
typedef struct {
  int32_t kind;
  int32_t index;
} ctorch_device;
