// Parameter: a named tensor that outlives graphs. Weights, moving statistics and optimizer state are Parameters.
//
//   Parameter w("w", Tensor({784, 64}));
//   Value v = g.parameter(w);      // the same parameter in a graph, in as many graphs as you like
//   w.set(other);  w.value();
//
// A Parameter is a handle: copies refer to the same numbers. Its memory never moves, so plans write to it in place.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <xgrad/graph/base/checked_pointer.hpp>
#include <xgrad/graph/tensor.hpp>
#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

class Parameter {
 public:
  // Refers to nothing: valid() is false, and every other member but comparison throws GraphError. So does a Parameter
  // that was moved from, and a layer's weight before the layer is called for the first time.
  Parameter() = default;
  // Copies `initial`. `trainable` says whether an optimizer may change it; moving statistics are not trainable.
  Parameter(std::string name, const Tensor& initial, bool trainable = true);

  bool valid() const { return bool(state_); }
  const std::string& name() const { return state_->name; }
  bool trainable() const { return state_->trainable; }
  void set_trainable(bool trainable) { state_->trainable = trainable; }
  // The flag itself, by which graphs remember what it was: see Graph::pin_trainable.
  std::shared_ptr<const bool> trainable_flag() const { return {state_.pointer(), &state_->trainable}; }
  const TensorType& type() const { return state_->type; }
  const Shape& shape() const { return state_->type.shape; }

  // What an optimizer's numbers go through before the parameter takes them, such as a bound on a norm; empty: nothing.
  void set_constraint(std::function<Value(Value)> constraint) { state_->constraint = std::move(constraint); }
  // `next` after the constraint. Throws ShapeError, naming the parameter, if the constraint changes dtype or shape.
  Value constrained(Value next) const;

  // A copy of the numbers as they are now.
  Tensor value() const { return view().clone(); }
  // The numbers in place, without a copy: changes as training goes on and ends with the last handle.
  Tensor view() const { return Tensor::borrow(state_->data.get(), state_->type); }
  // Overwrites the numbers; throws ShapeError, naming the parameter, unless dtype and shape agree.
  void set(const Tensor& value);

  void* raw() const { return state_->data.get(); }
  friend bool operator==(const Parameter& a, const Parameter& b) { return a.state_.get() == b.state_.get(); }

 private:
  struct State {
    std::string name;
    TensorType type;
    std::shared_ptr<void> data;
    bool trainable;
    std::function<Value(Value)> constraint;
  };
  static constexpr char empty[] =
      "parameter: it is empty and refers to no numbers\n  hint: a layer makes its weights when it is first called";
  CheckedPointer<std::shared_ptr<State>, empty> state_;
};

}  // namespace xgrad::inline v0
