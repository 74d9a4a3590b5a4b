#include <xgrad/autodiff/check/internal/difference.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include <xgrad/autodiff/internal/batch.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/walk.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

bool is_one_of(const OpDef* op, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return op == &builtin_op(name); });
}

// How a node is linear in its inputs that depend on wrt.
enum class Linear { no, sum, difference, of_first, product, quotient };

Linear kind_of(const Graph& graph, NodeId id, const std::vector<char>& depends) {
  const OpDef* op = graph.node(id).op;
  const auto inputs = graph.inputs(id);
  if (is_one_of(op, {"add"})) return Linear::sum;
  if (is_one_of(op, {"sub"})) return Linear::difference;
  if (is_one_of(op, {"neg", "sum", "sum_to", "sum_like", "reshape", "transpose", "broadcast_to", "broadcast_like"})) {
    return Linear::of_first;
  }
  if (is_one_of(op, {"mul"}) && depends[inputs[0]] != depends[inputs[1]]) return Linear::product;
  if (is_one_of(op, {"div"}) && depends[inputs[1]] == 0) return Linear::quotient;
  return Linear::no;
}

constexpr double rounding = 1e-15;  // relative error of a function value: a few ulp
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double flat(const Tensor& t, std::size_t i) { return t.values<double>()[i]; }

std::vector<Tensor> zeros_of(const std::vector<Value>& values) {
  std::vector<Tensor> out;
  for (const Value v : values) out.emplace_back(v.shape(), f64);
  return out;
}

// Calls f(i, j) for element j of value i.
template <class F>
void for_each_element(const std::vector<Tensor>& values, F f) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < static_cast<std::size_t>(values[i].elements()); ++j) f(i, j);
  }
}

}  // namespace

LinearTail::LinearTail(const std::vector<Value>& outputs, const std::vector<Value>& wrt) {
  Graph& graph = outputs[0].graph();
  const NodeId size = end_of(outputs);
  const std::vector<char> depends = numeric_dependents(graph, size, wrt);
  std::vector<Linear> kinds(size);
  for (NodeId id = 0; id < size; ++id) kinds[id] = depends[id] != 0 ? kind_of(graph, id, depends) : Linear::no;
  const std::vector<char> needed = needed_by(graph, outputs, [&](NodeId id, std::size_t i) {
    return kinds[id] != Linear::no && depends[graph.inputs(id)[i]] != 0 &&
           !graph.node(id).op->shape_only(static_cast<int>(i));
  });
  std::vector<Value> image(size);
  std::vector<Value> bound(size);
  identity_ = true;
  for (NodeId id = 0; id < size; ++id) {
    if (needed[id] == 0 || depends[id] == 0) continue;
    if (kinds[id] == Linear::no) {
      frontier_.push_back(graph.value(id));
      const std::string name = fmt::format("change of %{}", id);
      const Value known = graph.find_input(name);
      slots_.push_back(known.valid() ? known : graph.input(name, graph.node(id).type.shape, f64));
      image[id] = bound[id] = slots_.back();
      continue;
    }
    identity_ = false;
    const std::vector<NodeId> in(graph.inputs(id).begin(), graph.inputs(id).end());
    const Attrs attrs = graph.attrs(id);
    const OpDef& op = *graph.node(id).op;
    const auto with = [&](const OpDef& what, const std::vector<Value>& changes, bool absolute) {
      std::vector<Value> inputs;
      for (const NodeId i : in) {
        const Value own = graph.value(i);
        const bool factor = kinds[id] == Linear::product || kinds[id] == Linear::quotient || op.shape_only(1);
        inputs.push_back(changes[i].valid() ? changes[i] : !factor ? zeros_like(own) : absolute ? abs(own) : own);
      }
      return graph.apply(what, inputs, attrs);
    };
    image[id] = with(op, image, false);
    const bool negative = is_one_of(&op, {"neg"});
    bound[id] = negative ? bound[in[0]] : with(kinds[id] == Linear::difference ? builtin_op("add") : op, bound, true);
  }
  for (const Value v : outputs) {
    const bool constant = !image[v.id()].valid();
    images_.push_back(constant ? zeros_like(v) : image[v.id()]);
    bounds_.push_back(constant ? images_.back() : bound[v.id()]);
    identity_ = identity_ && !constant;
  }
  identity_ = identity_ && frontier_ == outputs;
}

std::vector<Tensor> LinearTail::apply(const std::vector<Tensor>& changes, Feeds feeds, bool absolute) const {
  if (identity_) return changes;
  for (std::size_t i = 0; i < slots_.size(); ++i) feeds.push_back({slots_[i], changes[i]});
  return evaluate(absolute ? bounds_ : images_, feeds, {.threads = 1});
}

DifferenceQuotients::DifferenceQuotients(const std::vector<Value>& outputs, std::vector<Tensor> weights,
                                         const std::vector<Value>& wrt, const Feeds& feeds, std::uint64_t run_step)
    : tail_(outputs, wrt), weights_(std::move(weights)), feeds_(feeds), run_step_(run_step) {}

