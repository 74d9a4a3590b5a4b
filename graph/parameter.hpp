// Parameter: the state of a model, outside of graphs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include <xgrad/graph/base/checked_pointer.hpp>
#include <xgrad/graph/tensor.hpp>
#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

// A named tensor that outlives graphs. Weights, moving statistics and optimizer state are Parameters. A Parameter is a
// handle: copies refer to the same values. Its memory never moves, so plans write to it in place.
//
//   Parameter w("w", Tensor({784, 64}));
//   Value v = g.parameter(w);      // its node; any number of graphs may use it
//   w.set(other);  w.value();
class Parameter {
 public:
  // Empty: valid() is false, and every other member except comparison throws GraphError. A moved-from Parameter is
  // empty; so is a layer's weight before the first call of the layer.
  Parameter() = default;
  // Copies `initial`. Optimizers update the parameter only if it is trainable, which moving statistics are not.
  Parameter(std::string name, const Tensor& initial, bool trainable = true);

  bool valid() const { return bool(state_); }
  const std::string& name() const { return state_->name; }
  bool trainable() const { return state_->trainable; }
  void set_trainable(bool trainable) { state_->trainable = trainable; }
  // A pointer to the flag, for Graph::pin_trainable.
  std::shared_ptr<const bool> trainable_flag() const { return {state_.pointer(), &state_->trainable}; }
  const TensorType& type() const { return state_->type; }
  const Shape& shape() const { return state_->type.shape; }

  // A function that optimizers apply to the new value, such as a bound on its norm; empty: none.
  void set_constraint(std::function<Value(Value)> constraint) { state_->constraint = std::move(constraint); }
  // Applies the constraint to `next`. Throws ShapeError, with the parameter, if it changes dtype or shape.
  Value constrained(Value next) const;

  // A copy of the current values.
  Tensor value() const { return view().clone(); }
  // The values in place: later updates change them. Valid as long as a handle exists.
  Tensor view() const { return Tensor::borrow(state_->data.get(), state_->type); }
  // Overwrites the values. Throws ShapeError, with the parameter, unless dtype and shape match.
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

// Trainable flags of parameters and layers, with the values that a graph was built with.
class TrainableFlags {
 public:
  // Pins the current value of the flag at the first call, and returns it. Throws GraphError for a null pointer.
  bool pin(const std::shared_ptr<const bool>& flag);
  // The pinned flag of the parameter; its current one if it is not pinned.
  bool trainable(const Parameter& parameter) const;

 private:
  std::map<std::shared_ptr<const bool>, bool> pinned_;
};

}  // namespace xgrad::inline v0
