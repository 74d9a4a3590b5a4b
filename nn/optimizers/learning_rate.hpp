// LearningRate: a constant, or a schedule: a function of the training step, as nodes of the training graph.
//
//   nn::Adam{.learning_rate = 1e-3}
//   nn::Adam{.learning_rate = nn::cosine_decay(1e-3, 10000, {.warmup = 500})}       // schedules.hpp
//   nn::SGD{.learning_rate = nn::LearningRate("root", [](Value step) { return 0.1 * rsqrt(step + 1); })}
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0::nn {

class LearningRate {
 public:
  // Learning rate of a training step, counted from 0; both are scalars f64.
  using Function = std::function<Value(Value step)>;

  template <Scalar N>
  LearningRate(N rate) : number_(static_cast<double>(rate)) {}
  // A custom schedule.
  template <class F>
  LearningRate(std::string name, F rate) : name_(std::move(name)) {
    constexpr bool fits = std::is_invocable_r_v<Value, F&, Value>;
    static_assert(fits, "a schedule is a function of the step, a scalar f64: [](Value step) { return ...; }");
    if constexpr (fits) function_ = std::move(rate);
  }

  bool is_schedule() const { return function_ != nullptr; }
  // The name of the schedule; empty for a constant.
  const std::string& name() const { return name_; }
  // Throws ShapeError if the schedule does not return a scalar f64.
  Value operator()(Value step) const;
  // The learning rate of a step as a number.
  double at(Index step) const;

 private:
  double number_ = 0;
  std::string name_;
  Function function_;
};

}  // namespace xgrad::inline v0::nn
