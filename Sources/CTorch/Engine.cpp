// What talks to the autograd engine: backward passes, and activation checkpointing.
//
// Checkpointing: the graph stays as it is, but what its nodes save is dropped and made again on demand.
//
// libtorch asks its engine for hooks whenever a node saves a tensor. This file installs an engine that answers inside a
// checkpointed part. In the forward pass a hook keeps only the number of the tensor. When the backward pass first asks
// for one, the body runs again with gradients on, and the tensors that its nodes save, in the same order, fill the
// slots. The gradients therefore flow through the real graph: captured parameters, several outputs and second
// derivatives need no special case.
#include "internal.h"

#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/saved_variable_hooks.h>

#include <array>
#include <memory>
#include <mutex>
#include <vector>

using namespace ctorch;

namespace {

/// The autocast settings of a thread, for the devices that the package runs on.
struct AutocastSettings {
  static constexpr std::array<at::DeviceType, 3> devices = {at::kCPU, at::kCUDA, at::kMPS};
  std::array<bool, 3> enabled;
  std::array<at::ScalarType, 3> types;

  static AutocastSettings current() {
    AutocastSettings settings;
    for (size_t index = 0; index < devices.size(); ++index) {
      settings.enabled[index] = at::autocast::is_autocast_enabled(devices[index]);
      settings.types[index] = at::autocast::get_autocast_dtype(devices[index]);
    }
    return settings;
  }
  void apply() const {
    for (size_t index = 0; index < devices.size(); ++index) {
      at::autocast::set_autocast_enabled(devices[index], enabled[index]);
      at::autocast::set_autocast_dtype(devices[index], types[index]);
    }
  }
};

class Frame;

/// The innermost frame of a thread, and whether its body runs for the first time or again.
struct Mode {
  std::shared_ptr<Frame> frame;
  bool is_replay;
};
thread_local std::vector<Mode> modes;

class Frame : public std::enable_shared_from_this<Frame> {
 public:
  explicit Frame(ctorch_checkpoint_body body) : body_(body), autocast_(AutocastSettings::current()) {}
  Frame(const Frame &) = delete;
  ~Frame() { body_.release(body_.context); }

  size_t number() { return count_++; }
  void keep(const at::Tensor &tensor) { slots_.push_back(tensor.detach()); }

  at::Tensor take(size_t index) {
    // Nodes of several devices may ask at once.
    std::lock_guard<std::mutex> lock(mutex_);
    if (index >= slots_.size() || !slots_[index].defined()) replay();
    return std::move(slots_[index]);
  }

 private:
  void replay() {
    slots_.clear();
    const bool gradient_mode = c10::GradMode::is_enabled();
    const auto autocast = AutocastSettings::current();
    c10::GradMode::set_enabled(true);
    autocast_.apply();
    at::autocast::increment_nesting();
    modes.push_back({shared_from_this(), true});
    body_.run(body_.context);
    modes.pop_back();
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    autocast.apply();
    c10::GradMode::set_enabled(gradient_mode);
    const size_t again = slots_.size();
    if (again != count_) {
      slots_.clear();
      TORCH_CHECK(
          false, "a checkpointed body saved ", count_, " tensors for the backward pass and ", again,
          " when it ran again; it must do the same operations each time");
    }
  }

  ctorch_checkpoint_body body_;
  AutocastSettings autocast_;
  size_t count_ = 0;
  std::vector<at::Tensor> slots_;
  std::mutex mutex_;
};

struct Hooks : torch::autograd::SavedVariableHooks {
  explicit Hooks(const Mode &mode) : frame(mode.frame), is_replay(mode.is_replay) {}

  void call_pack_hook(const at::Tensor &tensor) override {
    if (is_replay)
      frame->keep(tensor);
    else
      index = frame->number();
  }
  at::Tensor call_unpack_hook() override {
    TORCH_CHECK(!is_replay, "the graph of a recomputation has no backward pass");
    return frame->take(index);
  }

  std::shared_ptr<Frame> frame;
  bool is_replay;
  size_t index = 0;
};

struct CheckpointEngine : torch::autograd::Engine {
  std::unique_ptr<torch::autograd::SavedVariableHooks> get_default_saved_variable_hooks() override {
    if (modes.empty()) return nullptr;
    return std::make_unique<Hooks>(modes.back());
  }
};

torch::autograd::Engine &engine() {
  // Never destroyed: worker threads may still use it when the process ends.
  static auto *engine = new CheckpointEngine();
  return *engine;
}

// Before the first use of autograd, because a process may have one engine only.
const bool is_installed = [] {
  torch::autograd::set_default_engine_stub(engine);
  return true;
}();

}  // namespace

int32_t ctorch_begin_checkpoint(ctorch_checkpoint_body body) {
  return guarded([&] { modes.push_back({std::make_shared<Frame>(body), false}); });
}

void ctorch_end_checkpoint(void) { modes.pop_back(); }

int32_t ctorch_backward(
    ctorch_tensor *const *outputs, ctorch_tensor *const *gradients, intptr_t count, bool retain_graph) {
  return guarded([&] {
    torch::autograd::backward(tensors(outputs, count), tensors(gradients, count, true), retain_graph, false);
  });
}

int32_t ctorch_gradients(
    ctorch_tensor *const *outputs, ctorch_tensor *const *gradients, intptr_t count, ctorch_tensor *const *inputs,
    intptr_t inputs_count, bool retain_graph, bool create_graph, ctorch_tensor ***results, intptr_t *results_count) {
  return guarded([&] {
    give(
        torch::autograd::grad(
            tensors(outputs, count), tensors(inputs, inputs_count), tensors(gradients, count, true),
            retain_graph || create_graph, create_graph, true),
        results, results_count);
  });
}
