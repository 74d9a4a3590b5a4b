// Add, Multiply and Concatenate: several modules on the same input, whose results are put together.
//
//   nn::Add{nn::linear, nn::Sequential{nn::Dense(64, nn::relu), nn::Dense(64)}}         // a residual block
//   nn::Concatenate{nn::Conv2D(8, 1), nn::Conv2D(8, 3, nn::linear, {.padding = "same"})}
//
// An activation serves as a module: nn::linear hands its input on. In functions of Values none of this is needed: write
// x + b(a(x)), or concat({a(x), b(x)}, -1).
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include <xgrad/nn/activations.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::nn {

// What all three share. Throws UserError if there are no branches.
class Merge : public Layer {
 protected:
  Merge(const char* kind, std::vector<AnyModule> branches, const std::string& name);
  // What each branch gives for x.
  std::vector<Value> results(Value x) const;
  // The same. Throws ShapeError, naming the layer, unless all have one shape.
  std::vector<Value> equal_results(Value x) const;

 private:
  std::vector<AnyModule> branches_;
};

class Add : public Merge {
 public:
  Add(std::initializer_list<AnyModule> branches) : Add(std::vector(branches)) {}
  explicit Add(std::vector<AnyModule> branches, const std::string& name = {})
      : Merge("add", std::move(branches), name) {}
  Value operator()(Value x) const;
};

class Multiply : public Merge {
 public:
  Multiply(std::initializer_list<AnyModule> branches) : Multiply(std::vector(branches)) {}
  explicit Multiply(std::vector<AnyModule> branches, const std::string& name = {})
      : Merge("multiply", std::move(branches), name) {}
  Value operator()(Value x) const;
};

// Along an axis, the last one if none is named; all other extents agree.
class Concatenate : public Merge {
 public:
  Concatenate(std::initializer_list<AnyModule> branches) : Concatenate(std::vector(branches)) {}
  explicit Concatenate(std::vector<AnyModule> branches, Index axis = -1, const std::string& name = {})
      : Merge("concatenate", std::move(branches), name), axis_(axis) {}
  Value operator()(Value x) const;

 private:
  Index axis_;
};

}  // namespace xgrad::nn
