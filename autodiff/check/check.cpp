#include <xgrad/autodiff/check/check.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xgrad/autodiff/check/internal/compare.hpp>
#include <xgrad/autodiff/check/internal/sample_numbers.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {
namespace {

void check_arguments(Value y, const std::vector<Value>& wrt) {
  constexpr const char* where = "check_gradients";
  if (!y.valid()) throw GraphError(fmt::format("{}: y is an empty Value", where));
  if (wrt.empty()) throw GraphError(fmt::format("{}: wrt is empty", where));
  const Graph& graph = y.graph();
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    graph.require(wrt[i], fmt::format("{}: wrt {}", where, i));
    const Leaf leaf = wrt[i].node().op->traits.leaf;
    if (leaf != Leaf::input && leaf != Leaf::parameter) {
      throw GraphError(fmt::format("{}: wrt must be inputs or parameters, got {}", where, wrt[i].describe()));
    }
    if (!is_floating(wrt[i].dtype())) {
      throw GradientError(fmt::format("{}: wrt must be f32 or f64: {}", where, wrt[i].describe()));
    }
    if (std::find(wrt.begin(), wrt.begin() + static_cast<std::ptrdiff_t>(i), wrt[i]) !=
        wrt.begin() + static_cast<std::ptrdiff_t>(i)) {
      throw GraphError(fmt::format("{}: wrt lists {} twice", where, wrt[i].describe()));
    }
  }
  if (!is_floating(y.dtype())) {
    throw GradientError(fmt::format("{}: y must be f32 or f64: {}", where, y.describe()));
  }
}

DType wider(DType t) { return t == f32 ? f64 : t; }

Attrs wider(const Attrs& attrs) {
  Attrs out = attrs;
  for (const auto& [name, value] : attrs.items()) {
    if (const auto* dtype = std::get_if<DType>(&value)) out.set(name, wider(*dtype));
  }
  return out;
}

class Rebuilder {
 public:
  Rebuilder(Graph& target, const Graph& source) : target_(target), source_(source) {}

  Value copy(NodeId id) {
    const Node& node = source_.node(id);
    const SourceLocationScope line = SourceLocationScope::instead(source_.line_of(id), &target_);
    switch (node.op->traits.leaf) {
      case Leaf::input: return target_.input(source_.name(id), node.type.shape, wider(node.type.dtype));
      case Leaf::parameter: return parameter(source_.parameter_of(id));
      case Leaf::constant: {
        if (const auto number = scalar_constant(source_, id)) {
          return target_.constant(rounded(*number, node.type.dtype), wider(node.type.dtype));
        }
        const Tensor numbers = source_.constant_of(id);
        return target_.constant(numbers.cast(wider(numbers.dtype())));
      }
      case Leaf::none: break;
    }
    std::vector<Value> inputs;
    for (const NodeId i : source_.inputs(id)) inputs.push_back(copies[i]);
    const Value out = target_.apply(*node.op, inputs, wider(source_.attrs(id)));
    if (!source_.name(id).empty()) target_.set_name(out, source_.name(id));
    return out;
  }

  std::vector<Value> copies;
  Feeds parameters;

 private:
  // Rounds constants to f32 as the source graph does, so that both graphs compute the same function.
  static double rounded(double number, DType dtype) {
    return dtype == f32 ? static_cast<double>(static_cast<float>(number)) : number;
  }

  Value parameter(const Parameter& parameter) {
    std::string name = parameter.name().empty() ? "parameter" : parameter.name();
    for (int i = 1; target_.find_input(name).valid() || source_.find_input(name).valid(); ++i) {
      name = fmt::format("{}_{}", parameter.name(), i);
    }
    const Tensor numbers = parameter.value();
    const Value out = target_.input(name, numbers.shape(), wider(numbers.dtype()));
    parameters.push_back({out, numbers.cast(wider(numbers.dtype()))});
    return out;
  }

  Graph& target_;
  const Graph& source_;
};

// Feeds of the rebuilt graph's inputs: the user's feeds, the parameters' values, and random values for the rest.
Feeds complete_feeds(const Graph& source, Graph& target, const Rebuilt& rebuilt, const Feeds& given,
                     const CheckOptions& options) {
  Feeds out = rebuilt.parameters;
  const auto fed = [&](Value input) {
    return std::any_of(out.begin(), out.end(), [&](const Feed& f) { return f.input == input; });
  };
  for (const Feed& feed : find_inputs(source, given)) {
    try {
      source.require(feed.input, "feed");
    } catch (const GraphError& error) {
      throw FeedError(error.message());
    }
    const NodeId id = feed.input.id();
    if (source.node(id).op->traits.leaf != Leaf::input) {
      throw FeedError(fmt::format("feed: only inputs can be fed, but this is {}", source.describe(id)));
    }
    const Value input = target.find_input(source.name(id));
    const Tensor numbers = convert_feed(
        source.name(id), {input.valid() ? input.dtype() : source.node(id).type.dtype, source.node(id).type.shape},
        feed.value);
    if (!input.valid()) continue;  // y does not depend on it
    if (fed(input)) throw FeedError(fmt::format("feed {:?}: it is fed twice", source.name(id)));
    out.push_back({input, numbers});
  }
  SampleSource numbers(seed_from(options.seed, "feeds"));
  for (NodeId id = 0; id < target.size(); ++id) {
    const Node& node = target.node(id);
    const Value input = target.value(id);
    if (node.op->traits.leaf != Leaf::input || fed(input)) continue;
    if (node.type.dtype == i64) {
      throw FeedError(
          fmt::format("check_gradients: input {:?} {} must be fed: random values would need a range of integers",
                      target.name(id), node.type.str()));
    }
    const Domain domain = node.type.dtype == boolean ? domain::booleans() : domain::any();
    out.push_back({input, numbers.tensor(node.type.shape, domain)});
  }
  return out;
}

}  // namespace

