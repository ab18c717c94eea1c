// What the C++ files of the seam share: the conversions between C and libtorch's types.
#pragma once
#include <ATen/core/Generator.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/Reduction.h>
#include <ATen/core/Tensor.h>
#include <c10/core/DispatchKeySet.h>
#include <c10/core/Scalar.h>
#include <c10/core/SymIntArrayRef.h>

#include <cmath>
#include <optional>
#include <tuple>
#include <vector>

#include "errors.h"

namespace ctorch {

// A handle is the tensor's implementation pointer with one reference, so a tensor costs no allocation of its own.
inline c10::TensorImpl *implementation(ctorch_tensor *handle) {
  return reinterpret_cast<c10::TensorImpl *>(handle);
}
inline ctorch_tensor *release(at::Tensor &&tensor) {
  return tensor.defined() ? reinterpret_cast<ctorch_tensor *>(tensor.unsafeReleaseTensorImpl()) : nullptr;
}

/// A borrowed handle as a tensor, without touching its reference count.
class In {
 public:
  explicit In(ctorch_tensor *handle) {
    if (!handle) throw UndefinedOperand();
    tensor_ = at::Tensor(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(implementation(handle)));
  }
  In(const In &) = delete;
  ~In() { tensor_.unsafeReleaseTensorImpl(); }
  operator const at::Tensor &() const { return tensor_; }
  const at::Tensor &operator*() const { return tensor_; }
  const at::Tensor *operator->() const { return &tensor_; }
  // Operations in place take a reference that is not const, and do not put another tensor there.
  operator at::Tensor &() { return tensor_; }

 private:
  at::Tensor tensor_;
};

/// A borrowed handle, or NULL for none.
class InOptional {
 public:
  explicit InOptional(ctorch_tensor *handle) {
    if (handle)
      tensor_ = at::Tensor(
          c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(implementation(handle)));
  }
  InOptional(const InOptional &) = delete;
  ~InOptional() {
    if (tensor_) tensor_->unsafeReleaseTensorImpl();
  }
  operator const std::optional<at::Tensor> &() const { return tensor_; }

 private:
  std::optional<at::Tensor> tensor_;
};

inline at::Tensor retained(ctorch_tensor *handle) {
  if (!handle) return {};
  return at::Tensor(
      c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim_copy(implementation(handle)));
}

inline std::vector<at::Tensor> tensors(ctorch_tensor *const *handles, intptr_t count, bool allow_undefined = false) {
  std::vector<at::Tensor> result;
  result.reserve(count);
  for (intptr_t index = 0; index < count; ++index) {
    if (!handles[index] && !allow_undefined) throw UndefinedOperand();
    result.push_back(retained(handles[index]));
  }
  return result;
}

/// An array of borrowed handles as a tensor list.
class InList {
 public:
  InList(ctorch_tensor *const *handles, intptr_t count) : tensors_(tensors(handles, count)) {}
  operator at::TensorList() const { return tensors_; }
  operator at::ITensorListRef() const { return at::TensorList(tensors_); }

 private:
  std::vector<at::Tensor> tensors_;
};

class InGenerator {
 public:
  explicit InGenerator(ctorch_generator *handle) {
    if (handle) generator_ = *reinterpret_cast<at::Generator *>(handle);
  }
  operator const std::optional<at::Generator> &() const { return generator_; }

 private:
  std::optional<at::Generator> generator_;
};

inline void give(at::Tensor &&tensor, ctorch_tensor **result) { *result = release(std::move(tensor)); }

void give(std::vector<at::Tensor> &&tensors, ctorch_tensor ***results, intptr_t *count);

template <class... Results>
void giveAll(std::tuple<Results...> &&tensors, std::conditional_t<true, ctorch_tensor **, Results>... results) {
  std::apply([&](auto &...tensor) { ((*results = release(std::move(tensor))), ...); }, tensors);
}

/// A number without a fraction becomes an integer, so that integer tensors stay integer: `indices + 1`.
inline at::Scalar scalar(double value) {
  constexpr double exact = 9007199254740992.0;  // 2^53
  if (value > -exact && value < exact && !(value == 0 && std::signbit(value))) {
    const auto integer = static_cast<int64_t>(value);
    if (static_cast<double>(integer) == value) return at::Scalar(integer);
  }
  return at::Scalar(value);
}
inline std::optional<at::Scalar> optionalScalar(double value, bool present) {
  return present ? std::optional<at::Scalar>(scalar(value)) : std::nullopt;
}
inline std::optional<double> optionalReal(double value, bool present) {
  return present ? std::optional<double>(value) : std::nullopt;
}
inline std::optional<int64_t> optionalInt(intptr_t value, bool present) {
  return present ? std::optional<int64_t>(value) : std::nullopt;
}
inline std::optional<c10::SymInt> optionalSymInt(intptr_t value, bool present) {
  return present ? std::optional<c10::SymInt>(value) : std::nullopt;
}

static_assert(sizeof(intptr_t) == sizeof(int64_t), "the seam passes Swift's Int as int64_t");
inline at::IntArrayRef ints(const intptr_t *values, intptr_t count) {
  return {reinterpret_cast<const int64_t *>(values), static_cast<size_t>(count)};
}
inline c10::SymIntArrayRef symInts(const intptr_t *values, intptr_t count) {
  return c10::fromIntArrayRefSlow(ints(values, count));
}
inline at::OptionalIntArrayRef optionalInts(const intptr_t *values, intptr_t count) {
  return count < 0 ? at::OptionalIntArrayRef() : at::OptionalIntArrayRef(ints(values, count));
}

inline at::ScalarType dtype(int32_t code) { return static_cast<at::ScalarType>(code); }
inline at::Device device(ctorch_device value) {
  return {static_cast<at::DeviceType>(value.kind), static_cast<c10::DeviceIndex>(value.index)};
}

}  // namespace ctorch
