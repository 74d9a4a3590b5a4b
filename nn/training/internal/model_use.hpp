// ModelUse: who is inside a model's functions, so that two threads never change it, or change and read it, at once.
#pragma once

#include <mutex>
#include <string>
#include <thread>

namespace xgrad::inline v0::nn {

// Any number of calls may read a model at a time, or one thread may change it. Within a call that changes it, a fit
// with callbacks for instance, the same thread may call again; nobody ever waits.
class ModelUse {
 public:
  // A call, for as long as it lives.
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

  // `where` is the function that is called, `model` the name for messages. Throws GraphError if another thread changes
  // the model.
  [[nodiscard]] Call read(const char* where, const std::string& model);
  // Throws GraphError if another thread changes or reads it.
  [[nodiscard]] Call change(const char* where, const std::string& model);

 private:
  // Throws if another thread changes the model. With `lock_` held.
  void require_unchanged(const char* where, const std::string& model) const;

  std::mutex lock_;
  int readers_ = 0;
  int depth_ = 0;  // of the calls that change the model, all by the thread
  std::thread::id changer_{};
  const char* changing_ = "";  // the outermost of these calls
};

}  // namespace xgrad::inline v0::nn
