#include "internal.h"

#include <ATen/core/Formatting.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/to_ops.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <sstream>

using namespace ctorch;

void ctorch::give(std::vector<at::Tensor> &&tensors, ctorch_tensor ***results, intptr_t *count) {
  auto **handles = static_cast<ctorch_tensor **>(std::malloc(sizeof(ctorch_tensor *) * (tensors.size() + 1)));
  if (!handles) throw std::bad_alloc();
  for (size_t index = 0; index < tensors.size(); ++index) handles[index] = release(std::move(tensors[index]));
  *results = handles;
  *count = static_cast<intptr_t>(tensors.size());
}

void ctorch_release(ctorch_tensor *tensor) {
  if (tensor) c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(implementation(tensor));
}

ctorch_tensor *ctorch_retain(ctorch_tensor *tensor) { return release(retained(tensor)); }

intptr_t ctorch_rank(ctorch_tensor *tensor) { return tensor ? implementation(tensor)->dim() : 0; }

void ctorch_sizes(ctorch_tensor *tensor, intptr_t *sizes) {
  if (!tensor) return;
  const auto source = implementation(tensor)->sizes();
  std::memcpy(sizes, source.data(), source.size() * sizeof(intptr_t));
}

intptr_t ctorch_size(ctorch_tensor *tensor, intptr_t axis) {
  if (!tensor) return 0;
  const auto sizes = implementation(tensor)->sizes();
  const auto rank = static_cast<intptr_t>(sizes.size());
  if (axis < 0) axis += rank;
  return axis >= 0 && axis < rank ? sizes[axis] : -1;
}

intptr_t ctorch_count(ctorch_tensor *tensor) { return tensor ? implementation(tensor)->numel() : 0; }

int32_t ctorch_dtype(ctorch_tensor *tensor) {
  return tensor ? static_cast<int32_t>(c10::typeMetaToScalarType(implementation(tensor)->dtype())) : -1;
}

ctorch_device ctorch_device_of(ctorch_tensor *tensor) {
  if (!tensor) return {0, -1};
  const auto device = implementation(tensor)->device();
  return {static_cast<int32_t>(device.type()), device.index()};
}

bool ctorch_is_contiguous(ctorch_tensor *tensor) { return !tensor || implementation(tensor)->is_contiguous(); }

bool ctorch_is_alias(ctorch_tensor *first, ctorch_tensor *second) {
  return first && second && implementation(first)->has_storage() && implementation(second)->has_storage() &&
         implementation(first)->storage().is_alias_of(implementation(second)->storage());
}

int32_t ctorch_item(ctorch_tensor *tensor, double *value) {
  return guarded([&] { *value = In(tensor)->item().toDouble(); });
}

int32_t ctorch_item_int(ctorch_tensor *tensor, int64_t *value) {
  return guarded([&] { *value = In(tensor)->item().toLong(); });
}

int32_t ctorch_copy_bytes(
    const void *bytes, const intptr_t *sizes, intptr_t rank, int32_t type, ctorch_device target,
    ctorch_tensor **result) {
  return guarded([&] {
    auto host = at::empty(ints(sizes, rank), at::TensorOptions().dtype(dtype(type)));
    if (host.numel() > 0) std::memcpy(host.mutable_data_ptr(), bytes, host.nbytes());
    const auto to = device(target);
    give(to.is_cpu() ? std::move(host) : host.to(to), result);
  });
}

int32_t ctorch_borrow_bytes(
    const void *bytes, const intptr_t *sizes, intptr_t rank, int32_t type, void *owner, void (*release_owner)(void *),
    ctorch_tensor **result) {
  return guarded([&] {
    give(
        at::from_blob(
            const_cast<void *>(bytes), ints(sizes, rank), [owner, release_owner](void *) { release_owner(owner); },
            at::TensorOptions().dtype(dtype(type))),
        result);
  });
}

int32_t ctorch_data(ctorch_tensor *tensor, void **data) {
  return guarded([&] {
    In self(tensor);
    TORCH_CHECK(self->is_cpu(), "only a tensor on the CPU has bytes that can be read, this one is on ", self->device());
    *data = self->numel() == 0 ? nullptr : self->data_ptr();
  });
}

int32_t ctorch_to(
    ctorch_tensor *tensor, ctorch_device target, int32_t type, bool non_blocking, ctorch_tensor **result) {
  return guarded([&] {
    In self(tensor);
    const auto to_type = type < 0 ? self->scalar_type() : dtype(type);
    const auto to_device = target.kind < 0 ? self->device() : device(target);
    give(at::_ops::to_device::call(*self, to_device, to_type, non_blocking, false, std::nullopt), result);
  });
}

int32_t ctorch_describe(ctorch_tensor *tensor, char **text) {
  return guarded([&] {
    std::ostringstream stream;
    at::print(stream, *In(tensor), 110);
    *text = strdup(stream.str().c_str());
  });
}
