// Immortal: an object of a function's static variable that is never destroyed, so that destructors of the program's own
// globals, which may run later than those of this library, can still build and run graphs.
#pragma once

#include <utility>

namespace xgrad::inline v0 {

template <class T>
class Immortal {
 public:
  template <class... Args>
  explicit Immortal(Args&&... args) : object_(new T(std::forward<Args>(args)...)) {}
  T& operator*() const { return *object_; }

 private:
  T* object_;
};

}  // namespace xgrad::inline v0
