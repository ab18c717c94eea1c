// Groups of processes that compute together: c10d's Gloo backend, met through its TCP store.
#include "internal.h"

#include <chrono>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

using namespace ctorch;

namespace {

struct Group {
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  int32_t world_size;
};

Group &group(ctorch_process_group *handle) { return *reinterpret_cast<Group *>(handle); }

c10d::ReduceOp operation(int32_t code) {
  return code == 0 ? c10d::ReduceOp::SUM : code == 1 ? c10d::ReduceOp::MAX : c10d::ReduceOp::MIN;
}

}  // namespace

int32_t ctorch_process_group_create(
    const char *host, uint16_t port, int32_t rank, int32_t world_size, int64_t timeout,
    ctorch_process_group **result) {
  return guarded([&] {
    const std::chrono::milliseconds limit(timeout);
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = rank == 0;
    options.numWorkers = world_size;
    options.timeout = limit;
    auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
    auto settings = c10d::ProcessGroupGloo::Options::create(limit);
    // The interface on which the meeting place is reached is the one that the others can reach, too.
    const std::string name(host);
    const bool is_loopback = name == "localhost" || name == "::1" || name.rfind("127.", 0) == 0;
    settings->devices.push_back(
        is_loopback ? c10d::ProcessGroupGloo::createDeviceForHostname(name)
                    : c10d::ProcessGroupGloo::createDefaultDevice());
    auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, world_size, settings);
    *result = reinterpret_cast<ctorch_process_group *>(new Group{std::move(gloo), world_size});
  });
}

void ctorch_process_group_release(ctorch_process_group *handle) { delete reinterpret_cast<Group *>(handle); }

int32_t ctorch_all_reduce(ctorch_process_group *handle, ctorch_tensor *tensor, int32_t code) {
  return guarded([&] {
    std::vector<at::Tensor> list = {retained(tensor)};
    c10d::AllreduceOptions options;
    options.reduceOp = operation(code);
    group(handle).gloo->allreduce(list, options)->wait();
  });
}

int32_t ctorch_all_gather(
    ctorch_process_group *handle, ctorch_tensor *tensor, ctorch_tensor ***results, intptr_t *results_count) {
  return guarded([&] {
    std::vector<at::Tensor> inputs = {In(tensor)->contiguous()};
    std::vector<std::vector<at::Tensor>> outputs(1);
    for (int32_t rank = 0; rank < group(handle).world_size; ++rank) outputs[0].push_back(at::empty_like(inputs[0]));
    group(handle).gloo->allgather(outputs, inputs)->wait();
    give(std::move(outputs[0]), results, results_count);
  });
}

int32_t ctorch_broadcast(ctorch_process_group *handle, ctorch_tensor *tensor, int32_t root) {
  return guarded([&] {
    std::vector<at::Tensor> list = {retained(tensor)};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    group(handle).gloo->broadcast(list, options)->wait();
  });
}
