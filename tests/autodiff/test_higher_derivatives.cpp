// Derivatives to order 3 of every differentiable operation and composition, at 0, +-1 and special points, against
// truncated Taylor series, a reference without step size and noise. Guards in a rule, such as a `where`, must not break
// higher orders.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/check/internal/sample_numbers.hpp>
#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/compositions.hpp"
#include "support/taylor.hpp"

using namespace xgrad;
using testing::Taylor;
namespace taylor = xgrad::testing::taylor;

namespace {

using TaylorFunction = std::function<Taylor(const std::vector<Taylor>&, const Attrs&)>;

Taylor sign_times(const Taylor& x) { return x.value() > 0 ? x : x.value() < 0 ? -x : Taylor(0); }
// At a tie each side gets half of the derivative, as documented.
Taylor chosen(const Taylor& a, const Taylor& b, bool first) {
  return a.value() == b.value() ? (a + b) * 0.5L : first ? a : b;
}

// Reference functions of the elementwise operations.
const std::map<std::string, TaylorFunction>& elementwise_functions() {
  using V = const std::vector<Taylor>&;
  using A = const Attrs&;
  static const std::map<std::string, TaylorFunction> out{
      {"add", [](V x, A) { return x[0] + x[1]; }},
      {"sub", [](V x, A) { return x[0] - x[1]; }},
      {"mul", [](V x, A) { return x[0] * x[1]; }},
      {"div", [](V x, A) { return x[0] / x[1]; }},
      {"neg", [](V x, A) { return -x[0]; }},
      {"square", [](V x, A) { return x[0] * x[0]; }},
      {"sqrt", [](V x, A) { return taylor::sqrt(x[0]); }},
      {"rsqrt", [](V x, A) { return Taylor(1) / taylor::sqrt(x[0]); }},
      {"cbrt", [](V x, A) { return taylor::cbrt(x[0]); }},
      {"abs", [](V x, A) { return sign_times(x[0]); }},
      {"relu", [](V x, A) { return x[0].value() > 0 ? x[0] : Taylor(0); }},
      {"maximum", [](V x, A) { return chosen(x[0], x[1], x[0].value() > x[1].value()); }},
      {"minimum", [](V x, A) { return chosen(x[0], x[1], x[0].value() < x[1].value()); }},
      {"exp", [](V x, A) { return taylor::exp(x[0]); }},
      {"exp2", [](V x, A) { return taylor::exp(x[0] * std::numbers::ln2_v<long double>); }},
      {"expm1", [](V x, A) { return taylor::expm1(x[0]); }},
      {"log", [](V x, A) { return taylor::log(x[0]); }},
      {"log2", [](V x, A) { return taylor::log(x[0]) / std::numbers::ln2_v<long double>; }},
      {"log10", [](V x, A) { return taylor::log(x[0]) / std::numbers::ln10_v<long double>; }},
      {"log1p", [](V x, A) { return taylor::log1p(x[0]); }},
      {"sin", [](V x, A) { return taylor::sin(x[0]); }},
      {"cos", [](V x, A) { return taylor::cos(x[0]); }},
      {"tan", [](V x, A) { return taylor::sin(x[0]) / taylor::cos(x[0]); }},
      {"asin", [](V x, A) { return taylor::asin(x[0]); }},
      {"acos", [](V x, A) { return taylor::acos(x[0]); }},
      {"atan", [](V x, A) { return taylor::atan(x[0]); }},
      {"atan2", [](V x, A) { return taylor::atan2(x[0], x[1]); }},
      {"hypot", [](V x, A) { return taylor::hypot(x[0], x[1]); }},
      {"sinh", [](V x, A) { return taylor::sinh(x[0]); }},
      {"cosh", [](V x, A) { return taylor::cosh(x[0]); }},
      {"tanh", [](V x, A) { return taylor::tanh(x[0]); }},
      {"asinh", [](V x, A) { return taylor::asinh(x[0]); }},
      {"acosh", [](V x, A) { return taylor::acosh(x[0]); }},
      {"atanh", [](V x, A) { return taylor::atanh(x[0]); }},
      {"sigmoid", [](V x, A) { return taylor::sigmoid(x[0]); }},
      {"softplus", [](V x, A) { return taylor::softplus(x[0]); }},
      {"erf", [](V x, A) { return taylor::erf(x[0]); }},
      {"erfc", [](V x, A) { return Taylor(1) - taylor::erf(x[0]); }},
      {"erfinv",
       [](V x, A) {
         Graph g({.dtype = f64});
         const double start = evaluate(erfinv(g.constant(static_cast<double>(x[0].value())))).item();
         return taylor::erfinv(x[0], static_cast<long double>(start));
       }},
      {"lgamma", [](V x, A) { return taylor::lgamma(x[0]); }},
      {"digamma", [](V x, A) { return taylor::polygamma(0, x[0]); }},
      {"polygamma", [](V x, A a) { return taylor::polygamma(static_cast<int>(a.integer("n")), x[0]); }},
      {"pow", [](V x, A) { return taylor::pow(x[0], x[1]); }},
      {"fmod", [](V x, A) { return x[0] - x[1] * std::trunc(x[0].value() / x[1].value()); }},
      {"remainder", [](V x, A) { return x[0] - x[1] * std::floor(x[0].value() / x[1].value()); }},
      {"where", [](V x, A) { return x[0].value() != 0 ? x[1] : x[2]; }},
  };
  return out;
}

// Piecewise constant operations: only the value, by the library's kernel, which has separate tests.
const std::set<std::string> constant_pieces{
    "sign",       "floor",  "ceil",      "round",       "trunc",      "floor_divide", "less",
    "less_equal", "equal",  "not_equal", "logical_and", "logical_or", "logical_xor",  "logical_not",
    "argmax",     "argmin", "argsort",   "one_hot",     "count",      "any",          "all"};

// Operations that are linear in their floating inputs together; other inputs only select positions.
// clang-format off
const std::set<std::string> linear{
    "sum", "sum_to", "sum_like", "reshape", "reshape_like", "flatten", "unflatten", "expand_dims", "squeeze",
    "transpose", "broadcast_to", "broadcast_like", "stretch", "slice", "unslice", "concat", "concat_part",
    "gather", "scatter_add", "take_along_axis", "scatter_along_axis", "scatter_update", "updated_slices",
    "cumsum", "diagonal", "from_diagonal", "tril", "triu", "unfold", "fold", "window_mean",
    "window_mean_scatter", "unpad", "probabilities", "remat_barrier", "cast"};
// clang-format on

struct TaylorTensor {
  Shape shape;
  std::vector<Taylor> elements;
  std::vector<Tensor> exact;  // for integers and booleans: the tensor itself
};

// Coefficient k of all elements as a tensor.
Tensor coefficient(const TaylorTensor& x, std::size_t k) {
  if (!x.exact.empty()) return x.exact[0];
  Tensor out(x.shape, f64);
  for (std::size_t i = 0; i < x.elements.size(); ++i)
    out.mutable_values<double>()[i] = static_cast<double>(x.elements[i].c[k]);
  return out;
}

struct NoOracle {
  std::string op;
};

// Evaluates a graph on Taylor series, node by node.
class TaylorWalk {
 public:
  TaylorWalk(Graph& graph, std::map<NodeId, TaylorTensor> inputs) : graph_(graph), values_(std::move(inputs)) {}

