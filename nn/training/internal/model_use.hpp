// ModelUse: detects concurrent use of a model, so that no thread changes it while another one uses it.
#pragma once

#include <mutex>
#include <string>
#include <thread>

namespace xgrad::inline v0::nn {

// A reader-writer guard that throws instead of waiting. Inside a call that changes the model, such as a fit with
// callbacks, the same thread may make further calls.
class ModelUse {
 public:
  // Scope guard of one call.
  class Call {
   public:
    Call(Call&& other) noexcept : use_(other.use_), changes_(other.changes_) { other.use_ = nullptr; }
    Call& operator=(Call&&) = delete;
    ~Call();

   private:
    friend class ModelUse;
    Call(ModelUse* use, bool changes) : use_(use), changes_(changes) {}
    ModelUse* use_;
    bool changes_;
  };

  // Begins a call that reads. `where` is the name of the function, `model` that of the model, for messages. Throws
  // GraphError if another thread changes the model.
  [[nodiscard]] Call read(const char* where, const std::string& model);
  // Begins a call that changes the model. Throws GraphError if another thread changes or reads it.
  [[nodiscard]] Call change(const char* where, const std::string& model);

 private:
  // Throws if another thread changes the model. Requires `lock_`.
  void require_unchanged(const char* where, const std::string& model) const;

  std::mutex lock_;
  int readers_ = 0;
  int depth_ = 0;  // nested calls that change the model, all of thread changer_
  std::thread::id changer_{};
  const char* changing_ = "";  // the outermost of these calls
};

}  // namespace xgrad::inline v0::nn
