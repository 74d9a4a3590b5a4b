#include <xgrad/autodiff/internal/batch.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xgrad/autodiff/internal/pullback.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/walk.hpp>
#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

struct Obstacle {
  std::string what;
};

class Batcher {
 public:
  Batcher(Graph& graph, const std::vector<Value>& results, Value one, Value many)
      : graph_(graph), size_(many.shape()[0]), many_(graph.size()) {
    const NodeId last = std::max(one.id() + 1, end_of(results)) - 1;
    depends_ = numeric_dependents(graph, last + 1, {one});
    needed_ = needed_by(graph, results);
    needed_.resize(last + 1, 0);
    many_[one.id()] = many;
    for (NodeId id = one.id() + 1; id <= last; ++id) {
      if (needed_[id] && depends_[id]) many_[id] = rewrite(graph_.value(id));
    }
  }

  Value of(Value result) {
    if (many_[result.id()].valid()) return many_[result.id()];
    return broadcast_to(result, stacked(result.shape()));  // the same for every element of the batch
  }

 private:
  Shape stacked(const Shape& shape) const {
    Shape out{size_};
    for (const Index extent : shape) out.push_back(extent);
    return out;
  }

  Value rewrite(Value node) {
    const auto guard = graph_.role(Role::backward, node);
    std::vector<Value> inputs;
    std::vector<char> batched;
    const OpDef& op = *node.node().op;
    for (const NodeId i : graph_.inputs(node.id())) {
      const bool has_axis = !op.shape_only(static_cast<int>(inputs.size())) && many_[i].valid();
      inputs.push_back(has_axis ? many_[i] : graph_.value(i));
      batched.push_back(static_cast<char>(has_axis));
    }
    Value out;
    try {
      out = apply_rule(op, Batch(node, inputs, batched, size_));
    } catch (const UserError& error) {
      throw Obstacle{fmt::format("{}: {}", node.describe(), error.message())};
    }
    if (!out.valid()) throw Obstacle{fmt::format("{} has no batch rule", node.describe())};
    const TensorType wanted{node.dtype(), stacked(node.shape())};
    if (out.type() != wanted) {
      throw GradientError(fmt::format("batch: the batch rule of {} returns {} for a batch of {}, expected {}",
                                      node.describe(), out.type().str(), size_, wanted.str()));
    }
    return out;
  }

  // A batched view or broadcast can be another operation. It must have the same derivative.
  Value apply_rule(const OpDef& op, const Batch& b) const {
    if (op.batch != nullptr) return op.batch(b);
    if (op.traits.random) return {};
    if (op.traits.elementwise) return batch_broadcast(b);
    const Shape& shape = b.output().shape();
    if (op.vjp == nullptr || op.traits.segment) return {};
    if (op.traits.view) return batch_reshape(b, batch_input(b, 0), shape);
    if (op.traits.broadcast) {
      Shape aligned;
      const Shape& from = graph_.node(graph_.inputs(b.output().id())[0]).type.shape;
      for (int axis = from.rank(); axis < shape.rank(); ++axis) aligned.push_back(1);
      for (const Index extent : from) aligned.push_back(extent);
      return broadcast_to(batch_reshape(b, batch_input(b, 0), aligned), stacked(shape));
    }
    return {};
  }

  Graph& graph_;
  Index size_;
  std::vector<Value> many_;  // by node: the batched value; empty if it is not batched
  std::vector<char> depends_;
  std::vector<char> needed_;
};

}  // namespace

std::vector<char> numeric_dependents(const Graph& graph, NodeId size, const std::vector<Value>& sources) {
  return dependents(graph, size, sources,
                    [&](NodeId id, std::size_t i) { return !graph.node(id).op->shape_only(static_cast<int>(i)); });
}

Batched batch(const std::vector<Value>& results, Value one, Value many) {
  Graph& graph = one.graph();
  GraphTransaction transaction(graph);
  Batched out;
  try {
    Batcher batcher(graph, results, one, many);
    for (const Value r : results) out.values.push_back(batcher.of(r));
  } catch (const Obstacle& obstacle) {
    return {{}, obstacle.what};
  }
  transaction.commit();
  return out;
}

}  // namespace xgrad::inline v0
