// Functions of one number, and their derivatives, at points of interest.
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

// A list in which NaN equals NaN and 0 differs from -0.
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
  // Every number is within a factor of 1 +- tolerance of the other list's, and special ones are the same.
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

// A row of numbers of a dtype.
inline Tensor row(std::initializer_list<double> numbers, DType dtype = f64) {
  return Tensor::from<double>({static_cast<Index>(numbers.size())}, numbers).cast(dtype);
}

// f of a row.
template <class F>
Numbers values(F f, std::initializer_list<double> points, DType dtype = f64) {
  Graph g({.dtype = dtype});
  const Value x = g.input("x", {static_cast<Index>(points.size())});
  return Numbers(evaluate(f(x), {{x, row(points, dtype)}}));
}

// The derivatives of the sum of f by each number of a row.
template <class F>
Numbers slopes(F f, std::initializer_list<double> points, DType dtype = f64) {
  Graph g({.dtype = dtype});
  const Value x = g.input("x", {static_cast<Index>(points.size())});
  return Numbers(evaluate(gradients(sum(f(x)), x), {{x, row(points, dtype)}}));
}

// f of two rows.
template <class F>
Numbers values(F f, std::initializer_list<double> a, std::initializer_list<double> b, DType dtype = f64) {
  Graph g({.dtype = dtype});
  const Value x = g.input("a", {static_cast<Index>(a.size())});
  const Value y = g.input("b", {static_cast<Index>(b.size())});
  return Numbers(evaluate(f(x, y), {{x, row(a, dtype)}, {y, row(b, dtype)}}));
}

// The derivatives of the sum of f by the numbers of both rows, those of the first row first.
template <class F>
std::pair<Numbers, Numbers> slopes(F f, std::initializer_list<double> a, std::initializer_list<double> b) {
  Graph g({.dtype = f64});
  const Value x = g.input("a", {static_cast<Index>(a.size())});
  const Value y = g.input("b", {static_cast<Index>(b.size())});
  const auto by = evaluate(gradients(sum(f(x, y)), {x, y}), {{x, row(a)}, {y, row(b)}});
  return {Numbers(by[0]), Numbers(by[1])};
}

}  // namespace xgrad::testing