  const TaylorTensor& at(Value v) {
    const std::vector<char> need = needed(v.id());
    for (NodeId id = 0; id <= v.id(); ++id) {
      if (need[id] != 0 && values_.count(id) == 0) values_[id] = compute(id);
    }
    return values_.at(v.id());
  }

 private:
  std::vector<char> needed(NodeId last) const {
    std::vector<char> out(last + 1, 0);
    out[last] = 1;
    for (NodeId id = last + 1; id-- > 0;) {
      if (out[id] == 0 || values_.count(id) > 0) continue;
      for (const NodeId i : graph_.inputs(id)) out[i] = 1;
    }
    return out;
  }

  Tensor by_kernel(NodeId id, const std::vector<Tensor>& in) const {
    Graph g({.dtype = f64});
    std::vector<Value> inputs;
    Feeds feeds;
    for (std::size_t i = 0; i < in.size(); ++i) {
      inputs.push_back(g.input("x" + std::to_string(i), in[i].shape(), in[i].dtype()));
      feeds.push_back({inputs.back(), in[i]});
    }
    return evaluate(g.apply(*graph_.node(id).op, inputs, graph_.attrs(id)), feeds);
  }

  TaylorTensor constant(const Tensor& t) const {
    TaylorTensor out{t.shape(), {}, {}};
    for (Index i = 0; i < t.elements(); ++i) out.elements.emplace_back(static_cast<long double>(t.at(i)));
    if (!is_floating(t.dtype())) out.exact.push_back(t);
    return out;
  }

