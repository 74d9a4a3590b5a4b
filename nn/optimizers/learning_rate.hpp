// LearningRate: a constant or a schedule.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0::nn {

// The learning rate of an optimizer: a constant, or a schedule, which is a function of the training step as nodes of
// the training graph. Numbers convert to it implicitly.
//
//   nn::Adam{.learning_rate = 1e-3}
//   nn::Adam{.learning_rate = nn::cosine_decay(1e-3, 10000, {.warmup = 500})}       // schedules.hpp
//   nn::SGD{.learning_rate = nn::LearningRate("root", [](Value step) { return 0.1 * rsqrt(step + 1); })}
class LearningRate {
 public:
  // Returns the learning rate of a training step. Steps are counted from 0; both Values are f64 scalars.
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
  // The learning rate as a node. Throws ShapeError if the schedule does not return a scalar f64.
  Value operator()(Value step) const;
  // The learning rate of a step as a number.
  double at(Index step) const;

 private:
  double number_ = 0;
  std::string name_;
  Function function_;
};

}  // namespace xgrad::inline v0::nn
