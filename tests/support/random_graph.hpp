// Random graphs of random operations and shapes, reproducible by seed, for tests of properties of every graph.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/ops.hpp>

#include "dice.hpp"

namespace xgrad::testing {

inline Tensor random_tensor(Dice& dice, const Shape& shape, DType dtype, double low = -2, double high = 2) {
  Tensor out(shape, f64);
  for (double& x : out.mutable_values<double>()) x = dice.real(low, high);
  return out.cast(dtype);
}

struct Kind {
  DType dtype = f32;
  bool smooth = false;   // only operations that are smooth everywhere
  Index max_extent = 6;  // extents of leaves
  Index max_elements = 400;
  bool large = false;  // the first leaf has about the maximum number of elements
  bool empty = false;  // some axes have extent 0; operations that throw then are skipped
};

// Grows a graph node by node. Bounds the magnitude of every value: values that could exceed the bound are squashed,
// since infinities and NaNs would hide differences.
class Grower {
 public:
  Grower(Graph& graph, std::uint64_t seed, Kind kind) : g(graph), dice(seed), kind_(kind) {
    for (int i = 0; i < 3; ++i) palette_.push_back(dice.between(2 + kind.max_extent / 4, kind.max_extent));
    palette_.push_back(1);
    if (kind.empty) palette_ = {palette_[0], palette_[1], 1, 0};
    leaf(kind.large ? large_shape() : random_shape(), 0);
    leaf(random_shape(), 1);
    while (g.size() < 4) add_leaf();
  }

  void grow_to(Index nodes) {
    while (static_cast<Index>(g.size()) < nodes) step();
  }
  Value last() const { return values_.back(); }
  // Draws the same steps whatever else is in the graph.
  void grow_by(Index steps) {
    while (steps-- > 0) step();
  }
  // Excludes the values grown since a count, except the last, from further use, and replaces the last by the equal `v`.
  std::size_t grown() const { return values_.size(); }
  void seal(std::size_t since, Value v) {
    const auto first = static_cast<std::ptrdiff_t>(since);
    const double size = bounds_.back();
    values_.erase(values_.begin() + first, values_.end());
    bounds_.erase(bounds_.begin() + first, bounds_.end());
    values_.push_back(v);
    bounds_.push_back(size);
  }
  Value any() { return dice.one_of(values_); }
  Value recent() {
    return values_[values_.size() - 1 - static_cast<std::size_t>(dice.below(std::min<Index>(6, count())))];
  }

  // Random values for every input, different in each call.
  Feeds feeds() {
    Feeds out;
    for (const auto& [input, classes] : inputs_) {
      Tensor numbers = random_tensor(dice, input.shape(), f64, classes > 0 ? 0 : -2, classes > 0 ? classes : 2);
      out.push_back({input, numbers.cast(input.dtype())});
    }
    return out;
  }

  Graph& g;
  Dice dice;
  std::vector<Parameter> parameters;
  std::vector<Value> leaves;    // inputs and parameters of a floating dtype
  std::vector<Value> oddities;  // values of other dtypes, without derivatives

 private:
  static constexpr double limit = 4;
  Index count() const { return static_cast<Index>(values_.size()); }

  bool keep(Value v, double bound) {
    if (v.shape().elements() > kind_.max_elements) return false;
    if (bound > limit) {
      switch (dice.below(kind_.smooth ? 3 : 5)) {
        case 0: v = tanh(v * (2 / bound)); break;
        case 1: v = sin(v); break;
        case 2: v = v * (2 / bound); break;
        case 3: v = clip(v, -1.5, 2); break;
        default: v = tanh(v); break;
      }
      bound = 2;
    }
    values_.push_back(v);
    bounds_.push_back(bound);
    return true;
  }
  double bound(Value v) const {
    return bounds_[static_cast<std::size_t>(std::find(values_.begin(), values_.end(), v) - values_.begin())];
  }

  Shape random_shape() {
    Shape shape;
    const Index rank = dice.below(4);
    for (Index i = 0; i < rank && shape.elements() * kind_.max_extent <= kind_.max_elements; ++i) {
      shape.push_back(dice.one_of(palette_));
    }
    return shape;
  }

  Shape large_shape() const {
    Shape shape;
    while (shape.elements() * kind_.max_extent <= kind_.max_elements) shape.push_back(kind_.max_extent);
    return shape;
  }

