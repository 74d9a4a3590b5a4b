// Sequential.
#pragma once

#include <initializer_list>
#include <vector>

#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

// A module that applies modules one after another.
//
//   nn::Sequential net{nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dropout(0.2), nn::Dense(10, nn::softmax)};
//   Value p = net(x);
class Sequential : public Module {
 public:
  using is_transparent = void;  // opens no scope: the modules belong to the caller's scope

  Sequential() = default;
  Sequential(std::initializer_list<AnyModule> modules) : modules_(modules) {}

  Sequential& add(AnyModule module) {
    modules_.push_back(std::move(module));
    return *this;
  }
  std::size_t size() const { return modules_.size(); }
  const std::vector<AnyModule>& modules() const { return modules_; }
  std::vector<Parameter> parameters() const { return AnyModule(*this).parameters(); }
  void set_trainable(bool trainable) { AnyModule(*this).set_trainable(trainable); }
  int nesting() const { return AnyModule::deepest(modules_); }
  Value operator()(Value x) const {
    for (const AnyModule& module : modules_) x = module(x);
    return x;
  }

 private:
  std::vector<AnyModule> modules_;
};

}  // namespace xgrad::inline v0::nn
