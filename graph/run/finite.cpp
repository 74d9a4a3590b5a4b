#include <xgrad/graph/run/finite.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include <xgrad/graph/print.hpp>
#include <xgrad/graph/run/internal/finite_check.hpp>
#include <xgrad/graph/run/internal/interpretation.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {
namespace {

template <class T>
Range range_of(std::span<const T> numbers) {
  Range out;
  out.count = static_cast<Index>(numbers.size());
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0;
  for (const T number : numbers) {
    const auto x = static_cast<double>(number);
    if (std::isnan(x)) {
      ++out.nans;
    } else if (std::isinf(x)) {
      ++out.infinities;
    } else {
      low = std::min(low, x);
      high = std::max(high, x);
      sum += x;
    }
  }
  const Index finite = out.count - out.nans - out.infinities;
  if (finite > 0) out = {low, high, sum / static_cast<double>(finite), out.count, out.nans, out.infinities};
  return out;
}

// NaN and infinity have all exponent bits set. No early exit, so that the loop vectorizes.
template <class Bits, Bits exponent>
bool finite_bits(const void* numbers, Index n) {
  const auto* from = static_cast<const char*>(numbers);
  bool found = false;
  for (Index i = 0; i < n; ++i) {
    Bits bits;
    std::memcpy(&bits, from + static_cast<std::size_t>(i) * sizeof(Bits), sizeof(Bits));
    found |= (bits & exponent) == exponent;
  }
  return !found;
}

// Finds the origin of non-finite values in a graph that was run node by node.
class Trace {
 public:
  Trace(const Graph& graph, const Interpretation& run) : graph_(graph), run_(run), ranges_(run.size()) {}

  // The first node that computed a non-finite element from which the result became non-finite; `none` if the result is
  // finite or its infinities are intended.
  static constexpr NodeId none = std::numeric_limits<NodeId>::max();
  NodeId origin(NodeId result) {
    std::vector<char> reached(result + 1, 0);
    reached[result] = static_cast<char>(!range(result).finite());
    for (NodeId id = result + 1; id-- > 0;) {
      if (reached[id] == 0) continue;
      for_each_input(id, [&](NodeId input) {
        if (!range(input).finite()) reached[input] = 1;
      });
    }
    // By node: the first node to blame for its non-finite elements; `none` if they are intended.
    std::vector<NodeId> blamed(result + 1, none);
    for (NodeId id = 0; id <= result; ++id) {
      if (reached[id] == 0) continue;
      bool from_infinity = false;
      for_each_input(id, [&](NodeId input) {
        blamed[id] = std::min(blamed[id], blamed[input]);
        from_infinity = from_infinity || range(input).infinities > 0;
      });
      if (blamed[id] != none) continue;
      const Leaf leaf = graph_.node(id).op->traits.leaf;
      const bool given = leaf == Leaf::input || leaf == Leaf::constant;
      const bool intended = range(id).nans == 0 && (given || from_infinity);
      if (!intended) blamed[id] = id;
    }
    return blamed[result];
  }

  const Range& range(NodeId id) {
    if (!ranges_[id]) ranges_[id] = xgrad::range_of(run_.tensor(id));
    return *ranges_[id];
  }

  template <class F>
  void for_each_input(NodeId id, F each) const {
    const auto inputs = graph_.inputs(id);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (reads_values(*graph_.node(id).op, i)) each(inputs[i]);
    }
  }

 private:
  const Graph& graph_;
  const Interpretation& run_;
  std::vector<std::optional<Range>> ranges_;
};

// Index of the first non-finite element, such as `[0, 7]`.
std::string first_position(const Tensor& numbers) {
  Index at = 0;
  while (std::isfinite(numbers.at(at))) ++at;
  return position_text(numbers.shape(), at);
}

const char* kind_of(const Range& range) {
  if (range.nans == 0) return "infinity";
  return range.infinities == 0 ? "NaN" : "NaN and infinity";
}