std::vector<Value> chosen_by_name(const Graph& graph, const std::vector<Value>& wrt,
                                  const std::vector<std::string>& names) {
  if (names.empty()) return wrt;
  std::vector<Value> out;
  for (const std::string& name : names) {
    const auto found = std::find_if(wrt.begin(), wrt.end(), [&](Value w) { return graph.name(w.id()) == name; });
    if (found == wrt.end()) {
      std::string known;
      for (const Value w : wrt) known += "\n  " + w.describe();
      throw GraphError(fmt::format("check_gradients: only {:?}: wrt has no value of that name{}", name, known));
    }
    out.push_back(*found);
  }
  return out;
}

Rebuilt rebuild_in_f64(Graph& target, const std::vector<Value>& outputs, const std::vector<Value>& wanted) {
  if (outputs.empty()) return {{}, std::vector<Value>(wanted.size()), {}};
  if (!outputs[0].valid()) throw GraphError("rebuild_in_f64: output 0 is an empty Value");
  Graph& source = outputs[0].graph();
  if (&source == &target) throw GraphError("rebuild_in_f64: the target must be another graph");
  for (const Value v : outputs) source.require(v, "rebuild_in_f64: output");
  for (const Value v : wanted) source.require(v, "rebuild_in_f64: wanted");
  const std::vector<char> needed = needed_by(source, outputs);
  const NodeId size = end_of(outputs);
  Rebuilder rebuilder(target, source);
  rebuilder.copies.resize(size);
  for (NodeId id = 0; id < size; ++id) {
    if (!needed[id]) continue;
    const std::string& scope = source.scope_of(id);
    if (scope.empty()) {
      rebuilder.copies[id] = rebuilder.copy(id);
    } else {
      const auto guard = target.scope(scope);
      rebuilder.copies[id] = rebuilder.copy(id);
    }
  }
  Rebuilt out;
  for (const Value v : outputs) out.outputs.push_back(rebuilder.copies[v.id()]);
  for (const Value v : wanted) out.wanted.push_back(v.id() < size ? rebuilder.copies[v.id()] : Value());
  out.parameters = std::move(rebuilder.parameters);
  return out;
}

InF64 in_f64(const std::vector<Value>& outputs, const std::vector<Value>& wanted, const Feeds& feeds,
             const CheckOptions& options) {
  const Graph& source = outputs[0].graph();
  GraphOptions same = source.options();
  same.dtype = f64;
  InF64 out{std::make_unique<Graph>(same), {}, {}};
  out.rebuilt = rebuild_in_f64(*out.graph, outputs, wanted);
  out.feeds = complete_feeds(source, *out.graph, out.rebuilt, feeds, options);
  return out;
}

CheckReport compare_gradients(Value y, const std::vector<Value>& all, const Feeds& feeds, const CheckOptions& options) {
  check_arguments(y, all);
  const std::vector<Value> wrt = chosen_by_name(y.graph(), all, options.only);
  const InF64 wide = in_f64({y}, wrt, feeds, options);
  Comparison comparison{
      .y = wide.rebuilt.outputs[0], .wrt = {}, .feeds = wide.feeds, .names = {}, .subject = "y = " + y.describe()};
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    if (!wide.rebuilt.wanted[i].valid()) {
      if (options.allow_zero) continue;
      CheckReport report;
      report.subject = comparison.subject;
      report.passed = false;
      report.why = fmt::format("it does not depend on {} at all", wrt[i].describe());
      return report;
    }
    comparison.wrt.push_back(wide.rebuilt.wanted[i]);
    comparison.names.push_back(wrt[i].describe());
  }
  return compare_in_f64(comparison, options);
}

std::vector<Value> differentiable_leaves(Value y) {
  Graph& graph = y.graph();
  const std::vector<char> reached = needed_by(graph, {y}, [&](NodeId id, std::size_t i) {
    const OpDef& op = *graph.node(id).op;
    return op.vjp != nullptr && !op.shape_only(static_cast<int>(i));
  });
  std::vector<Value> out;
  for (NodeId id = 0; id <= y.id(); ++id) {
    const Node& node = graph.node(id);
    const bool leaf = node.op->traits.leaf == Leaf::input || node.op->traits.leaf == Leaf::parameter;
    if (reached[id] != 0 && leaf && is_floating(node.type.dtype)) out.push_back(graph.value(id));
  }
  return out;
}

void check_gradients(Value y, const std::vector<Value>& wrt, const Feeds& feeds, const CheckOptions& options) {
  const CheckReport report = compare_gradients(y, wrt, feeds, options);
  if (!report.passed) throw GradientError(report.str());
}

void check_gradients(Value y, Value wrt, const Feeds& feeds, const CheckOptions& options) {
  check_gradients(y, std::vector<Value>{wrt}, feeds, options);
}

}  // namespace xgrad::inline v0
