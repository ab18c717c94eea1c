// Gradients of several processes added up while the backward pass runs: libtorch's data-parallel engine, c10d::Reducer
// (Li et al. 2020, "PyTorch Distributed"). It collects gradients in buckets, and starts to reduce a bucket as soon as
// the last of its gradients is there.
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include <atomic>

#include "process_group.h"

using namespace ctorch;

namespace {

constexpr int64_t bucket_bytes = c10d::kDefaultBucketBytesCap, first_bucket_bytes = c10d::kDefaultFirstBucketBytes;

/// Adds a bucket up over all processes. The Reducer's own way divides each process's gradients by their number first,
/// which is not exact for three.
class SumHook : public c10d::CommHookInterface {
 public:
  SumHook(Group &group, bool compresses, std::atomic<int64_t> &bytes)
      : group_(group), compresses_(compresses), bytes_(bytes) {}

  c10::intrusive_ptr<Future> runHook(c10d::GradBucket &bucket) override {
    at::Tensor whole = bucket.getBuffer();
    std::vector<at::Tensor> sent = {compresses_ ? whole.to(at::kBFloat16) : whole};
    bytes_ += sent[0].nbytes();
    return group_.follow(group_.gloo->allreduce(sent), [whole, sum = sent[0]]() mutable {
      if (!sum.is_alias_of(whole)) whole.copy_(sum);
      return c10::IValue(whole);
    });
  }

  at::Tensor parseHookResult(const c10::IValue &result) override { return result.toTensor(); }

 private:
  Group &group_;
  bool compresses_;
  std::atomic<int64_t> &bytes_;
};

struct GradientReducer {
  Group &group;
  std::vector<at::Tensor> parameters;
  std::atomic<int64_t> bytes{0};
  std::unique_ptr<c10d::Reducer> reducer;
};

GradientReducer &reducer(ctorch_reducer *handle) { return *reinterpret_cast<GradientReducer *>(handle); }

/// Throws on all processes when one of them has found a difference.
void agree(Group &group, const std::string &difference) {
  std::vector<at::Tensor> first = {at::full({}, difference.empty() ? group.world_size : group.rank, at::kLong)};
  c10d::AllreduceOptions options;
  options.reduceOp = c10d::ReduceOp::MIN;
  group.wait(group.gloo->allreduce(first, options));
  const auto rank = first[0].item<int64_t>();
  if (rank == group.world_size) return;
  if (rank == group.rank) throw ProcessGroupFailure(difference);
  throw ProcessGroupFailure(
      "rank " + std::to_string(rank) + " trains parameters of another number, shape or dtype than rank 0");
}

/// Throws on all processes when one has other parameters than rank 0.
void verify(Group &group, const std::vector<at::Tensor> &parameters) {
  // The library's check throws on one alone, and does not look at dtypes.
  std::string difference;
  try {
    c10d::verify_params_across_processes(group.processes, parameters, std::nullopt);
  } catch (const c10::Error &error) {
    difference = error.what_without_backtrace();
  }
  agree(group, difference);
  std::vector<int64_t> own;
  for (const auto &parameter : parameters) own.push_back(static_cast<int64_t>(parameter.scalar_type()));
  std::vector<at::Tensor> types = {at::tensor(own, at::kLong)};
  group.wait(group.gloo->broadcast(types));
  for (size_t index = 0; index < own.size() && difference.empty(); ++index) {
    const auto theirs = static_cast<at::ScalarType>(types[0][index].item<int64_t>());
    if (theirs != parameters[index].scalar_type())
      difference = "parameter " + std::to_string(index) + " is " + toString(parameters[index].scalar_type()) +
                   ", that of rank 0 is " + toString(theirs);
  }
  agree(group, difference);
}

/// Hands the loss's gradient on, and no gradient to all parameters. A parameter that the loss does not depend on takes
/// part in the backward pass this way, and costs nothing.
struct AllParameters : torch::autograd::Node {
  std::string name() const override { return "AllParameters"; }
  torch::autograd::variable_list apply(torch::autograd::variable_list &&outputs) override {
    torch::autograd::variable_list results(num_outputs());
    results[0] = std::move(outputs[0]);
    return results;
  }
};

}  // namespace

int32_t ctorch_reducer_create(
    ctorch_process_group *handle, ctorch_tensor *const *parameters, intptr_t count, bool compresses,
    ctorch_reducer **result) {
  return guarded([&] {
    Group &processes = group(handle);
    processes.check();
    auto made = std::unique_ptr<GradientReducer>(new GradientReducer{processes, tensors(parameters, count)});
    verify(processes, made->parameters);
    auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(
        made->parameters, {size_t(first_bucket_bytes), size_t(bucket_bytes)});
    // Gradients come in about the reverse order of the parameters. The second step uses the order of the first.
    std::reverse(buckets.begin(), buckets.end());
    made->reducer = std::make_unique<c10d::Reducer>(
        made->parameters, std::move(buckets), processes.processes, std::vector<bool>(count, false), bucket_bytes,
        /*find_unused_parameters=*/false, /*gradient_as_bucket_view=*/true,
        std::unordered_map<size_t, std::string>{}, first_bucket_bytes, /*skip_all_reduce_unused_params=*/false,
        /*use_python_reducer=*/false, std::vector<int64_t>{});
    made->reducer->register_comm_hook(std::make_unique<SumHook>(processes, compresses, made->bytes));
    *result = reinterpret_cast<ctorch_reducer *>(made.release());
  });
}

void ctorch_reducer_release(ctorch_reducer *handle) { delete reinterpret_cast<GradientReducer *>(handle); }

int32_t ctorch_reducer_prepare(ctorch_reducer *handle, ctorch_tensor *loss, ctorch_tensor **result) {
  return guarded([&] {
    GradientReducer &all = reducer(handle);
    all.group.check();
    try {
      all.reducer->rebuild_buckets();
      all.reducer->prepare_for_forward();
      all.reducer->prepare_for_backward({});
    } catch (const c10::Error &error) {
      throw ProcessGroupFailure(error.what_without_backtrace());
    } catch (const std::exception &error) {
      throw ProcessGroupFailure(error.what());
    }
    all.bytes = 0;
    const at::Tensor value = retained(loss);
    auto node = c10::make_intrusive<AllParameters>();
    node->add_next_edge(torch::autograd::impl::gradient_edge(value));
    for (const auto &parameter : all.parameters)
      node->add_next_edge(torch::autograd::impl::gradient_edge(parameter));
    auto prepared = value.detach().clone();
    torch::autograd::set_history(prepared, node);
    give(std::move(prepared), result);
  });
}

int64_t ctorch_reducer_bytes(ctorch_reducer *handle) { return reducer(handle).bytes; }