  void add_leaf() { leaf(random_shape(), dice.chance(0.7) ? dice.below(2) : dice.between(2, kind_.smooth ? 2 : 4)); }
  Value leaf(const Shape& shape, Index which) {
    Value v;
    switch (which) {
      case 0:
        v = g.input(fmt::format("x{}", inputs_.size()), shape);
        inputs_.emplace_back(v, 0);
        break;
      case 1:
        parameters.emplace_back(fmt::format("p{}", parameters.size()), random_tensor(dice, shape, kind_.dtype));
        v = g.parameter(parameters.back());
        break;
      case 2: v = g.constant(random_tensor(dice, shape, kind_.dtype)); break;
      case 3: v = random_uniform(g, shape, kind_.dtype, -1, 2); break;
      default: v = clip(random_normal(g, shape, kind_.dtype), -3, 3); break;
    }
    if (which < 2) leaves.push_back(v);
    keep(v, 3);
    return v;
  }

  // A value that broadcasts with x to a result of bounded size; x itself if none is found.
  Value partner(Value x) {
    for (int i = 0; i < 12; ++i) {
      const Value y = any();
      const auto both = broadcast(x.shape(), y.shape());
      if (both && both->elements() <= kind_.max_elements) return y;
    }
    return x;
  }
  Value with_axes(int rank) {
    for (int i = 0; i < 12; ++i) {
      const Value x = any();
      if (x.shape().rank() >= rank) return x;
    }
    Shape shape;
    for (int i = 0; i < rank; ++i) shape.push_back(dice.one_of(palette_));
    return leaf(shape, dice.below(3));
  }
  Index axis_of(Value x) { return dice.between(-x.shape().rank(), x.shape().rank() - 1); }
  Axes some_axes(Value x) {
    Axes axes;
    for (Index a = 0; a < x.shape().rank(); ++a) {
      if (dice.chance(0.5)) axes.push_back(a);
    }
    return axes;
  }
  Value mask(Value a, Value b) {
    switch (dice.below(6)) {
      case 0: return a < b;
      case 1: return a >= 0.25;
      case 2: return logical_and(a <= b, logical_not(equal(a, 0)));
      case 3: return logical_or(not_equal(a, b), a > 1);
      case 4: return cast(relu(a), boolean);
      default: return greater(a, b);
    }
  }

  bool binary() {
    const Value a = recent();
    const Value b = partner(a);
    const double sizes = bound(a) + bound(b);
    switch (dice.below(kind_.smooth ? 6 : 9)) {
      case 0: return keep(a + b, sizes);
      case 1: return keep(b - a, sizes);
      case 2: return keep(a * b, bound(a) * bound(b));
      case 3: return keep(a / (b * b + 1), bound(a));
      case 4: return keep(pow(sigmoid(a) + 0.5, b), 6);
      case 5: return keep(a * dice.real(-1, 1) + dice.real(-1, 1), bound(a) + 1);
      case 6: return keep(maximum(a, b), sizes);
      case 7: return keep(minimum(a, b), sizes);
      default: return keep(1.5 - maximum(a, 0.5), bound(a) + 1.5);
    }
  }

  bool unary() {
    const Value a = recent();
    const double size = bound(a);
    if (dice.chance(0.25)) return rare(a, size);
    switch (dice.below(kind_.smooth ? 13 : 19)) {
      case 0: return keep(tanh(a), 1);
      case 1: return keep(sin(a), 1);
      case 2: return keep(cos(a), 1);
      case 3: return keep(sigmoid(a), 1);
      case 4: return keep(exp(tanh(a)), 3);
      case 5: return keep(expm1(sin(a)), 2);
      case 6: return keep(square(a), size * size);
      case 7: return keep(log(square(a) + 0.25), 3);
      case 8: return keep(log1p(square(a)), 3);
      case 9: return keep(sqrt(square(a) + 0.25), size + 0.5);
      case 10: return keep(rsqrt(square(a) + 0.25), 2);
      case 11: return keep(-a, size);
      case 12: return a.shape().rank() > 0 && keep(softmax(a, axis_of(a)), 1);
      case 13: return keep(abs(a), size);
      case 14: return keep(relu(a), size);
      case 15: return keep(sign(a) * a, size);
      case 16: return keep(clip(a, -0.75, 1), 1);
      case 17: return keep(stop_gradient(a), size);
      default: return keep(cast(exp(-abs(cast(a, f64))), kind_.dtype), 1);
    }
  }

