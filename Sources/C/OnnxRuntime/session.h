// What a session keeps.
#pragma once
#include "functions.h"

struct cort_session {
  const cort_runtime *runtime;
  OrtSession *handle;
  size_t input_count, output_count;
  cort_value_info *inputs, *outputs;
  cort_metadata metadata;
};
