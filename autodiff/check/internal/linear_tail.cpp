#include <xgrad/autodiff/check/internal/linear_tail.hpp>

#include <algorithm>
#include <initializer_list>
#include <string>

#include <fmt/format.h>

#include <xgrad/autodiff/internal/batch.hpp>
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

}  // namespace xgrad::inline v0