  // Less common functions.
  bool rare(Value a, double size) {
    switch (dice.below(kind_.smooth ? 10 : 17)) {
      case 0: return keep(softplus(a), size + 1);
      case 1: return keep(gelu(a), size);
      case 2: return keep(silu(a), size);
      case 3: return keep(atan(a), 1.6);
      case 4: return keep(erf(a), 1);
      case 5: return keep(asinh(a), size);
      case 6: return keep(atan2(a, square(a) + 1), 1);
      case 7: return keep(hypot(a, 1), size + 1);
      case 8: return keep(lgamma(square(a) + 1.5), 40);
      case 9: return keep(exp2(sin(a)), 2);
      case 10: return keep(floor(a), size + 1);
      case 11: return keep(round(a) * a, (size + 1) * size);
      case 12: return keep(leaky_relu(a), size);
      case 13: return keep(elu(a), size);
      case 14: return keep(relu6(a), size);
      case 15: return keep(remainder(a, 0.75), 0.75);
      default: return keep(where(isfinite(a), a, 0), size);
    }
  }

  static Index extent_along(Value a, Index axis) { return a.shape()[axis_index(axis, a.shape().rank(), "test")]; }

  bool along_an_axis(Value a) {
    if (a.shape().rank() == 0) return false;
    const Index axis = axis_of(a);
    const double n = static_cast<double>(a.shape().elements());
    const bool reverse = dice.chance(0.5);
    switch (dice.below(4)) {
      case 0: return keep(cumsum(a, axis, reverse), bound(a) * n);
      case 1: return keep(cumprod(tanh(a), axis, reverse), 1);
      case 2: return keep(linear_scan(0.5 * tanh(a), a, axis, reverse), 2 * bound(a));
      default: return keep(prod(tanh(a), {axis}), 1);
    }
  }

  bool reduction() {
    const Value a = any();
    const bool keepdims = dice.chance(0.5);
    const double n = static_cast<double>(a.shape().elements());
    if (dice.chance(0.2)) return along_an_axis(a);
    if (n == 0) return keep(sum(a, some_axes(a), keepdims), 0);  // mean and maximum are undefined
    switch (dice.below(kind_.smooth ? 5 : 8)) {
      case 0: return keep(sum(a, some_axes(a), keepdims), bound(a) * n);
      case 1: return keep(mean(a, some_axes(a), keepdims), bound(a));
      case 2: return keep(var(a, some_axes(a), keepdims), bound(a) * bound(a));
      case 3: return keep(logsumexp(a, some_axes(a), keepdims), bound(a) + std::log(n));
      case 4: return a.shape().rank() > 0 && keep(log_softmax(a, axis_of(a)), 2 * bound(a) + std::log(n));
      case 5: return keep(max(a, some_axes(a), keepdims), bound(a));
      case 6: return keep(min(a, some_axes(a), keepdims), bound(a));
      default: {
        if (a.shape().rank() == 0) return false;
        const Index axis = axis_of(a);
        const Value best = argmax(a, axis, keepdims);
        oddities.push_back(best);
        if (dice.chance(0.5)) return keep(cast(best, kind_.dtype) * 0.1, 0.1 * n);
        const Index classes = extent_along(a, axis);
        return best.shape().elements() * classes <= kind_.max_elements && keep(one_hot(best, classes, kind_.dtype), 1);
      }
    }
  }

  static Shape batch_of(Value matrices) {
    const Shape& shape = matrices.shape();
    return Shape(std::span(shape.begin(), static_cast<std::size_t>(shape.rank() - 2)));
  }
  bool product() {
    const Value a = with_axes(2);
    const bool ta = dice.chance(0.4);
    const bool tb = dice.chance(0.4);
    const int rank = a.shape().rank();
    const Index k = a.shape()[rank - (ta ? 2 : 1)];
    Value b;
    for (int i = 0; i < 20 && !b.valid(); ++i) {
      const Value other = any();
      const int r = other.shape().rank();
      if (r < 2 || other.shape()[r - (tb ? 1 : 2)] != k) continue;
      const auto batch = broadcast(batch_of(a), batch_of(other));
      if (batch && batch->elements() * other.shape().elements() <= kind_.max_elements) b = other;
    }
    if (!b.valid()) {
      const Index n = dice.one_of(palette_);
      b = leaf(tb ? Shape{n, k} : Shape{k, n}, dice.below(3));
    }
    return keep(matmul(a, b, ta, tb), bound(a) * bound(b) * static_cast<double>(k));
  }

