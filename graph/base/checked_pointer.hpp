// CheckedPointer: the smart pointer of this library's handles.
#pragma once

#include <utility>

namespace xgrad::inline v0 {

// Throws GraphError(message).
[[noreturn]] void throw_empty(const char* message);

// A smart pointer that throws GraphError(message) when an empty one is dereferenced. Handles hold their content by it,
// so using an empty or moved-from handle is an error and not a crash.
template <class Pointer, const char* message>
class CheckedPointer {
 public:
  CheckedPointer() = default;
  CheckedPointer(Pointer pointer) : pointer_(std::move(pointer)) {}

  const Pointer& pointer() const {
    if (pointer_ == nullptr) throw_empty(message);
    return pointer_;
  }
  auto& operator*() const { return *pointer(); }
  auto* operator->() const { return pointer().get(); }
  explicit operator bool() const { return pointer_ != nullptr; }
  // The raw pointer, unchecked; may be null.
  auto* get() const { return pointer_.get(); }

 private:
  Pointer pointer_;
};

}  // namespace xgrad::inline v0