  TaylorTensor from_coefficients(const std::vector<Tensor>& all) const {
    TaylorTensor out = constant(all[0]);
    for (std::size_t k = 1; k < all.size(); ++k) {
      for (std::size_t i = 0; i < out.elements.size(); ++i)
        out.elements[i].c[k] = static_cast<long double>(all[k].at(static_cast<Index>(i)));
    }
    return out;
  }

  std::vector<Tensor> inputs_at(NodeId id, std::size_t k) const {
    std::vector<Tensor> out;
    for (const NodeId i : graph_.inputs(id)) out.push_back(coefficient(values_.at(i), k));
    return out;
  }

  TaylorTensor elementwise(NodeId id, const TaylorFunction& f) const {
    const Shape& shape = graph_.node(id).type.shape;
    TaylorTensor out{shape, {}, {}};
    const auto strides = shape.strides();
    for (Index i = 0; i < shape.elements(); ++i) {
      std::vector<Taylor> x;
      for (const NodeId from : graph_.inputs(id)) {
        const TaylorTensor& t = values_.at(from);
        const auto own = broadcast_strides(t.shape, shape);
        Index flat = 0;
        for (int axis = 0; axis < shape.rank(); ++axis) {
          const auto a = static_cast<std::size_t>(axis);
          flat += i / strides[a] % shape[axis] * own[a];
        }
        x.push_back(t.elements[static_cast<std::size_t>(flat)]);
      }
      out.elements.push_back(f(x, graph_.attrs(id)));
    }
    return out;
  }

  // Evaluates running products and recurrences: step(total, position) in order along the axis.
  template <class Step>
  TaylorTensor along_axis(NodeId id, Taylor start, Step step) const {
    const Shape& shape = graph_.node(id).type.shape;
    const auto axis = static_cast<int>(graph_.attrs(id).integer("axis"));
    const bool reverse = graph_.attrs(id).flag("reverse");
    const Index stride = shape.strides()[static_cast<std::size_t>(axis)];
    TaylorTensor out{shape, std::vector<Taylor>(static_cast<std::size_t>(shape.elements())), {}};
    for (Index line = 0; line < shape.elements(); ++line) {
      if (line / stride % shape[axis] != 0) continue;
      Taylor total = start;
      for (Index k = 0; k < shape[axis]; ++k) {
        const auto at = static_cast<std::size_t>(line + (reverse ? shape[axis] - 1 - k : k) * stride);
        total = out.elements[at] = step(total, at);
      }
    }
    return out;
  }

