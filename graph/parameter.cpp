#include <xgrad/graph/parameter.hpp>

#include <cstring>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {

Parameter::Parameter(std::string name, const Tensor& initial, bool trainable) {
  if (initial.empty()) throw UserError(fmt::format("parameter \"{}\": the initial tensor is empty", name));
  state_ = std::make_shared<State>(
      State{std::move(name), initial.type(), allocate_aligned(initial.bytes(), "parameter"), trainable, {}});
  std::memcpy(state_->data.get(), initial.raw(), initial.bytes());
}

void Parameter::set(const Tensor& value) {
  if (value.empty() || value.type() != type()) {
    throw ShapeError(fmt::format("parameter \"{}\": set: expected {}, got {}", name(), type().str(),
                                 value.empty() ? "no tensor" : value.type().str()));
  }
  std::memmove(state_->data.get(), value.raw(), value.bytes());
}

Value Parameter::constrained(Value next) const {
  if (!state_->constraint) return next;
  const Value out = state_->constraint(next);
  if (out.type() != type()) {
    throw ShapeError(fmt::format("parameter \"{}\": its constraint changes {} to {}\n  {}", name(), type().str(),
                                 out.type().str(), out.describe()));
  }
  return out;
}

bool TrainableFlags::pin(const std::shared_ptr<const bool>& flag) {
  if (flag == nullptr) throw GraphError("pin_trainable: the flag is null; Parameter::trainable_flag() gives one");
  return pinned_.try_emplace(flag, *flag).first->second;
}

bool TrainableFlags::trainable(const Parameter& parameter) const {
  if (!parameter.valid()) throw GraphError("trainable: the Parameter is empty");
  const auto pinned = pinned_.find(parameter.trainable_flag());
  return pinned != pinned_.end() ? pinned->second : parameter.trainable();
}

}  // namespace xgrad::inline v0
