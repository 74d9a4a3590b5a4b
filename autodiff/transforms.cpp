#include <xgrad/autodiff/transforms.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include <xgrad/autodiff/internal/batch.hpp>
#include <xgrad/autodiff/internal/pullback.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/immortal.hpp>
#include <xgrad/graph/walk.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// The operation of cotangents that exist only while a vjp is transposed, see `push`.
const OpDef& placeholder_op() {
  static const Immortal<OpDef> op([] {
    OpDef def;
    def.name = "placeholder";
    def.doc = "A placeholder for a cotangent while a vjp is transposed; its elements are NaN and never read.";
    def.traits = {.shape_only = 1};
    def.infer = same_type;
    def.kernel = [](const KernelCall& call) {
      const Index n = call.output.type.shape.elements();
      with_floating(call.output.type.dtype, [&](auto zero) {
        std::fill_n(call.output.as<decltype(zero)>(), n, std::numeric_limits<decltype(zero)>::quiet_NaN());
      });
    };
    def.no_gradient = "it is a placeholder";
    return def;
  }());
  return *op;
}

// Always creates a new node: if two placeholders were merged, derivatives with respect to one would include the uses of
// the other.
Value placeholder_like(Value x) { return x.graph().apply(placeholder_op(), {x}, {{"at", Index{x.graph().size()}}}); }

void check_values(const char* where, const char* what, const Graph& graph, const std::vector<Value>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string name = fmt::format("{}: {} {}", where, what, i);
    graph.require(values[i], name);
    if (is_floating(values[i].dtype())) continue;
    throw GradientError(fmt::format("{} must be f32 or f64: {}", name, values[i].describe()));
  }
}

// Checks that there is one partner per value, of the value's type.
void check_partners(const char* where, const char* what, const char* which, const std::vector<Value>& values,
                    const std::vector<Value>& partners) {
  if (values.size() != partners.size()) {
    throw GradientError(fmt::format("{}: {} {}s for {} {}", where, partners.size(), what, values.size(), which));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].type() == partners[i].type()) continue;
    throw GradientError(fmt::format("{}: {} {} has the wrong type\n  {}: {}\n  {}: {}", where, what, i, which,
                                    values[i].describe(), what, partners[i].describe()));
  }
}

Graph& check_arguments(const char* where, const std::vector<Value>& outputs, const std::vector<Value>& wrt) {
  if (outputs.empty()) throw GradientError(fmt::format("{}: outputs is empty", where));
  if (!outputs[0].valid()) throw GraphError(fmt::format("{}: output 0 is an empty Value", where));
  Graph& graph = outputs[0].graph();
  check_values(where, "output", graph, outputs);
  check_values(where, "wrt", graph, wrt);
  return graph;
}

// A tangent or a Jacobian row is computed from all cotangents, so none may be missing.
void require_values(const char* where, Unconnected unconnected) {
  if (unconnected == Unconnected::empty)
    throw GradientError(fmt::format("{}: unconnected must be Unconnected::error or Unconnected::zeros", where));
}

// Throws unless every path from the placeholders to the results is differentiable.
void require_linear(Graph& graph, const std::vector<Value>& placeholders, const std::vector<Value>& results) {
  const std::vector<char> depends = numeric_dependents(graph, end_of(results), placeholders);
  const std::vector<char> needed = needed_by(graph, results, [&](NodeId id, std::size_t) { return depends[id] != 0; });
  for (NodeId id = end_of(results); id-- > 0;) {
    const Node& node = graph.node(id);
    if (needed[id] == 0 || depends[id] == 0) continue;
    for (std::size_t i = 0; i < node.input_count; ++i) {
      const NodeId input = node.inputs[i];
      if (depends[input] == 0 || node.op->shape_only(static_cast<int>(i))) continue;
      if (node.op->vjp != nullptr && is_floating(node.type.dtype)) continue;
      const std::string rule =
          node.origin < 0 ? "a rule" : "the vjp of " + graph.describe(static_cast<NodeId>(node.origin));
      throw GradientError(fmt::format("jvp: {} is not linear in its cotangent, so it has no transpose\n  {}: {}", rule,
                                      graph.describe(id), node.op->no_gradient));
    }
  }
}

std::vector<Value> push(Graph& graph, const std::vector<Value>& outputs, const std::vector<Value>& wrt,
                        const std::vector<Value>& tangents, Unconnected unconnected) {
  require_values("jvp", unconnected);
  GraphTransaction transaction(graph);
  std::vector<Value> placeholders;
  for (const Value y : outputs) placeholders.push_back(placeholder_like(y));
  const std::vector<Value> back = pullback(outputs, placeholders, wrt, unconnected);
  require_linear(graph, placeholders, back);
  // A vjp may return a zero node that does not depend on its cotangent; the tangent is then zero.
  std::vector<Value> out = pullback(back, tangents, placeholders, Unconnected::zeros);
  const std::vector<char> depends = numeric_dependents(graph, end_of(out), placeholders);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (depends[out[i].id()] == 0) continue;
    throw GradientError(fmt::format(
        "jvp: a vjp on the path to {} is not linear in its cotangent, so it has no transpose", outputs[i].describe()));
  }
  transaction.commit();
  return out;
}