  // Products, maxima and minima: collects the elements that are reduced to one of the output.
  TaylorTensor reduced(NodeId id) const {
    const std::string& name = graph_.node(id).op->name;
    const TaylorTensor& x = values_.at(graph_.inputs(id)[0]);
    // Find the target of each element by reducing one-hot tensors.
    const Shape& shape = graph_.node(id).type.shape;
    std::vector<std::vector<Taylor>> meeting(static_cast<std::size_t>(shape.elements()));
    for (std::size_t i = 0; i < x.elements.size(); ++i) {
      Tensor one(x.shape, f64);
      one.mutable_values<double>()[i] = 1;
      Graph g({.dtype = f64});
      const Value in = g.input("x", x.shape);
      const Tensor where = evaluate(g.apply(builtin_op("sum"), {in}, graph_.attrs(id)), {{in, one}});
      for (Index j = 0; j < where.elements(); ++j) {
        if (where.at(j) != 0) meeting[static_cast<std::size_t>(j)].push_back(x.elements[i]);
      }
    }
    TaylorTensor out{shape, {}, {}};
    for (const auto& elements : meeting) {
      Taylor y = name == "prod" ? Taylor(1) : elements.at(0);
      if (name == "prod") {
        for (const Taylor& e : elements) y = y * e;
      } else {
        for (const Taylor& e : elements) {
          if (name == "max" ? e.value() > y.value() : e.value() < y.value()) y = e;
        }
        Taylor sum;
        long double ties = 0;
        for (const Taylor& e : elements) {
          if (e.value() != y.value()) continue;
          sum = sum + e;
          ties += 1;
        }
        y = sum / ties;
      }
      out.elements.push_back(y);
    }
    return out;
  }

  TaylorTensor compute(NodeId id) const {
    const Node& node = graph_.node(id);
    const std::string& name = node.op->name;
    if (node.op->traits.leaf == Leaf::constant) return constant(graph_.constant_of(id));
    const auto element = elementwise_functions().find(name);
    if (element != elementwise_functions().end() && is_floating(node.type.dtype))
      return elementwise(id, element->second);
    if (constant_pieces.count(name) > 0 || !is_floating(node.type.dtype) || name == "stop_gradient" ||
        (name != "broadcast_like" && name != "unslice" && node.op->shape_only(0))) {
      return constant(by_kernel(id, inputs_at(id, 0)));
    }
    std::vector<Tensor> all;
    if (name == "cast" && !values_.at(graph_.inputs(id)[0]).exact.empty())
      return constant(by_kernel(id, inputs_at(id, 0)));
    if (linear.count(name) > 0) {
      for (std::size_t k = 0; k <= Taylor::order; ++k) all.push_back(by_kernel(id, inputs_at(id, k)));
      return from_coefficients(all);
    }
    if (name.starts_with("window_max")) {  // linear in input 0; the last input selects positions
      const Tensor scores = inputs_at(id, 0).back();
      for (std::size_t k = 0; k <= Taylor::order; ++k) all.push_back(by_kernel(id, {inputs_at(id, k)[0], scores}));
      return from_coefficients(all);
    }
    if (const auto composed = testing::compositions().find(name); composed != testing::compositions().end()) {
      Graph g({.dtype = f64});
      std::vector<Value> inputs;
      std::map<NodeId, TaylorTensor> start;
      for (const NodeId from : graph_.inputs(id)) {
        inputs.push_back(
            g.input("x" + std::to_string(inputs.size()), graph_.node(from).type.shape, graph_.node(from).type.dtype));
        start[inputs.back().id()] = values_.at(from);
      }
      return TaylorWalk(g, start).at(composed->second(inputs, graph_.attrs(id)));
    }
    if (name == "pad") {  // linear except for the fill value
      TaylorTensor out = constant(by_kernel(id, inputs_at(id, 0)));
      const Tensor zeros = by_kernel(id, {Tensor(values_.at(graph_.inputs(id)[0]).shape, f64)});
      for (std::size_t k = 1; k <= Taylor::order; ++k) {
        const Tensor t = by_kernel(id, inputs_at(id, k));
        for (std::size_t i = 0; i < out.elements.size(); ++i) {
          out.elements[i].c[k] =
              static_cast<long double>(t.at(static_cast<Index>(i)) - zeros.at(static_cast<Index>(i)));
        }
      }
      return out;
    }
    if (name == "matmul" || name.starts_with("convolution")) {  // bilinear
      for (std::size_t k = 0; k <= Taylor::order; ++k) {
        Tensor sum(node.type.shape, f64);
        for (std::size_t j = 0; j <= k; ++j) {
          std::vector<Tensor> operands = inputs_at(id, j);
          operands[1] = inputs_at(id, k - j)[1];
          const Tensor part = by_kernel(id, operands);
          for (Index i = 0; i < part.elements(); ++i)
            sum.mutable_values<double>()[static_cast<std::size_t>(i)] += part.at(i);
        }
        all.push_back(sum);
      }
      return from_coefficients(all);
    }
    if (name == "prod" || name == "max" || name == "min") return reduced(id);
    if (name == "cumprod" || name == "linear_scan") {
      const TaylorTensor& a = values_.at(graph_.inputs(id)[0]);
      if (name == "cumprod") {
        return along_axis(id, 1, [&](const Taylor& total, std::size_t i) { return total * a.elements[i]; });
      }
      const TaylorTensor& b = values_.at(graph_.inputs(id)[1]);
      return along_axis(id, 0,
                        [&](const Taylor& total, std::size_t i) { return a.elements[i] * total + b.elements[i]; });
    }
    throw NoOracle{name};
  }

