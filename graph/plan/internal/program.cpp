#include <xgrad/graph/plan/internal/program.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/graph/float_mode.hpp>
#include <xgrad/graph/plan/internal/planner.hpp>

namespace xgrad {
namespace {

// Folding must not trade a little work for a lot of memory: results above this stay computed unless they are smaller
// than what they are made from.
constexpr std::size_t fold_limit = std::size_t{64} * 1024;

const Graph& graph_of(const std::vector<Value>& outputs, const std::vector<Update>& updates) {
  if (!outputs.empty()) return outputs.front().graph();
  if (!updates.empty()) return updates.front().value.graph();
  throw GraphError("plan: neither outputs nor updates are given");
}

}  // namespace

Planner::Planner(const std::vector<Value>& outputs, const std::vector<Update>& updates, const PlanOptions& options)
    : outputs_(outputs), updates_(updates), options_(options), graph_(graph_of(outputs, updates)) {}

Program Planner::build() {
  check_arguments();
  infer_types();
  find_needed();
  make_leaves();
  fold();
  find_late();
  find_parts();
  schedule();
  find_pairs();
  find_last_readers();
  place_updates();
  make_steps();
  place_outputs();
  finish();
  return std::move(program_);
}

void Planner::check_arguments() {
  for (Value v : outputs_) graph_.require(v, "plan: output");
  for (std::size_t i = 0; i < updates_.size(); ++i) {
    const Update& u = updates_[i];
    if (!u.parameter.valid()) throw GraphError(fmt::format("plan: update {} has an empty parameter", i));
    graph_.require(u.value, fmt::format("plan: update of parameter \"{}\"", u.parameter.name()));
    if (!updated_.insert(u.parameter.raw()).second)
      throw GraphError(fmt::format("plan: parameter \"{}\" is updated twice", u.parameter.name()));
  }
  for (const auto& [input, shape] : options_.shapes) {
    graph_.require(input, "plan: shapes");
    if (input.node().op->traits.leaf != Leaf::input) {
      throw GraphError(fmt::format("plan: shapes: {} is not an input", input.describe()));
    }
  }
  NodeId last = 0;
  for (Value v : outputs_) last = std::max(last, v.id());
  for (const Update& u : updates_) last = std::max(last, u.value.id());
  size_ = last + 1;
}

// Shapes of everything the results depend on, by their own shapes or by new ones.
void Planner::infer_types() {
  types_.resize(size_);
  for (NodeId id = 0; id < size_; ++id) types_[id] = node(id).type;
  if (!options_.shapes.empty()) {
    std::vector<char> changed(size_, 0);
    for (const auto& [input, shape] : options_.shapes) {
      if (input.id() >= size_) continue;
      changed[input.id()] = 1;
      types_[input.id()].shape = shape;
    }
    const std::vector<char> wanted = ancestors();
    for (NodeId id = 0; id < size_; ++id) {
      const auto inputs = graph_.inputs(id);
      if (!wanted[id] || std::none_of(inputs.begin(), inputs.end(), [&](NodeId i) { return changed[i] != 0; }))
        continue;
      changed[id] = 1;
      std::vector<TensorType> operands;
      std::vector<std::string> words;
      for (NodeId i : inputs) {
        operands.push_back(types_[i]);
        words.push_back(fmt::format("{}, here {}", graph_.describe(i), types_[i].str()));
      }
      types_[id] = node(id).op->infer(Infer(*node(id).op, operands, graph_.attrs(id), words));
    }
  }
  for (const Update& u : updates_) {
    if (types_[u.value.id()] != u.parameter.type()) {
      throw ShapeError(fmt::format("plan: update of parameter \"{}\" {}: the new value has another type\n  {}, here {}",
                                   u.parameter.name(), u.parameter.type().str(), u.value.describe(),
                                   types_[u.value.id()].str()));
    }
  }
}

// Everything the results depend on, be it for shapes alone.
std::vector<char> Planner::ancestors() const {
  std::vector<char> marked(size_, 0);
  for (Value v : outputs_) marked[v.id()] = 1;
  for (const Update& u : updates_) marked[u.value.id()] = 1;
  for (NodeId id = size_; id-- > 0;) {
    if (!marked[id]) continue;
    for (NodeId i : graph_.inputs(id)) marked[i] = 1;
  }
  return marked;
}

void Planner::find_needed() {
  needed_.assign(size_, 0);
  for (Value v : outputs_) needed_[v.id()] = 1;
  for (const Update& u : updates_) needed_[u.value.id()] = 1;
  for (NodeId id = size_; id-- > 0;) {
    // A result without elements is made of no numbers.
    if (needed_[id] && types_[id].shape.elements() > 0) for_each_operand(id, [&](NodeId i) { needed_[i] = 1; });
  }
}

std::uint32_t Planner::add_value(const TensorType& type, Place place) {
  program_.values.push_back({type, place});
  return static_cast<std::uint32_t>(program_.values.size() - 1);
}

std::uint32_t Planner::add_constant(const Tensor& tensor) {
  program_.constants.push_back(tensor);
  const auto index = static_cast<std::uint32_t>(program_.constants.size() - 1);
  return add_value(tensor.type(), {Place::Kind::constant, index, 0});
}

std::uint32_t Planner::parameter_index(const Parameter& parameter) {
  auto& all = program_.parameters;
  const auto found = parameter_ids_.find(parameter.raw());
  if (found != parameter_ids_.end()) return found->second;
  all.push_back(parameter);
  const auto index = static_cast<std::uint32_t>(all.size() - 1);
  parameter_ids_.emplace(parameter.raw(), index);
  return index;
}

void Planner::make_leaves() {
  program_.seed = graph_.options().seed;
  value_of_.assign(size_, none);
  for (NodeId id = 0; id < graph_.size(); ++id) {
    const Leaf leaf = node(id).op->traits.leaf;
    const bool used = id < size_ && needed_[id];
    if (leaf == Leaf::input) {
      PlannedInput input{Value(const_cast<Graph*>(&graph_), id, node(id).generation), graph_.name(id),
                         id < size_ ? types_[id] : node(id).type, used, none};
      if (used) input.value = value_of_[id] = add_value(types_[id], {Place::Kind::arena, 0, 0});
      program_.input_of_name.emplace(input.name, program_.inputs.size());
      program_.inputs.push_back(std::move(input));
    } else if (used && leaf == Leaf::parameter) {
      const auto index = parameter_index(graph_.parameter_of(id));
      value_of_[id] = add_value(types_[id], {Place::Kind::parameter, index, 0});
    } else if (used && leaf == Leaf::constant) {
      value_of_[id] = add_constant(graph_.constant_of(id));
    }
  }
}

// Computes, here and now, what depends on constants and shapes alone.
void Planner::fold() {
  const KernelFloatMode mode;  // as runs do
  if (!options_.fold_constants) return;
  for (NodeId id = 0; id < size_; ++id) {
    const OpDef& op = *node(id).op;
    if (!needed_[id] || is_leaf(id) || op.traits.random || op.traits.fallible) continue;
    bool all = true;
    std::size_t operand_bytes = 0;
    for_each_operand(id, [&](NodeId i) {
      all = all && is_constant(i);
      operand_bytes += types_[i].bytes();
    });
    if (!all || types_[id].bytes() > std::max(operand_bytes, fold_limit)) continue;
    Tensor result(types_[id]);
    std::vector<ConstBuffer> buffers;
    std::vector<TensorType> operands;
    for (std::size_t k = 0; k < graph_.inputs(id).size(); ++k) {
      const NodeId i = operand(id, k);
      const bool has_numbers = value_of_[i] != none && is_constant(i);
      buffers.push_back({has_numbers ? constant_of(i).raw() : nullptr, types_[i]});
      operands.push_back(types_[i]);
    }
    if (op.traits.view) {
      result = constant_of(operand(id, 0)).reshaped(types_[id].shape);
    } else if (types_[id].shape.elements() > 0) {
      const std::size_t scratch = op.scratch_bytes ? op.scratch_bytes(operands, types_[id], graph_.attrs(id)) : 0;
      const auto memory = allocate_aligned(scratch);
      op.kernel({&op, buffers, {result.mutable_raw(), types_[id]}, &graph_.attrs(id), memory.get(), {}, Parallel(1)});
    }
    value_of_[id] = add_constant(result);
  }
}

// The node whose bytes this node shows.
NodeId Planner::root(NodeId id) const {
  while (value_of_[id] == none || (is_view(id) && !is_constant(id))) {
    if (!is_view(id)) break;
    id = graph_.inputs(id)[0];
  }
  return id;
}

Program build_program(const std::vector<Value>& outputs, const std::vector<Update>& given, const PlanOptions& options) {
  // Two optimizers of one graph both hand on the graph's own updates.
  std::vector<Update> updates;
  for (const Update& u : given) {
    const auto same = [&](const Update& other) { return other.parameter == u.parameter && other.value == u.value; };
    if (std::none_of(updates.begin(), updates.end(), same)) updates.push_back(u);
  }
  Program out = Planner(outputs, updates, options).build();
  out.graph = &graph_of(outputs, updates);
  out.life = out.graph->life();
  out.wanted = outputs;
  out.updates = updates;
  return out;
}

}  // namespace xgrad
