#include <xgrad/graph/run/interpreter.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>
#include <xgrad/graph/base/internal/sizes.hpp>
#include <xgrad/graph/run/internal/finite_check.hpp>
#include <xgrad/graph/run/internal/interpretation.hpp>

namespace xgrad::inline v0 {
namespace {

// Describes the values that cannot be converted to `to` without losing more than precision; empty if all can.
std::string lost_in_conversion(const Tensor& value, DType to) {
  if (is_floating(value.dtype()) && !is_floating(to)) return "fractions would be lost";
  if (value.dtype() == DType::i64 && to == DType::boolean) {
    const auto numbers = value.values<std::int64_t>();
    const auto bad = std::find_if(numbers.begin(), numbers.end(), [](auto n) { return n != 0 && n != 1; });
    if (bad != numbers.end()) return fmt::format("{} is neither 0 nor 1", *bad);
  }
  if (value.dtype() == DType::f64 && to == DType::f32) {
    const auto numbers = value.values<double>();
    const auto bad = std::find_if(numbers.begin(), numbers.end(),
                                  [](double n) { return std::isfinite(n) && !std::isfinite(static_cast<float>(n)); });
    if (bad != numbers.end()) return fmt::format("{} is too large", *bad);
  }
  return {};
}

std::vector<Tensor> run_interpreter(const std::vector<Value>& values, const Feeds& feeds, const RunOptions& options) {
  check_run_options("evaluate", options);
  Interpretation run(values[0].graph(), values, options);
  run.feed(find_inputs(values[0].graph(), feeds));
  run.run();
  if (options.check_finite) {
    std::vector<Result> results;
    for (std::size_t i = 0; i < values.size(); ++i) {
      results.push_back({values[i], fmt::format("value {}, {}", i, values[i].describe())});
    }
    throw_first_non_finite(values[0].graph(), results, run);
  }
  std::vector<Tensor> out;
  // Clone, since a leaf's tensor may be borrowed or change later.
  for (const Value v : values) out.push_back(run.tensor(v.id()).clone());
  return out;
}

}  // namespace

Feeds find_inputs(const Graph& graph, Feeds feeds) {
  for (Feed& feed : feeds) {
    if (feed.input.valid() || feed.name.empty()) continue;
    feed.input = graph.find_input(feed.name);
    if (feed.input.valid()) continue;
    std::vector<std::string> known;
    for (NodeId id = 0; id < graph.size(); ++id) {
      if (graph.node(id).op->traits.leaf == Leaf::input) known.push_back(graph.name(id));
    }
    fail_unknown_feed(feed.name, known);
  }
  return feeds;
}

void fail_unknown_feed(const std::string& name, std::vector<std::string> known) {
  for (std::string& other : known) other = fmt::format("{:?}", other);
  throw FeedError(fmt::format("feed {:?}: the graph has no input of that name{}{}", name,
                              known.empty() ? "" : "; it has ", list_text(known)));
}

std::vector<Tensor> evaluate(const std::vector<Value>& values, const Feeds& feeds, const RunOptions& options) {
  if (values.empty()) return {};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i].valid()) throw GraphError(fmt::format("evaluate: value {} is empty", i));
    values[0].graph().require(values[i], "evaluate");
  }
  return with_memory(
      [&] { return run_interpreter(values, feeds, options); },
      [&] { return fmt::format("evaluate: out of memory for a graph of {} nodes", values[0].graph().size()); });
}

Tensor evaluate(Value value, const Feeds& feeds, const RunOptions& options) {
  return evaluate(std::vector<Value>{value}, feeds, options)[0];
}

void check_run_options(const char* where, const RunOptions& options) {
  if (options.first_row < 0)
    throw UserError(fmt::format("{}: first_row = {}, expected 0 or more", where, options.first_row));
}

Tensor convert_feed(const std::string& name, const TensorType& expected, const Tensor& value) {
  const auto fail = [&](const std::string& why) {
    throw FeedError(fmt::format("feed {:?}: expected {}, got {}{}", name, expected.str(),
                                value.empty() ? "an empty Tensor" : value.type().str(), why));
  };
  if (value.empty() || value.shape() != expected.shape) fail("");
  if (value.dtype() == expected.dtype) return value;
  if (const std::string lost = lost_in_conversion(value, expected.dtype); !lost.empty()) fail(": " + lost);
  return value.cast(expected.dtype);
}

}  // namespace xgrad::inline v0
