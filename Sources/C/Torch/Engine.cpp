// What talks to the autograd engine: backward passes, results with known gradients, and activation checkpointing.
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
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
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

/// Computes gradients anew, with a graph.
class GradientsBody {
 public:
  explicit GradientsBody(ctorch_gradients_body body) : body_(body) {}
  GradientsBody(const GradientsBody &) = delete;
  ~GradientsBody() { body_.release(body_.context); }

  std::vector<at::Tensor> run(size_t count) const {
    std::vector<ctorch_tensor *> handles(count, nullptr);
    body_.run(body_.context, handles.data(), static_cast<intptr_t>(count));
    std::vector<at::Tensor> result;
    for (ctorch_tensor *handle : handles) {
      result.push_back(retained(handle));
      ctorch_release(handle);
    }
    return result;
  }

 private:
  ctorch_gradients_body body_;
};

/// A result whose gradients were computed with it. A gradient that is itself the result of recorded operations has
/// derivatives, and so has one that can be computed anew; of any other, second derivatives are not known.
struct KnownGradients : torch::autograd::Node {
  std::vector<torch::autograd::SavedVariable> gradients;
  std::shared_ptr<GradientsBody> body;
  bool is_last = false, is_released = false;

  void will_release_variables() override { is_last = true; }
  void release_variables() override {
    gradients.clear();
    body.reset();
    is_released = true;
  }
  std::string name() const override { return "KnownGradients"; }

  torch::autograd::variable_list apply(torch::autograd::variable_list &&outputs) override {
    TORCH_CHECK(!is_released, "a second backward pass needs the graph that the first one did not retain");
    torch::autograd::variable_list results(gradients.size());
    if (!outputs[0].defined()) return results;
    const bool is_differentiable = c10::GradMode::is_enabled();
    std::vector<at::Tensor> anew;
    if (is_differentiable && body) anew = body->run(gradients.size());
    for (size_t index = 0; index < gradients.size(); ++index) {
      if (!task_should_compute_output(index)) continue;
      if (!anew.empty()) {
        if (anew[index].defined()) results[index] = anew[index] * outputs[0].to(anew[index].device());
        continue;
      }
      at::Tensor gradient = gradients[index].unpack();
      const auto factor = outputs[0].to(gradient.device());
      if (is_differentiable) {
        TORCH_CHECK(
            gradient.requires_grad(),
            "the gradients of this result were computed with it and cannot be differentiated; for second derivatives "
            "compute it another way, such as a contrastive loss by the plan dense");
        results[index] = gradient * factor;
        continue;
      }
      // Nobody else needs the memory in the last backward pass. Of larger memory a part alone is copied, so that the
      // rest can go.
      const bool is_whole = gradient.storage().nbytes() == gradient.nbytes();
      results[index] = is_last && is_whole ? gradient.mul_(factor) : gradient * factor;
      if (is_last) gradients[index].reset_data();
    }
    return results;
  }
};

}  // namespace

int32_t ctorch_known_gradients(
    ctorch_tensor *value, ctorch_tensor *const *inputs, ctorch_tensor *const *gradients, intptr_t count,
    ctorch_gradients_body body, ctorch_tensor **result) {
  // Released in any case.
  std::shared_ptr<GradientsBody> anew;
  if (body.run) anew = std::make_shared<GradientsBody>(body);
  return guarded([&] {
    const auto all = tensors(inputs, count);
    auto copy = In(value)->detach().clone();
    if (torch::autograd::compute_requires_grad(at::TensorList(all))) {
      auto node = c10::make_intrusive<KnownGradients>();
      node->body = std::move(anew);
      const auto known = tensors(gradients, count);
      for (size_t index = 0; index < all.size(); ++index) {
        TORCH_CHECK(
            all[index].sizes() == known[index].sizes(), "an input of shape ", all[index].sizes(),
            " has no gradient of shape ", known[index].sizes());
        node->gradients.emplace_back(known[index], false);
      }
      node->set_next_edges(torch::autograd::collect_next_edges(all));
      torch::autograd::set_history(copy, node);
    }
    give(std::move(copy), result);
  });
}

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