std::string text(const NonFinite& report, const Graph& graph, const Interpretation& run) {
  const Range& range = report.output.now;
  const Node& node = graph.node(report.node);
  const Index bad = range.nans + range.infinities;
  const bool leaf = node.op->traits.leaf != Leaf::none;
  std::string out = fmt::format("check_finite: {} {} {} at step {}", report.op, leaf ? "holds" : "makes",
                                kind_of(range), report.step);
  if (range.count == 1)
    out += ": its only element";
  else
    out += fmt::format(": {} of its {} elements, the first at {}", bad, range.count,
                       first_position(run.tensor(report.node)));
  out += fmt::format("\n  node: {}", run.describe(report.node));
  if (report.role == Role::backward && node.origin >= 0)
    out += fmt::format(", in the backward pass of {}", run.describe(static_cast<NodeId>(node.origin)));
  if (report.role == Role::update) out += ", in the update of parameters";
  const auto before = [&](const NonFinite::RangeChange& part) {
    if (!part.before) return std::string();
    return fmt::format("\n    at step {}, the last good one: {}", *report.last_good_step, part.before->str());
  };
  out += fmt::format("\n  {}: {}", leaf ? "values" : "output", range.str()) + before(report.output);
  for (const NonFinite::RangeChange& part : report.inputs) {
    out += fmt::format("\n  {}: {}", part.what, part.now.str()) + before(part);
  }
  out += "\n  " + report.reached;
  return out;
}

}  // namespace

Range range_of(const Tensor& numbers) {
  return with_dtype(numbers.dtype(), [&](auto zero) { return range_of(numbers.values<decltype(zero)>()); });
}

std::string Range::str() const {
  const Index finite = count - nans - infinities;
  std::string out;
  if (count == 0) return "no elements";
  if (finite == 1 || (finite > 1 && low == high))
    out = fmt::format("{}{:.6g}", finite > 1 ? "all " : "", low);
  else if (finite > 0)
    out = fmt::format("from {:.6g} to {:.6g}, mean {:.6g}", low, high, mean);
  const auto others = [&](Index n, const char* kind) {
    if (n == 0) return;
    if (!out.empty()) out += ", and ";
    out += n == count ? fmt::format("{}{}", count > 1 ? "all " : "", kind) : fmt::format("{} of {} {}", n, count, kind);
  };
  others(nans, "NaN");
  others(infinities, "infinite");
  return out;
}

bool all_finite(const Tensor& numbers) {
  const Index n = numbers.shape().elements();
  switch (numbers.dtype()) {
    case DType::f32: return finite_bits<std::uint32_t, 0x7f800000U>(numbers.raw(), n);
    case DType::f64: return finite_bits<std::uint64_t, 0x7ff0000000000000ULL>(numbers.raw(), n);
    default: return true;
  }
}

Interpretation interpret(const Graph& graph, const std::vector<Result>& results, const RunInputs& inputs, int threads) {
  std::vector<Value> values;
  for (const Result& r : results) values.push_back(r.value);
  Interpretation run(graph, values, {.threads = threads, .step = inputs.step, .first_row = inputs.first_row},
                     inputs.shapes);
  run.feed(inputs.feeds);
  for (const auto& [parameter, numbers] : inputs.parameters) run.replace(parameter, numbers);
  run.run();
  return run;
}

void throw_first_non_finite(const Graph& graph, const std::vector<Result>& results, const Interpretation& run,
                            const RunInputs* last_good) {
  Trace trace(graph, run);
  NodeId first = Trace::none;
  std::string reached;
  for (const Result& result : results) {
    const NodeId origin = trace.origin(result.value.id());
    if (origin >= first) continue;
    first = origin;
    reached = (result.value.id() == origin ? "it is " : "it reaches ") + result.name;
  }
  if (first == Trace::none) return;

  const Node& node = graph.node(first);
  NonFinite report{.node = first,
                   .op = node.op->name,
                   .role = node.role,
                   .layer = graph.scope_of(first),
                   .line = graph.location_of(first),
                   .output = {"output", trace.range(first), {}},
                   .reached = reached,
                   .step = run.step()};
  std::vector<NodeId> inputs;
  for (std::size_t i = 0; i < graph.inputs(first).size(); ++i) {
    if (!reads_values(*node.op, i)) continue;
    const NodeId id = graph.inputs(first)[i];
    report.inputs.push_back({fmt::format("input {}: {}", i, run.describe(id)), trace.range(id), {}});
    inputs.push_back(id);
  }
  if (last_good != nullptr) {
    const Interpretation good = interpret(graph, results, *last_good, run.threads());
    report.last_good_step = last_good->step;
    report.output.before = range_of(good.tensor(first));
    for (std::size_t i = 0; i < inputs.size(); ++i) report.inputs[i].before = range_of(good.tensor(inputs[i]));
  }
  const SourceLocationScope line = SourceLocationScope::of(graph, first);
  const std::string message = text(report, graph, run);
  throw NonFiniteError(message, std::move(report));
}

}  // namespace xgrad::inline v0
