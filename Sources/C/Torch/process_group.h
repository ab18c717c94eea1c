// A group of processes, for the files of the seam that communicate.
#pragma once
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "internal.h"

namespace ctorch {

using Future = c10::ivalue::Future;

class Group {
 public:
  const int32_t rank, world_size;

  Group(int32_t rank, int32_t world_size) : rank(rank), world_size(world_size) {}
  Group(const Group &) = delete;

  /// A future that has the tensors `finish` makes once the work is done, and that ends with an error when the work fails
  /// or the group does. Gloo itself waits without end: a process that computes for an hour is not dead.
  c10::intrusive_ptr<Future> follow(
      const c10::intrusive_ptr<c10d::Work> &work, std::function<c10::IValue()> finish = [] { return c10::IValue(); });

  void wait(const c10::intrusive_ptr<c10d::Work> &work) { follow(work)->waitAndThrow(); }

  /// Ends what waits now, and all that is asked for later.
  void fail(const std::string &reason);

  /// Throws when the group has failed.
  void check();

 private:
  using Waiting = std::list<c10::intrusive_ptr<Future>>;

  std::mutex mutex_;
  bool has_failed_ = false;
  std::string failure_;
  Waiting waiting_;

 public:
  // Last, so that it is destroyed first: its threads call back.
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  /// The same group as c10d's other parts know it.
  c10::intrusive_ptr<c10d::ProcessGroup> processes;
};

inline Group &group(ctorch_process_group *handle) { return *reinterpret_cast<Group *>(handle); }

}  // namespace ctorch
