// Compares values with results computed by hand.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::testing {

inline Value numbers(Graph& g, const Shape& shape, const std::vector<double>& values, DType dtype = f64) {
  return g.constant(Tensor::from<double>(shape, std::span<const double>(values)).cast(dtype));
}
inline Value numbers(Graph& g, const std::vector<double>& values, DType dtype = f64) {
  return numbers(g, {static_cast<Index>(values.size())}, values, dtype);
}
// 0, 1, 2, ... in row-major order.
inline Value counting(Graph& g, const Shape& shape, DType dtype = f64) {
  std::vector<double> values;
  for (Index i = 0; i < shape.elements(); ++i) values.push_back(static_cast<double>(i));
  return numbers(g, shape, values, dtype);
}

// Checks shape and elements; NaN equals NaN. The tolerance is relative to max(1, |expected|).
inline void check_answer(Value got, const Shape& shape, const std::vector<double>& expected, double tolerance = 0) {
  const Tensor t = evaluate(got, {});
  CAPTURE(t.str());
  REQUIRE(t.shape() == shape);
  REQUIRE(t.elements() == static_cast<Index>(expected.size()));
  for (Index i = 0; i < t.elements(); ++i) {
    const double wanted = expected[static_cast<std::size_t>(i)];
    const bool same = t.at(i) == wanted || (std::isnan(t.at(i)) && std::isnan(wanted)) ||
                      std::abs(t.at(i) - wanted) <= tolerance * std::max(1.0, std::abs(wanted));
    CAPTURE(i);
    CAPTURE(t.at(i));
    CAPTURE(wanted);
    CHECK(same);
  }
}

}  // namespace xgrad::testing