// ---- rows

Shape joined(const Shape& a, const Shape& b) {
  Shape out = a;
  for (const Index extent : b) out.push_back(extent);
  return out;
}

std::vector<Index> extents_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

// Evaluates a function that is linear in one value on a basis; the results are stacked along a leading axis.
class RowMaker {
 public:
  using Linear = std::function<std::vector<Value>(Value cotangent)>;

  RowMaker(Value like, Linear linear) : graph_(like.graph()), like_(like), linear_(std::move(linear)) {
    const Index n = like.shape().elements();
    Tensor eye({n, n}, f64);
    for (Index i = 0; i < n; ++i) eye.mutable_values<double>()[static_cast<std::size_t>(i * (n + 1))] = 1;
    basis_ = graph_.constant(eye.cast(like.dtype()));
  }

  Batched at_once() {
    if (like_.shape().rank() == Shape::max_rank) {
      return {{}, fmt::format("{} already has the maximum number of axes", like_.describe())};
    }
    GraphTransaction transaction(graph_);
    const Value one = placeholder_like(like_);
    const Value many = reshape(basis_, extents_of(joined({basis_.shape()[0]}, like_.shape())));
    Batched out = batch(linear_(one), one, many);
    if (out.obstacle.empty()) transaction.commit();
    return out;
  }

  std::vector<Value> one_by_one() {
    GraphTransaction transaction(graph_);
    const Index n = basis_.shape()[0];
    std::vector<std::vector<Value>> rows;  // by result
    for (Index i = 0; i < n; ++i) {
      const auto row = linear_(reshape(slice(basis_, 0, i, i + 1), extents_of(like_.shape())));
      rows.resize(row.size());
      for (std::size_t k = 0; k < row.size(); ++k) rows[k].push_back(expand_dims(row[k], 0));
    }
    std::vector<Value> out;
    for (auto& parts : rows) out.push_back(stack(std::move(parts)));
    transaction.commit();
    return out;
  }

 private:
  // Stacks in groups, since an operation has a maximum number of inputs.
  static Value stack(std::vector<Value> parts) {
    constexpr std::size_t group = 256;
    while (parts.size() > 1) {
      std::vector<Value> next;
      for (std::size_t i = 0; i < parts.size(); i += group) {
        const auto first = parts.begin() + static_cast<std::ptrdiff_t>(i);
        const std::size_t count = std::min(group, parts.size() - i);
        next.push_back(concat({first, first + static_cast<std::ptrdiff_t>(count)}));
      }
      parts = std::move(next);
    }
    return parts[0];
  }

  Graph& graph_;
  Value like_;
  Linear linear_;
  Value basis_;
};

bool goes_forward(Value y, const std::vector<Value>& wrt, Direction direction) {
  if (direction != Direction::automatic) return direction == Direction::forward;
  Index elements = 0;
  for (const Value w : wrt) elements += w.shape().elements();
  return elements < y.shape().elements();
}

std::vector<Value> rows_of(RowMaker maker, Rows how) {
  if (how == Rows::one_by_one) return maker.one_by_one();
  const Batched batched = maker.at_once();
  if (batched.obstacle.empty()) return batched.values;
  if (how == Rows::automatic) return maker.one_by_one();
  throw GradientError("jacobian: the rows cannot be computed at once: " + batched.obstacle +
                      "\n  hint: Rows::one_by_one needs no batch rule");
}

RowMaker reverse_rows(Value y, const std::vector<Value>& wrt, Unconnected unconnected) {
  return {y, [=](Value cotangent) { return pullback({y}, {cotangent}, wrt, unconnected); }};
}

RowMaker forward_rows(Value y, Value w, Unconnected unconnected) {
  return {w, [=](Value cotangent) { return push(y.graph(), {y}, {w}, {cotangent}, unconnected); }};
}

// Reorders [elements of w, y...] to [y..., w...].
Value to_jacobian_layout(Value rows, Value y, Value w) {
  const Value flat = reshape(rows, {w.shape().elements(), y.shape().elements()});
  return reshape(transpose(flat), extents_of(joined(y.shape(), w.shape())));
}

Graph& check_jacobian(const char* where, Value y, const std::vector<Value>& wrt) {
  Graph& graph = check_arguments(where, {y}, wrt);
  for (const Value w : wrt) {
    if (y.shape().rank() + w.shape().rank() <= Shape::max_rank) continue;
    throw ShapeError(fmt::format("{}: {} axes are more than the {} a tensor can have\n  y: {}\n  wrt: {}", where,
                                 y.shape().rank() + w.shape().rank(), Shape::max_rank, y.describe(), w.describe()));
  }
  return graph;
}

std::vector<Value> nothing(Value y, const std::vector<Value>& wrt) {
  std::vector<Value> out;
  for (const Value w : wrt) out.push_back(broadcast_to(number_like(w, 0), joined(y.shape(), w.shape())));
  return out;
}

}  // namespace