  Graph& graph_;
  std::map<NodeId, TaylorTensor> values_;
};

// Function, inputs and directions of one comparison.
struct Case {
  std::string name;
  std::function<Value(Graph&, const std::vector<Value>&)> make;
  std::vector<Tensor> inputs;
  std::vector<bool> moves;
};

enum class Outcome { agrees, singular, differs };

// Compares the value and three derivatives along a direction, from the graph and from the reference. Singular: the
// reference has no finite series at the point.
Outcome compare(const Case& c, std::string& what) {
  Graph g({.dtype = f64});
  SampleSource random(seed_from(3, c.name));
  std::vector<Value> inputs;
  std::vector<Value> wrt;
  std::vector<Tensor> directions;
  Feeds feeds;
  std::map<NodeId, TaylorTensor> start;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const Tensor& t = c.inputs[i];
    inputs.push_back(g.input("x" + std::to_string(i), t.shape(), t.dtype()));
    feeds.push_back({inputs.back(), t});
    TaylorTensor x{t.shape(), {}, {}};
    for (Index k = 0; k < t.elements(); ++k) x.elements.emplace_back(static_cast<long double>(t.at(k)));
    if (!is_floating(t.dtype())) {
      x.exact.push_back(t);
    } else if (c.moves[i]) {
      wrt.push_back(inputs.back());
      directions.push_back(random.weights(t.shape()));
      for (std::size_t k = 0; k < x.elements.size(); ++k)
        x.elements[k].c[1] = static_cast<long double>(directions.back().at(static_cast<Index>(k)));
    }
    start[inputs.back().id()] = std::move(x);
  }
  const Value y = c.make(g, inputs);
  const Tensor weights = random.weights(y.shape());
  std::vector<Value> derivatives{sum(y * g.constant(weights))};
  for (std::size_t k = 1; k <= Taylor::order; ++k) {
    const auto by = gradients(derivatives.back(), wrt, {.unconnected = Unconnected::zeros});
    Value total;
    for (std::size_t i = 0; i < by.size(); ++i) {
      const Value part = sum(by[i] * g.constant(directions[i]));
      total = total.valid() ? total + part : part;
    }
    derivatives.push_back(total);
  }
  const auto got = evaluate(derivatives, feeds, {.threads = 1});
  const TaylorTensor series = TaylorWalk(g, start).at(y);
  long double factorial = 1;
  long double largest = 0;  // of all orders so far; rounding is proportional to it
  for (std::size_t k = 0; k <= Taylor::order; ++k) {
    if (k > 0) factorial *= static_cast<long double>(k);
    long double expected = 0, size = 0;
    for (std::size_t i = 0; i < series.elements.size(); ++i) {
      if (!std::isfinite(series.elements[i].c[k])) return Outcome::singular;
      const long double part =
          factorial * series.elements[i].c[k] * static_cast<long double>(weights.at(static_cast<Index>(i)));
      expected += part;
      size += std::abs(part);
    }
    const auto number = static_cast<long double>(got[k].item());
    largest = std::max(largest, size);
    if (std::abs(number - expected) <= 1e-9L * size + 1e-14L * largest + 1e-10L) continue;
    what = c.name + ": order " + std::to_string(k) + ": " + std::to_string(got[k].item()) + ", but the series gives " +
           std::to_string(static_cast<double>(expected));
    for (const Tensor& t : c.inputs) what += "\n  at " + t.str();
    return Outcome::differs;
  }
  return Outcome::agrees;
}

