#include "internal.h"

#include <ATen/Context.h>
#include <ATen/CPUGeneratorImpl.h>

using namespace ctorch;

static at::Generator &generator(ctorch_generator *handle) { return *reinterpret_cast<at::Generator *>(handle); }

int32_t ctorch_generator_create(ctorch_device target, uint64_t seed, ctorch_generator **result) {
  return guarded([&] {
    const auto on = device(target);
    auto created = on.is_cpu() ? at::make_generator<at::CPUGeneratorImpl>(seed)
                               : at::globalContext().getAcceleratorHooksInterface(on.type()).getNewGenerator(on.index());
    created.set_current_seed(seed);
    *result = reinterpret_cast<ctorch_generator *>(new at::Generator(std::move(created)));
  });
}

void ctorch_generator_release(ctorch_generator *handle) { delete reinterpret_cast<at::Generator *>(handle); }

int32_t ctorch_generator_seed(ctorch_generator *handle, uint64_t seed) {
  return guarded([&] {
    std::lock_guard<std::mutex> lock(generator(handle).mutex());
    generator(handle).set_current_seed(seed);
  });
}

int32_t ctorch_generator_state(ctorch_generator *handle, ctorch_tensor **result) {
  return guarded([&] {
    std::lock_guard<std::mutex> lock(generator(handle).mutex());
    give(generator(handle).get_state(), result);
  });
}

int32_t ctorch_generator_set_state(ctorch_generator *handle, ctorch_tensor *state) {
  return guarded([&] {
    std::lock_guard<std::mutex> lock(generator(handle).mutex());
    generator(handle).set_state(In(state));
  });
}
