// CheckedFunction: a std::function with readable compiler errors.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0::nn {

// A std::function that reports a callable of another signature by one readable static assertion.
//
//   struct WeightFunctionExpected {
//     template <bool fits, class F>
//     static constexpr void require() { static_assert(fits, "a regularizer is a function that ..."); }
//   };
//   using WeightFunction = CheckedFunction<WeightFunctionExpected, Value(Value)>;
template <class Expected, class Signature>
class CheckedFunction;

template <class Expected, class Result, class... Arguments>
class CheckedFunction<Expected, Result(Arguments...)> {
 public:
  CheckedFunction() = default;
  template <class F>
  requires(!std::is_same_v<F, CheckedFunction>) CheckedFunction(F given) {
    constexpr bool fits = std::is_invocable_r_v<Result, F&, Arguments...>;
    if constexpr (fits)
      function_ = std::move(given);
    else
      Expected::template require<fits, F>();
  }

  Result operator()(Arguments... arguments) const { return function_(std::forward<Arguments>(arguments)...); }
  explicit operator bool() const { return function_ != nullptr; }
  const std::function<Result(Arguments...)>& function() const { return function_; }

 private:
  std::function<Result(Arguments...)> function_;
};

// The compiler error for a PairFunction.
struct PairFunctionExpected {
  template <bool fits, class F>
  static constexpr void require() {
    static_assert(
        fits, "a loss or metric is a function of prediction and target: [](Value p, Value t) { return mean(...); }");
  }
};
// The function of a loss or a metric, of prediction and target.
using PairFunction = CheckedFunction<PairFunctionExpected, Value(Value, Value)>;

// The compiler error for a WeightFunction.
struct WeightFunctionExpected {
  template <bool fits, class F>
  static constexpr void require() {
    static_assert(fits, "a regularizer or constraint is a function of a weight: [](Value w) { return ...; }");
  }
};
// The function of a regularizer or a constraint, of a weight.
using WeightFunction = CheckedFunction<WeightFunctionExpected, Value(Value)>;

}  // namespace xgrad::inline v0::nn