std::vector<Value> vjp(const std::vector<Value>& outputs, const std::vector<Value>& wrt,
                       const std::vector<Value>& cotangents, Unconnected unconnected, SourceLocation at) {
  const SourceLocationScope line(at, outputs.empty() ? Value() : outputs[0]);
  const Graph& graph = check_arguments("vjp", outputs, wrt);
  check_values("vjp", "cotangent", graph, cotangents);
  check_partners("vjp", "cotangent", "outputs", outputs, cotangents);
  return pullback(outputs, cotangents, wrt, unconnected);
}

Value vjp(Operand y, Operand wrt, Operand cotangent, Unconnected unconnected) {
  return vjp({Value(y)}, {Value(wrt)}, {Value(cotangent)}, unconnected, y.line())[0];
}

std::vector<Value> jvp(const std::vector<Value>& outputs, const std::vector<Value>& wrt,
                       const std::vector<Value>& tangents, Unconnected unconnected, SourceLocation at) {
  const SourceLocationScope line(at, outputs.empty() ? Value() : outputs[0]);
  Graph& graph = check_arguments("jvp", outputs, wrt);
  if (wrt.empty()) throw GradientError("jvp: wrt is empty");
  check_values("jvp", "tangent", graph, tangents);
  check_partners("jvp", "tangent", "wrt", wrt, tangents);
  return push(graph, outputs, wrt, tangents, unconnected);
}

Value jvp(Operand y, Operand wrt, Operand tangent, Unconnected unconnected) {
  return jvp({Value(y)}, {Value(wrt)}, {Value(tangent)}, unconnected, y.line())[0];
}

std::vector<Value> jacobian(Operand y, const std::vector<Value>& wrt, const JacobianOptions& options) {
  const SourceLocationScope line(y, nullptr);
  Graph& graph = check_jacobian("jacobian", y, wrt);
  require_values("jacobian", options.unconnected);
  GraphTransaction transaction(graph);
  std::vector<Value> out;
  if (wrt.empty()) return out;
  if (y.shape().elements() == 0) {
    out = nothing(y, wrt);
  } else if (goes_forward(y, wrt, options.direction)) {
    for (const Value w : wrt) {
      if (w.shape().elements() == 0)
        out.push_back(nothing(y, {w})[0]);
      else
        out.push_back(to_jacobian_layout(rows_of(forward_rows(y, w, options.unconnected), options.rows)[0], y, w));
    }
  } else {
    const auto rows = rows_of(reverse_rows(y, wrt, options.unconnected), options.rows);
    for (std::size_t k = 0; k < wrt.size(); ++k) {
      out.push_back(reshape(rows[k], extents_of(joined(y.shape(), wrt[k].shape()))));
    }
  }
  transaction.commit();
  return out;
}

Value jacobian(Operand y, Operand wrt, const JacobianOptions& options) {
  return jacobian(y, std::vector<Value>{wrt}, options)[0];
}

std::string batching_obstacle(Operand y, Operand wrt, const JacobianOptions& options) {
  const SourceLocationScope line(y, nullptr);
  const GraphTransaction transaction(check_jacobian("batching_obstacle", y, {wrt}));
  const bool forward = goes_forward(y, {wrt}, options.direction);
  return (forward ? forward_rows(y, wrt, options.unconnected) : reverse_rows(y, {wrt}, options.unconnected))
      .at_once()
      .obstacle;
}

std::vector<std::vector<Value>> hessian(Operand y, const std::vector<Value>& wrt, const JacobianOptions& options) {
  const SourceLocationScope line(y, nullptr);
  GraphTransaction transaction(check_jacobian("hessian", y, wrt));
  require_values("hessian", options.unconnected);
  const auto first = gradients(y, wrt, {.unconnected = options.unconnected});
  JacobianOptions second = options;
  second.unconnected = Unconnected::zeros;
  std::vector<std::vector<Value>> out;
  for (const Value d : first) out.push_back(jacobian(d, wrt, second));
  transaction.commit();
  return out;
}

Value hessian(Operand y, Operand wrt, const JacobianOptions& options) {
  return hessian(y, std::vector<Value>{wrt}, options)[0][0];
}

std::vector<Value> hvp(Operand y, const std::vector<Value>& wrt, const std::vector<Value>& tangents) {
  const SourceLocationScope line(y, nullptr);
  Graph& graph = check_arguments("hvp", {y}, wrt);
  check_values("hvp", "tangent", graph, tangents);
  check_partners("hvp", "tangent", "wrt", wrt, tangents);
  GraphTransaction transaction(graph);
  if (wrt.empty()) return {};
  std::vector<Value> out = pullback(gradients(y, wrt), tangents, wrt, Unconnected::zeros);
  transaction.commit();
  return out;
}

Value hvp(Operand y, Operand wrt, Operand tangent) {
  return hvp(y, std::vector<Value>{wrt}, std::vector<Value>{tangent})[0];
}

}  // namespace xgrad::inline v0
