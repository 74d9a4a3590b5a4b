// Add, Multiply and Concatenate: apply several modules to the same input and combine their outputs.
//
//   nn::Add{nn::linear, nn::Sequential{nn::Dense(64, nn::relu), nn::Dense(64)}}         // a residual block
//   nn::Concatenate{nn::Conv2D(8, 1), nn::Conv2D(8, 3, nn::linear, {.padding = "same"})}
//
// An activation is a module too: nn::linear is the identity. In code that works on Values, write x + b(a(x)) or
// concat({a(x), b(x)}, -1) instead.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include <xgrad/nn/activations.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

// The base of Add, Multiply and Concatenate. Throws UserError without branches.
class Merge : public Layer {
 public:
  int nesting() const { return AnyModule::deepest(branches_); }

 protected:
  Merge(const char* kind, std::vector<AnyModule> branches, const std::string& name, SourceLocation at);
  // The outputs of the branches for x.
  std::vector<Value> results(Value x) const;
  // The outputs of the branches. Throws ShapeError, naming the layer, unless all shapes are equal.
  std::vector<Value> equal_results(Value x) const;

 private:
  std::vector<AnyModule> branches_;
};

// Adds the outputs of the branches, which must have equal shapes.
class Add : public Merge {
 public:
  Add(std::initializer_list<AnyModule> branches, SourceLocation at = SourceLocation::here())
      : Add(std::vector(branches), {}, at) {}
  explicit Add(std::vector<AnyModule> branches, const std::string& name = {},
               SourceLocation at = SourceLocation::here())
      : Merge("add", std::move(branches), name, at) {}
  Value operator()(Operand x) const;
};

// Multiplies the outputs of the branches, which must have equal shapes.
class Multiply : public Merge {
 public:
  Multiply(std::initializer_list<AnyModule> branches, SourceLocation at = SourceLocation::here())
      : Multiply(std::vector(branches), {}, at) {}
  explicit Multiply(std::vector<AnyModule> branches, const std::string& name = {},
                    SourceLocation at = SourceLocation::here())
      : Merge("multiply", std::move(branches), name, at) {}
  Value operator()(Operand x) const;
};

// Concatenates the outputs of the branches along an axis, by default the last; all other extents must be equal.
class Concatenate : public Merge {
 public:
  Concatenate(std::initializer_list<AnyModule> branches, SourceLocation at = SourceLocation::here())
      : Concatenate(std::vector(branches), -1, {}, at) {}
  explicit Concatenate(std::vector<AnyModule> branches, Index axis = -1, const std::string& name = {},
                       SourceLocation at = SourceLocation::here())
      : Merge("concatenate", std::move(branches), name, at), axis_(axis) {}
  Value operator()(Operand x) const;

 private:
  Index axis_;
};

}  // namespace xgrad::inline v0::nn
