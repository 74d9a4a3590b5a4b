#include <xgrad/nn/training/internal/model_use.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0::nn {

ModelUse::Call::~Call() {
  if (use_ == nullptr) return;
  const std::lock_guard lock(use_->lock_);
  --(changes_ ? use_->depth_ : use_->readers_);
}

ModelUse::Call ModelUse::read(const char* where, const std::string& model) {
  const std::lock_guard lock(lock_);
  require_unchanged(where, model);
  ++readers_;
  return {this, false};
}

ModelUse::Call ModelUse::change(const char* where, const std::string& model) {
  const std::lock_guard lock(lock_);
  require_unchanged(where, model);
  if (readers_ > 0) {
    throw GraphError(
        fmt::format("{}: the model \"{}\" is in use: {} calls that read its weights, such as predict(), have not "
                    "returned\n  hint: let them return first, or use a second model",
                    where, model, readers_));
  }
  if (depth_++ == 0) {
    changer_ = std::this_thread::get_id();
    changing_ = where;
  }
  return {this, true};
}

void ModelUse::require_unchanged(const char* where, const std::string& model) const {
  if (depth_ == 0 || changer_ == std::this_thread::get_id()) return;
  throw GraphError(
      fmt::format("{}: the model \"{}\" is in use: another thread is inside {}(), which changes it\n  hint: wait for "
                  "that call to return, or use a second model",
                  where, model, changing_));
}

}  // namespace xgrad::inline v0::nn
