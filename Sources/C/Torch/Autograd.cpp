#include "internal.h"

#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

using namespace ctorch;

bool ctorch_requires_gradient(ctorch_tensor *tensor) { return tensor && implementation(tensor)->requires_grad(); }

bool ctorch_is_leaf(ctorch_tensor *tensor) { return tensor && In(tensor)->is_leaf(); }

int32_t ctorch_set_requires_gradient(ctorch_tensor *tensor, bool requires_gradient) {
  return guarded([&] { In(tensor)->set_requires_grad(requires_gradient); });
}

int32_t ctorch_gradient(ctorch_tensor *tensor, ctorch_tensor **result) {
  return guarded([&] { give(at::Tensor(In(tensor)->grad()), result); });
}

int32_t ctorch_set_gradient(ctorch_tensor *tensor, ctorch_tensor *gradient) {
  return guarded([&] {
    In self(tensor);
    if (gradient) {
      In value(gradient);
      TORCH_CHECK(
          value->sizes() == self->sizes(), "a gradient of shape ", value->sizes(), " cannot be set on a tensor of shape ",
          self->sizes());
      TORCH_CHECK(
          value->device() == self->device(), "a gradient on ", value->device(), " cannot be set on a tensor on ",
          self->device());
    }
    self->mutable_grad() = retained(gradient);
  });
}

bool ctorch_set_gradient_mode(bool enabled) {
  const bool previous = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(enabled);
  return previous;
}

bool ctorch_gradient_mode(void) { return c10::GradMode::is_enabled(); }

void *ctorch_begin_inference_mode(void) { return new c10::InferenceMode(true); }
void ctorch_end_inference_mode(void *guard) { delete static_cast<c10::InferenceMode *>(guard); }

ctorch_autocast_state ctorch_begin_autocast(int32_t device_kind, int32_t type, bool enabled) {
  const auto device_type = static_cast<at::DeviceType>(device_kind);
  const ctorch_autocast_state previous = {
      device_kind, static_cast<int32_t>(at::autocast::get_autocast_dtype(device_type)),
      at::autocast::is_autocast_enabled(device_type)};
  at::autocast::set_autocast_dtype(device_type, dtype(type));
  at::autocast::set_autocast_enabled(device_type, enabled);
  at::autocast::increment_nesting();
  return previous;
}

void ctorch_end_autocast(ctorch_autocast_state previous) {
  const auto device_type = static_cast<at::DeviceType>(previous.device_kind);
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_dtype(device_type, dtype(previous.dtype));
  at::autocast::set_autocast_enabled(device_type, previous.enabled);
}
