// Wrong arguments of library functions that must not compile: wrong_signatures.cmake checks that each gives exactly the
// error that the comment above it expects. Not part of the build.
#include <xgrad/nn/initializers.hpp>
#include <xgrad/nn/layers/dense.hpp>
#include <xgrad/nn/optimizers/rules.hpp>
#include <xgrad/nn/optimizers/schedules.hpp>
#include <xgrad/nn/sequential.hpp>
#include <xgrad/nn/training/callbacks.hpp>
#include <xgrad/nn/training/model.hpp>

namespace nn = xgrad::nn;
using xgrad::Value;

struct FitBegin {
  void on_fit_begin() {}
};
struct EpochBegin {
  void on_epoch_begin(int) {}
};
struct BatchEnd {
  void on_batch_end(const nn::Logs&) {}
};
struct EpochEnd {
  void on_epoch_end() {}
};
struct FitEnd {
  void on_fit_end(nn::Training) {}
};
struct Misspelled {
  void on_epoch_ends(nn::Training&) {}
};
struct NoName {
  double learning_rate = 0.1;
  Value operator()(nn::ParameterStep& s) const { return s.parameter; }
};
struct NoCall : nn::Module {};

void wrong(nn::Model& m, const nn::Dataset& d) {
  // expect: on_fit_begin must take an nn::Training&: void on_fit_begin(nn::Training& t)
  m.fit(d, {.callbacks = {FitBegin{}}});
  // expect: on_epoch_begin must take an nn::Training&: void on_epoch_begin(nn::Training& t)
  m.fit(d, {.callbacks = {EpochBegin{}}});
  // expect: on_batch_end must take an nn::Training&: void on_batch_end(nn::Training& t)
  m.fit(d, {.callbacks = {BatchEnd{}}});
  // expect: on_epoch_end must take an nn::Training&: void on_epoch_end(nn::Training& t)
  m.fit(d, {.callbacks = {EpochEnd{}}});
  // expect: on_fit_end must take an nn::Training&: void on_fit_end(nn::Training& t)
  m.fit(d, {.callbacks = {FitEnd{}}});
  // expect: a callback is a struct with one or more of the public members on_fit_begin,
  m.fit(d, {.callbacks = {Misspelled{}}});
  // expect: a member of LambdaCallback is a function that takes an nn::Training&
  nn::LambdaCallback lambda{.on_epoch_end = [] {}};

  // expect: an activation is a function that takes a Value and returns a Value
  nn::Dense activation(4, [](Value, Value) { return 1; });
  // expect: a module is a layer, or a struct or function that takes a Value and returns a Value
  nn::Sequential sequential{NoCall{}};
  // expect: an optimizer rule is a struct with static constexpr const char* name,
  nn::Optimizer optimizer{NoName{}};
  // expect: a schedule is a function of the step, a scalar f64
  nn::LearningRate rate("rate", [](Value, int) { return 0.1; });

  // expect: a loss or metric is a function of prediction and target
  nn::Loss loss{"loss", [](Value p) { return p; }};
  // expect: a loss or metric is a function of prediction and target
  nn::Metric metric{"metric", [](Value, Value, Value) { return 0.0; }};
  // expect: an initializer is a function [](const Shape&, HostRandom&, std::span<double> values) {...}
  nn::Initializer initializer{"one", [](int) { return 1.0; }};
  // expect: a regularizer or constraint is a function of a weight
  nn::Regularizer regularizer{"none", [](double w) { return w; }};
  // expect: a regularizer or constraint is a function of a weight
  nn::Constraint constraint{"none", [](double w) { return w; }};
}