// Totals over suites and points; every failure is reported.
struct Tally {
  Index agreeing = 0;
  void add(const Case& c) {
    std::string what;
    const Outcome outcome = compare(c, what);
    if (outcome == Outcome::differs) FAIL_CHECK(what);
    if (outcome == Outcome::agrees) ++agreeing;
  }
};

Tensor filled(const Shape& shape, const std::vector<double>& numbers, std::size_t from) {
  Tensor out(shape, f64);
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape.elements()); ++i)
    out.mutable_values<double>()[i] = numbers[(from + i) % numbers.size()];
  return out;
}

// All choices of varied inputs: each alone, and all together.
void add_moving(Tally& tally, Case c) {
  const std::size_t n = c.inputs.size();
  for (std::size_t alone = 0; alone <= n; ++alone) {
    if (n == 1 && alone == 1) continue;
    c.moves.assign(n, false);
    bool any = false;
    for (std::size_t i = 0; i < n; ++i) {
      c.moves[i] = (alone == n || i == alone) && is_floating(c.inputs[i].dtype());
      any = any || c.moves[i];
    }
    if (any) tally.add(c);
  }
}

const std::vector<double> points{0, 1, -1, 2, -2, 0.5, -0.5, 3, 6, -3, 1e-3, 20, -20};

bool has_derivative(const OpDef& op) { return op.vjp != nullptr && op.traits.leaf == Leaf::none && !op.traits.random; }

}  // namespace

TEST_CASE("higher derivatives: every elementwise operation agrees with its reference to order 3") {
  for (const auto& defined : builtin_ops().all()) {
    const OpDef& op = *defined;
    if (!op.traits.elementwise || !has_derivative(op)) continue;
    CAPTURE(op.name);
    REQUIRE(elementwise_functions().count(op.name) == 1);
    Tally tally;
    Case c{op.name, [&](Graph& g, const std::vector<Value>& in) { return g.apply(op, in); }, {}, {}};
    const bool mask = op.name == "where";
    for (const double a : points) {
      if (op.max_inputs == 1) {
        c.inputs = {Tensor::full({1}, a, f64)};
        add_moving(tally, c);
      }
      for (const double b : points) {
        if (op.max_inputs == 1) break;
        c.inputs = {Tensor::full({1}, a, f64), Tensor::full({1}, b, f64)};
        if (mask) c.inputs.insert(c.inputs.begin(), Tensor::full({1}, a > b ? 1 : 0, boolean));
        add_moving(tally, c);
      }
    }
    CHECK(tally.agreeing > 2);
  }
}

TEST_CASE("higher derivatives: polygamma of any order") {
  Tally tally;
  for (const int n : {1, 2, 5}) {
    for (const double a : {1.0, 0.5, 2.0, -0.5, -1.5, 30.0}) {
      Case c{"polygamma",
             [n](Graph&, const std::vector<Value>& in) { return polygamma(n, in[0]); },
             {Tensor::full({1}, a, f64)},
             {true}};
      tally.add(c);
    }
  }
  CHECK(tally.agreeing == 18);
}

