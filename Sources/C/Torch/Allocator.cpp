// Memory of tensors on the CPU: plain `malloc`, aligned here.
//
// libtorch's own allocator calls `posix_memalign`, which in glibc before 2.38 hardly ever reuses a freed block for the
// next request of the same size: it looks for the size plus the alignment, which no block of the same size has. Where
// small blocks that stay, such as nodes of a graph, lie between large ones that come and go, memory then grows with
// each round (https://sourceware.org/bugzilla/show_bug.cgi?id=14581). `malloc` finds such blocks.

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <cstdlib>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

/// What the widest vector registers load at once, and a line of the cache.
constexpr size_t alignment = 64;

/// The block of `malloc` stands in front of the data, so that the data alone are enough to free it.
void *&block(void *data) { return static_cast<void **>(data)[-1]; }

void release(void *data) {
  if (data) std::free(block(data));
}

struct MallocAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t count) override {
    const c10::Device cpu(c10::DeviceType::CPU);
    if (count == 0) return {nullptr, nullptr, &release, cpu};
    TORCH_CHECK(count <= SIZE_MAX / 2, "not enough memory: you tried to allocate ", count, " bytes");
    void *const start = std::malloc(count + sizeof(void *) + alignment - 1);
    TORCH_CHECK_WITH(OutOfMemoryError, start, "not enough memory: you tried to allocate ", count, " bytes");
    const auto first = reinterpret_cast<uintptr_t>(start) + sizeof(void *);
    void *const data = reinterpret_cast<void *>((first + alignment - 1) / alignment * alignment);
    block(data) = start;
    return {data, data, &release, cpu};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void *target, const void *source, size_t count) const override {
    default_copy_data(target, source, count);
  }
};

MallocAllocator allocator;

/// Before `main`, when no other thread asks for memory.
const bool isSet = [] {
  c10::SetCPUAllocator(&allocator, 1);  // libtorch's own has priority 0.
#if defined(__GLIBC__)
  // A training step frees what its forward pass allocated, and the next one wants it again. By default glibc hands much
  // of that back to the kernel, which then clears every page anew: a tenth of the time of a step.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // The most that glibc itself would come to.
  mallopt(M_TRIM_THRESHOLD, -1);        // Never by itself.
#endif
  return true;
}();

}  // namespace