DifferenceQuotients::Moved DifferenceQuotients::move(Value input, const Tensor& direction, double step) {
  const auto feed = std::find_if(feeds_.begin(), feeds_.end(), [&](const Feed& f) { return f.input == input; });
  const Tensor x = feed->value;
  Tensor moved = x.clone();
  const auto numbers = moved.mutable_values<double>();
  double along = 0;
  double length = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double d = flat(direction, i);
    if (d == 0) continue;
    numbers[i] += step * d;
    along += d * (numbers[i] - flat(x, i));
    length += d * d;
  }
  Moved out{{}, along / length, false};
  feed->value = moved;
  try {
    out.values = evaluate(tail_.frontier(), feeds_, {.threads = 1, .step = run_step_});
  } catch (const ValueError&) {
    out.refused = true;
  }
  feed->value = x;
  return out;
}

// Returns, for each element of the frontier's values in order, whether it depends on the perturbed input. Feeds NaN,
// which propagates through all arithmetic.
std::vector<char> DifferenceQuotients::dependents(Value input, const Tensor& direction) {
  const Moved poisoned = move(input, direction, nan);
  std::vector<char> out;
  if (poisoned.refused) {
    for (const Value v : tail_.frontier()) out.resize(out.size() + static_cast<std::size_t>(v.shape().elements()), 1);
  }
  for_each_element(poisoned.values, [&](std::size_t i, std::size_t j) {
    out.push_back(std::isnan(flat(poisoned.values[i], j)) ? 1 : 0);
  });
  return out;
}

double DifferenceQuotients::weighted(const std::vector<Tensor>& outputs, bool absolute) const {
  double sum = 0;
  for_each_element(outputs, [&](std::size_t i, std::size_t j) {
    const double w = flat(weights_[i], j);
    sum += (absolute ? std::abs(w) : w) * flat(outputs[i], j);
  });
  return sum;
}

Estimate DifferenceQuotients::central(Value input, const Tensor& direction, double h, double negligible) {
  const std::array<Moved, 4> y{move(input, direction, h), move(input, direction, -h), move(input, direction, 2 * h),
                               move(input, direction, -2 * h)};
  const double near = y[0].by - y[1].by;
  const double far = y[2].by - y[3].by;
  Estimate out{nan, 0, 0, 0};
  if (!(near > 0 && far > near)) {
    out.noise = std::numeric_limits<double>::infinity();  // the step is lost in rounding
    return out;
  }
  for (const Moved& m : y) {
    if (m.refused) return out;
  }
  std::vector<Tensor> slopes = zeros_of(tail_.frontier());
  std::vector<Tensor> bends = zeros_of(tail_.frontier());
  std::vector<Tensor> noises = zeros_of(tail_.frontier());
  std::vector<Tensor> still = zeros_of(tail_.frontier());  // noise of the elements that did not change
  bool finite = true;
  double unmoved = 0;
  for_each_element(slopes, [&](std::size_t i, std::size_t j) {
    std::array<double, 4> f{};
    for (std::size_t k = 0; k < 4; ++k) f[k] = flat(y[k].values[i], j);
    for (const double v : f) finite = finite && std::isfinite(v);
    const double steep = (f[0] - f[1]) / near;
    const double flatter = (f[2] - f[3]) / far;
    const double noise = (std::abs(f[0]) + std::abs(f[1])) * 2 * rounding / near;
    if (f[0] == f[1] && f[2] == f[3]) {
      still[i].mutable_values<double>()[j] = noise;
      unmoved = std::max(unmoved, noise);
      return;
    }
    slopes[i].mutable_values<double>()[j] = (4 * steep - flatter) / 3;
    bends[i].mutable_values<double>()[j] = steep - flatter;
    noises[i].mutable_values<double>()[j] = noise;
    out.size = std::max(out.size, std::abs(f[0]));
  });
  if (!finite) return out;
  // An unchanged element may be independent of the input, or so large that the change is lost in rounding.
  if (unmoved > negligible) {
    const std::vector<char> depends = dependents(input, direction);
    std::size_t at = 0;
    for_each_element(still, [&](std::size_t i, std::size_t j) {
      if (depends[at++] == 0) return;
      const double noise = flat(still[i], j);
      noises[i].mutable_values<double>()[j] += noise;
      if (noise > negligible) out.size = std::max(out.size, std::abs(flat(y[0].values[i], j)));
    });
  }
  out.value = weighted(tail_.apply(slopes, feeds_), false);
  out.bend = std::abs(weighted(tail_.apply(bends, feeds_), false));
  out.noise = weighted(tail_.apply(noises, feeds_, true), true);
  return out;
}

double DifferenceQuotients::one_sided(Value input, const Tensor& direction, double h) {
  const std::array<Moved, 3> y{move(input, direction, 0), move(input, direction, h), move(input, direction, 2 * h)};
  for (const Moved& m : y) {
    if (m.refused) return nan;
  }
  std::vector<Tensor> slopes = zeros_of(tail_.frontier());
  for_each_element(slopes, [&](std::size_t i, std::size_t j) {
    const double start = flat(y[0].values[i], j);
    slopes[i].mutable_values<double>()[j] =
        (4 * (flat(y[1].values[i], j) - start) - (flat(y[2].values[i], j) - start)) / (2 * h);
  });
  return weighted(tail_.apply(slopes, feeds_), false);
}

}  // namespace xgrad::inline v0
