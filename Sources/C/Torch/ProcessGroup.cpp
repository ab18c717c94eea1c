// Groups of processes that compute together: c10d's Gloo backend, met through its TCP store.
#include <c10/util/Logging.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "process_group.h"

using namespace ctorch;

namespace {

using StorePointer = c10::intrusive_ptr<c10d::Store>;

StorePointer &store(ctorch_store *handle) { return *reinterpret_cast<StorePointer *>(handle); }

/// As long as a process can run: Gloo's own limit, which nobody shall reach.
constexpr std::chrono::milliseconds endless = std::chrono::hours(24 * 365);

c10d::ReduceOp operation(int32_t code) {
  return code == 0 ? c10d::ReduceOp::SUM : code == 1 ? c10d::ReduceOp::MAX : c10d::ReduceOp::MIN;
}

std::exception_ptr failure(std::exception_ptr cause) {
  try {
    std::rethrow_exception(cause);
  } catch (const c10::Error &error) {
    return std::make_exception_ptr(ProcessGroupFailure(error.what_without_backtrace()));
  } catch (const std::exception &error) {
    return std::make_exception_ptr(ProcessGroupFailure(error.what()));
  }
}

}  // namespace

// The group

c10::intrusive_ptr<Future> ctorch::Group::follow(
    const c10::intrusive_ptr<c10d::Work> &work, std::function<c10::IValue()> finish) {
  auto result = c10::make_intrusive<Future>(c10::AnyType::get());
  Waiting::iterator place;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (has_failed_) {
      result->setError(std::make_exception_ptr(ProcessGroupFailure(failure_)));
      return result;
    }
    place = waiting_.insert(waiting_.end(), result);
  }
  work->getFuture()->addCallback([this, place, work, finish = std::move(finish)](Future &done) {
    c10::intrusive_ptr<Future> result;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (has_failed_) return;  // `fail` has ended it.
      result = std::move(*place);
      waiting_.erase(place);
    }
    if (done.hasError()) {
      result->setError(failure(done.exception_ptr()));
      return;
    }
    try {
      result->markCompleted(finish());
    } catch (...) {
      result->setError(failure(std::current_exception()));
    }
  });
  return result;
}

void ctorch::Group::fail(const std::string &reason) {
  Waiting ended;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (has_failed_) return;
    has_failed_ = true;
    failure_ = reason;
    ended.swap(waiting_);
  }
  for (const auto &result : ended) result->setError(std::make_exception_ptr(ProcessGroupFailure(reason)));
}

void ctorch::Group::check() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (has_failed_) throw ProcessGroupFailure(failure_);
}

int32_t ctorch_process_group_create(
    ctorch_store *meeting, const char *host, int32_t rank, int32_t world_size, int64_t timeout,
    ctorch_process_group **result) {
  return guarded([&] {
    auto settings = c10d::ProcessGroupGloo::Options::create(std::chrono::milliseconds(timeout));
    // The interface on which the meeting place is reached is the one that the others can reach, too.
    const std::string name(host);
    const bool is_loopback = name == "localhost" || name == "::1" || name.rfind("127.", 0) == 0;
    settings->devices.push_back(
        is_loopback ? c10d::ProcessGroupGloo::createDeviceForHostname(name)
                    : c10d::ProcessGroupGloo::createDefaultDevice());
    auto group = std::make_unique<Group>(rank, world_size);
    group->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store(meeting), rank, world_size, settings);
    group->gloo->setTimeout(endless);
    group->processes = c10::make_intrusive<c10d::ProcessGroup>(store(meeting), rank, world_size);
    group->processes->setBackend(c10::kCPU, c10d::ProcessGroup::BackendType::GLOO, group->gloo);
    group->processes->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
    *result = reinterpret_cast<ctorch_process_group *>(group.release());
  });
}

void ctorch_process_group_release(ctorch_process_group *handle) { delete reinterpret_cast<Group *>(handle); }

void ctorch_process_group_fail(ctorch_process_group *handle, const char *reason) { group(handle).fail(reason); }

int32_t ctorch_all_reduce(ctorch_process_group *handle, ctorch_tensor *tensor, int32_t code) {
  return guarded([&] {
    group(handle).check();
    std::vector<at::Tensor> list = {retained(tensor)};
    c10d::AllreduceOptions options;
    options.reduceOp = operation(code);
    group(handle).wait(group(handle).gloo->allreduce(list, options));
  });
}

int32_t ctorch_all_gather(
    ctorch_process_group *handle, ctorch_tensor *tensor, ctorch_tensor ***results, intptr_t *results_count) {
  return guarded([&] {
    group(handle).check();
    std::vector<at::Tensor> inputs = {In(tensor)->contiguous()};
    std::vector<std::vector<at::Tensor>> outputs(1);
    for (int32_t rank = 0; rank < group(handle).world_size; ++rank) outputs[0].push_back(at::empty_like(inputs[0]));
    group(handle).wait(group(handle).gloo->allgather(outputs, inputs));
    give(std::move(outputs[0]), results, results_count);
  });
}

int32_t ctorch_broadcast(ctorch_process_group *handle, ctorch_tensor *tensor, int32_t root) {
  return guarded([&] {
    group(handle).check();
    std::vector<at::Tensor> list = {retained(tensor)};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    group(handle).wait(group(handle).gloo->broadcast(list, options));
  });
}

// The store at which the processes meet

int32_t ctorch_store_create(
    const char *host, uint16_t port, bool is_server, const char *prefix, int64_t timeout, ctorch_store **result) {
  return guarded([&] {
    // c10d writes a warning with all frames of the stack for each broken connection; the error says the same in a line.
    FLAGS_caffe2_log_level = std::max(FLAGS_caffe2_log_level, 2);
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = is_server;
    options.waitWorkers = false;
    options.timeout = std::chrono::milliseconds(timeout);
    StorePointer whole = c10::make_intrusive<c10d::TCPStore>(host, options);
    auto part = c10::make_intrusive<c10d::PrefixStore>(prefix, std::move(whole));
    *result = reinterpret_cast<ctorch_store *>(new StorePointer(std::move(part)));
  });
}

void ctorch_store_release(ctorch_store *handle) { delete reinterpret_cast<StorePointer *>(handle); }

int32_t ctorch_store_set(ctorch_store *handle, const char *key, const char *value) {
  return guarded([&] { store(handle)->set(key, std::string(value)); });
}

int32_t ctorch_store_add(ctorch_store *handle, const char *key, int64_t amount, int64_t *result) {
  return guarded([&] { *result = store(handle)->add(key, amount); });
}

int32_t ctorch_store_exchange(
    ctorch_store *handle, const char *key, const char *expected, const char *desired, char **result) {
  return guarded([&] {
    *result = strdup(store(handle)->compareSet(key, std::string(expected), std::string(desired)).c_str());
  });
}

int32_t ctorch_store_has(ctorch_store *handle, const char *key, bool *result) {
  return guarded([&] { *result = store(handle)->check({key}); });
}

int32_t ctorch_store_get(ctorch_store *handle, const char *const *keys, intptr_t count, char **results) {
  return guarded([&] {
    const auto values = store(handle)->multiGet({keys, keys + count});
    for (intptr_t index = 0; index < count; ++index) {
      const auto &value = values[index];
      results[index] = strndup(reinterpret_cast<const char *>(value.data()), value.size());
    }
  });
}