TEST_CASE("higher derivatives: powers of tensors at 0, and products of powers") {
  Tally tally;
  const std::vector<double> exponents{0, 1, 2, 3, 4, 0, 1, 2};
  const std::vector<double> bases{0, 0, 0, 0, 0, -1, 1e-200, -1e-200};
  const Case c{"powers",
               [&](Graph& g, const std::vector<Value>& in) {
                 const Value p = pow(in[0], g.constant(filled({8}, exponents, 0)));
                 return p * (1 + pow(in[0], 0.0) + pow(in[0], 1.0)) + square(p);
               },
               {filled({8}, bases, 0)},
               {true}};
  tally.add(c);
  CHECK(tally.agreeing == 1);
}

TEST_CASE("higher derivatives: every operation and composition on its samples, with special points among the numbers") {
  std::set<std::string> without;
  const auto run = [&](const std::string& name, const auto& make, std::span<const Sample> samples) {
    CAPTURE(name);
    Tally tally;
    Index tried = 0;
    for (const Sample& sample : samples) {
      Index elements = 0;
      bool empty = false;
      for (const SampleInput& in : sample.inputs) {
        elements = std::max(elements, in.shape.elements());
        empty = empty || in.shape.elements() == 0;
      }
      if (empty || elements > 20) continue;
      Attrs attrs = sample.attrs;
      for (const auto& [key, value] : sample.attrs.items()) {
        const auto* dtype = std::get_if<DType>(&value);
        if (dtype != nullptr && *dtype == f32) attrs.set(key, f64);
      }
      SampleSource source(seed_from(7, name + sample.label));
      Case c{name + ", " + sample.label,
             [&](Graph& g, const std::vector<Value>& in) { return make(g, in, attrs); },
             {},
             {}};
      for (const SampleInput& in : sample.inputs) c.inputs.push_back(source.tensor(in.shape, in.domain));
      Graph probe({.dtype = f64});
      std::vector<Value> inputs;
      for (std::size_t i = 0; i < c.inputs.size(); ++i)
        inputs.push_back(probe.input("x" + std::to_string(i), c.inputs[i].shape(), c.inputs[i].dtype()));
      if (!is_floating(make(probe, inputs, attrs).dtype())) continue;
      const std::vector<Tensor> own = c.inputs;
      // Rounds: the sample's values; some replaced by 0 or 1; only special points, where accepted.
      for (int round = 0; round < 4; ++round) {
        for (std::size_t i = 0; i < own.size(); ++i) {
          if (own[i].dtype() != f64) continue;
          const Domain& domain = sample.inputs[i].domain;
          std::vector<double> taken;
          for (const double p : points) {
            if (p >= domain.low && p <= domain.high) taken.push_back(p);
          }
          const double special = round == 1 ? 0 : 1;
          const bool takes = std::find(taken.begin(), taken.end(), special) != taken.end();
          c.inputs[i] = round > 2 && taken.size() > 1 ? filled(own[i].shape(), taken, i) : own[i].clone();
          if (takes && ((round == 1 && i == 0) || round == 2)) c.inputs[i].mutable_values<double>()[0] = special;
        }
        try {
          ++tried;
          add_moving(tally, c);
        } catch (const NoOracle& missing) {
          without.insert(missing.op);
          return;
        } catch (const UserError&) {
          // The operation does not accept these values.
        }
      }
    }
    if (tried > 0) CHECK(tally.agreeing > 0);
  };
  for (const auto& defined : builtin_ops().all()) {
    const OpDef& op = *defined;
    if (!has_derivative(op)) continue;
    run(
        op.name, [&](Graph& g, std::span<const Value> in, const Attrs& a) { return g.apply(op, in, a); }, op.samples);
  }
  for (const Composite& c : builtin_composites()) {
    run(
        c.name, [&](Graph&, std::span<const Value> in, const Attrs& a) { return c.build(in, a); }, c.samples);
  }
  // Every operation must have a reference.
  std::string missing;
  for (const std::string& name : without) missing += name + " ";
  CHECK(missing == "");
}
