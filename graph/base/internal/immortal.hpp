// Immortal: an object that is never destroyed, for function-local statics. Destructors of the program's globals may run
// after those of this library and still build and run graphs.
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
