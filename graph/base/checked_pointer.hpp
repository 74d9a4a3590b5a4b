// CheckedPointer: a smart pointer that throws GraphError(message) where an empty one would be dereferenced. The handles
// of this library hold their content by one: a handle that is empty, or was moved from, gives an error and no crash.
#pragma once

#include <utility>

namespace xgrad::inline v0 {

// Throws GraphError.
[[noreturn]] void throw_empty(const char* message);

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
  // Without the check.
  auto* get() const { return pointer_.get(); }

 private:
  Pointer pointer_;
};

}  // namespace xgrad::inline v0