  bool reshaping() {
    const Value a = with_axes(1);
    const int rank = a.shape().rank();
    const int axis = static_cast<int>(dice.below(rank));
    switch (dice.below(7)) {
      case 0: return keep(reshape(a, {a.shape()[axis], -1}), bound(a));
      case 1: return keep(flatten(a, dice.below(rank)), bound(a));
      case 2: {
        std::vector<Index> order(static_cast<std::size_t>(rank));
        std::iota(order.begin(), order.end(), 0);
        for (std::size_t i = order.size(); i > 1; --i) {
          std::swap(order[i - 1], order[static_cast<std::size_t>(dice.below(static_cast<Index>(i)))]);
        }
        return keep(transpose(a, order), bound(a));
      }
      case 3: return rank < 4 && keep(expand_dims(a, dice.between(0, rank)), bound(a));
      case 4: {
        Shape to{dice.one_of(palette_)};
        for (const Index extent : a.shape()) to.push_back(extent == 1 ? dice.one_of(palette_) : extent);
        return rank < 4 && to.elements() <= kind_.max_elements && keep(broadcast_to(a, to), bound(a));
      }
      case 5: {
        Shape to = a.shape();
        to.set(axis, 1);
        return keep(sum_to(a, to), bound(a) * static_cast<double>(a.shape()[axis]));
      }
      default: return keep(pad(a, axis, dice.below(3), dice.below(3), dice.real(-1, 1)), bound(a) + 1);
    }
  }

  bool parts() {
    const Value a = with_axes(1);
    const int axis = static_cast<int>(dice.below(a.shape().rank()));
    const Index extent = a.shape()[axis];
    const Index kind = dice.below(3);
    if (kind != 1 && (extent == 0 || (kind_.empty && kind == 0 && dice.chance(0.3))))
      return keep(slice(a, axis, 0, 0), bound(a));
    switch (kind) {
      case 0: {
        const Index begin = dice.below(extent);
        return keep(slice(a, axis, begin, dice.between(begin + 1, extent), dice.between(1, 3)), bound(a));
      }
      case 1: {
        std::vector<Value> joined{a};
        for (int i = 0; i < 8; ++i) {
          const Value other = any();
          if (other.shape().rank() != a.shape().rank()) continue;
          Shape same = other.shape();
          same.set(axis, extent);
          if (same == a.shape()) joined.push_back(other);
        }
        double size = 0;
        for (const Value v : joined) size = std::max(size, bound(v));
        return keep(concat(joined, axis), size);
      }
      default: {
        const Shape shape = dice.chance(0.5) ? Shape{dice.between(1, 4)} : Shape{2, dice.one_of(palette_)};
        if (a.shape().elements() / extent * shape.elements() > kind_.max_elements) return false;
        const Value indices = g.input(fmt::format("x{}", inputs_.size()), shape, i64);
        inputs_.emplace_back(indices, extent);
        return keep(gather(a, indices, axis), bound(a));
      }
    }
  }

  bool choice() {
    const Value a = recent();
    const Value b = partner(a);
    if (kind_.smooth) {  // the mask is random and selects elements of both a and b
      if (dice.chance(0.3)) return keep(a * (bernoulli_like(a, 0.7) + 0.5), 2 * bound(a));
      const Value condition = random_uniform(g, a.shape(), kind_.dtype, -1, 1) > 0;
      return keep(where(condition, a, b) + 0.25 * (a + b), 2 * bound(a) + 2 * bound(b));
    }
    if (dice.chance(0.3)) return keep(a * bernoulli_like(a, 0.7), bound(a));
    const Value condition = mask(a, b);
    oddities.push_back(condition);
    if (dice.chance(0.2)) return keep(where(condition, a, -0.5), bound(a) + 0.5);
    return keep(where(condition, a, b), bound(a) + bound(b));
  }

  // Returns false if the random choice does not fit; the next step tries another.
  bool step() {
    // On an axis of extent 0 some operations throw.
    if (!kind_.empty) return step_of(dice.below(12));
    try {
      return step_of(dice.below(12));
    } catch (const ShapeError&) {
      return false;
    }
  }
  bool step_of(Index which) {
    if (which == 0) return (add_leaf(), true);
    if (which < 4) return binary();
    if (which < 6) return unary();
    if (which < 8) return reduction();
    if (which == 8) return product();
    if (which == 9) return reshaping();
    return which == 10 ? parts() : choice();
  }

  Kind kind_;
  std::vector<Index> palette_;  // few extents, so that shapes often match
  std::vector<Value> values_;
  std::vector<double> bounds_;
  std::vector<std::pair<Value, double>> inputs_;  // with the number of classes of an i64 input
};

}  // namespace xgrad::testing
