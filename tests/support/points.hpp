// Functions of one value, and their derivatives, at chosen points.
#pragma once

#include <cmath>
#include <limits>
#include <ostream>
#include <utility>
#include <vector>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::testing {

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double NaN = std::numeric_limits<double>::quiet_NaN();

// A list of values in which NaN equals NaN and 0 differs from -0.
struct Numbers {
  Numbers(std::initializer_list<double> list) : values(list) {}
  explicit Numbers(const Tensor& t) {
    for (Index i = 0; i < t.elements(); ++i) values.push_back(t.at(i));
  }
  std::vector<double> values;

  friend bool operator==(const Numbers& a, const Numbers& b) {
    if (a.values.size() != b.values.size()) return false;
    for (std::size_t i = 0; i < a.values.size(); ++i) {
      const double x = a.values[i], y = b.values[i];
      if (std::isnan(x) && std::isnan(y)) continue;
      if (x != y || std::signbit(x) != std::signbit(y)) return false;
    }
    return true;
  }
  // Whether all values agree within a relative tolerance, and special values are equal.
  bool near(const Numbers& other, double tolerance) const {
    if (values.size() != other.values.size()) return false;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double x = values[i], y = other.values[i];
      if ((std::isnan(x) && std::isnan(y)) || x == y) continue;
      if (!(std::abs(x - y) <= tolerance * std::abs(y))) return false;
    }
    return true;
  }
  friend std::ostream& operator<<(std::ostream& out, const Numbers& n) {
    out.precision(17);
    for (const double x : n.values) out << (std::isnan(x) ? "nan" : "") << (std::isnan(x) ? 0 : x) << ' ';
    return out;
  }
};

// A 1-D tensor of a dtype.
inline Tensor row(std::initializer_list<double> numbers, DType dtype = f64) {
  return Tensor::from<double>({static_cast<Index>(numbers.size())}, numbers).cast(dtype);
}

// f at the points.
template <class F>
Numbers values(F f, std::initializer_list<double> points, DType dtype = f64) {
  Graph g({.dtype = dtype});
  const Value x = g.input("x", {static_cast<Index>(points.size())});
  return Numbers(evaluate(f(x), {{x, row(points, dtype)}}));
}

// The derivative of f at each point.
template <class F>
Numbers slopes(F f, std::initializer_list<double> points, DType dtype = f64) {
  Graph g({.dtype = dtype});
  const Value x = g.input("x", {static_cast<Index>(points.size())});
  return Numbers(evaluate(gradients(sum(f(x)), x), {{x, row(points, dtype)}}));
}

// f of two lists of points.
template <class F>
Numbers values(F f, std::initializer_list<double> a, std::initializer_list<double> b, DType dtype = f64) {
  Graph g({.dtype = dtype});
  const Value x = g.input("a", {static_cast<Index>(a.size())});
  const Value y = g.input("b", {static_cast<Index>(b.size())});
  return Numbers(evaluate(f(x, y), {{x, row(a, dtype)}, {y, row(b, dtype)}}));
}

// The derivatives of f with respect to both arguments, at two lists of points.
template <class F>
std::pair<Numbers, Numbers> slopes(F f, std::initializer_list<double> a, std::initializer_list<double> b) {
  Graph g({.dtype = f64});
  const Value x = g.input("a", {static_cast<Index>(a.size())});
  const Value y = g.input("b", {static_cast<Index>(b.size())});
  const auto by = evaluate(gradients(sum(f(x, y)), {x, y}), {{x, row(a)}, {y, row(b)}});
  return {Numbers(by[0]), Numbers(by[1])};
}

}  // namespace xgrad::testing
