#include <algorithm>

#include <xgrad/graph/plan/internal/planner.hpp>

namespace xgrad {
namespace {

// Whether a row of the type fits a block as a whole.
bool fits_block(Index row, DType dtype) {
  return row > 1 && row * static_cast<Index>(size_of(dtype)) <= BlockProgram::longest_row;
}

}  // namespace

// What the node reads as input i: nobody needs a view that looks like what it shows, and a block program repeats its
// inputs by itself, so a broadcast before it is not needed either.
NodeId Planner::operand(NodeId id, std::size_t i) const {
  NodeId from = graph_.inputs(id)[i];
  const bool repeats = is_fusible(id);
  for (;;) {
    const bool same = is_view(from) && types_[from] == types_[graph_.inputs(from)[0]];
    if (!same && !(repeats && node(from).op->traits.broadcast)) return from;
    from = graph_.inputs(from)[0];
  }
}

// Whatever writes a parameter in place, and whatever follows from it, comes last: so an operation that refuses its
// numbers does so before any parameter has changed.
void Planner::find_late() {
  // What an update computes may be written straight into the parameter, if nobody else wants it kept elsewhere.
  late_.assign(size_, 0);
  std::vector<char> is_output(size_, 0);
  for (Value v : outputs_) is_output[root(v.id())] = 1;
  update_at_.assign(size_, none);
  for (std::uint32_t u = 0; u < updates_.size(); ++u) {
    const NodeId id = updates_[u].value.id();
    if (!is_computed(id) || is_output[id] || update_at_[id] != none || types_[id].shape.elements() == 0) continue;
    update_at_[id] = u;
    late_[id] = 1;
  }
  for (NodeId id = 0; id < size_; ++id) {
    if (!is_computed(id) && !(needed_[id] && is_view(id))) continue;
    for_each_operand(id, [&](NodeId i) { late_[id] = static_cast<char>(late_[id] | late_[i]); });
  }
  // And what only such steps read, if it may run together with them.
  std::vector<char> read_early = is_output;
  for (const Update& u : updates_) {
    if (late_[u.value.id()] == 0) read_early[root(u.value.id())] = 1;
  }
  for (NodeId id = size_; id-- > 0;) {
    if (!needed_[id] || is_leaf(id) || is_constant(id) || is_view(id)) continue;
    if (is_computed(id) && is_fusible(id) && read_early[id] == 0) late_[id] = 1;
    if (late_[id] == 0) for_each_operand(id, [&](NodeId i) { read_early[root(i)] = 1; });
  }
}

BlockKernel Planner::block_of(NodeId id) const {
  const auto inputs = graph_.inputs(id);
  return inputs.empty() ? nullptr : node(id).op->block[static_cast<std::size_t>(types_[inputs.back()].dtype)];
}

// Whether the node may be part of a block program.
bool Planner::is_fusible(NodeId id) const {
  const OpDef& op = *node(id).op;
  return options_.fuse && op.traits.elementwise && !op.traits.random && !op.traits.fallible &&
         op.traits.shape_only == 0 && op.kernel == run_elementwise && graph_.inputs(id).size() <= 4 &&
         block_of(id) != nullptr;
}

const BlockReduction& Planner::reduction_of(NodeId id) const {
  return node(id).op->reduction[static_cast<std::size_t>(types_[graph_.inputs(id)[0]].dtype)];
}

// Elementwise operations walk their own shape, unless they work on what a reduction left of one: then they go with it.
Planner::Part Planner::elementwise_part(NodeId id) const {
  if (!is_fusible(id)) return {};
  const Part own{Part::Kind::elementwise, BlockLevel::element, id, 0};
  const Part* rows = nullptr;
  bool all = true;
  for_each_operand(id, [&](NodeId i) {
    const Part& part = part_[i];
    if (types_[i].shape == types_[id].shape) {
      if (rows == nullptr && is_computed(i) && part.kind != Part::Kind::none && part.level == BlockLevel::row)
        rows = &part;
    } else if (types_[i].shape.elements() != 1) {
      all = false;
    }
  });
  if (rows == nullptr || !all) return own;
  return {Part::Kind::elementwise, BlockLevel::row, rows->space, rows->row};
}

Planner::Part Planner::random_part(NodeId id) const {
  const OpDef& op = *node(id).op;
  if (!options_.fuse || op.random_block[static_cast<std::size_t>(types_[id].dtype)] == nullptr) return {};
  return {Part::Kind::random, BlockLevel::element, id, 0};
}

// A reduction over the last axes leaves a number for each row, one over the first axes a number for each column.
Planner::Part Planner::reduction_part(NodeId id) const {
  const OpDef& op = *node(id).op;
  if (!options_.fuse || op.reduced_axes == nullptr || reduction_of(id).rows == nullptr) return {};
  std::vector<TensorType> operands;
  for (const NodeId i : graph_.inputs(id)) operands.push_back(types_[i]);
  const std::uint32_t axes = op.reduced_axes(operands, types_[id], graph_.attrs(id));
  const Shape& shape = operands[0].shape;
  const NodeId space = graph_.inputs(id)[0];
  // Axes of extent 1 do not count; of the others, those that are combined must be neighbours at one end.
  Index kept_after = 1, reduced = 1, changes = 0;
  bool last_is_reduced = false, any = false, previous = false;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] == 1) continue;
    const bool combined = (axes >> axis & 1U) != 0;
    if (!any) last_is_reduced = combined;
    if (any && combined != previous) ++changes;
    (combined ? reduced : kept_after) *= shape[axis];
    previous = combined;
    any = true;
  }
  const DType dtype = operands[0].dtype;
  if (!any || changes > 1 || reduced == 1 || shape.elements() == 0 || types_[id].dtype != dtype) return {};
  if (last_is_reduced) {
    if (!fits_block(reduced, dtype)) return {};
    return {Part::Kind::reduction, BlockLevel::row, space, reduced};
  }
  if (!fits_block(kept_after, dtype)) return {};
  return {Part::Kind::reduction, BlockLevel::column, space, kept_after};
}

// What reports its rows as they are finished lets others go on with them.
Planner::Part Planner::head_part(NodeId id) const {
  const Shape& shape = types_[id].shape;
  if (!options_.fuse || !node(id).op->traits.finishes_rows || shape.rank() < 1) return {};
  const Index row = shape[shape.rank() - 1];
  if (!fits_block(row, types_[id].dtype)) return {};
  return {Part::Kind::head, BlockLevel::element, id, row};
}

void Planner::find_parts() {
  part_.assign(size_, {});
  for (NodeId id = 0; id < size_; ++id) {
    if (!is_computed(id) || types_[id].shape.elements() == 0) continue;
    for (auto find :
         {&Planner::elementwise_part, &Planner::random_part, &Planner::reduction_part, &Planner::head_part}) {
      if (part_[id].kind == Part::Kind::none) part_[id] = (this->*find)(id);
    }
  }
}

// Whether the numbers of rows that the node makes stand for the rows of `shape` when they are broadcast to it.
bool Planner::stands_for_rows(NodeId id, const Shape& shape) const {
  const Shape& own = types_[id].shape;
  if (types_[part_[id].space].shape != shape || own.rank() != shape.rank()) return false;
  Index inner = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const bool in_row = inner < part_[id].row;
    inner *= shape[axis];
    if (shape[axis] != 1 && own[axis] != (in_row ? 1 : shape[axis])) return false;
  }
  return true;
}

// Whether the node may read `from` within one block program.
bool Planner::joins(NodeId id, NodeId from) const {
  const Part& to = part_[id];
  const Part& of = part_[from];
  if (to.kind == Part::Kind::none || to.kind == Part::Kind::head || of.kind == Part::Kind::none) return false;
  if (of.level == BlockLevel::column) return false;
  const bool rows = of.level == BlockLevel::row;
  if (to.kind == Part::Kind::reduction) return !rows;
  if (to.level == BlockLevel::row) {
    return rows && of.row == to.row && types_[of.space].shape == types_[to.space].shape &&
           types_[from].shape == types_[id].shape;
  }
  return rows ? stands_for_rows(from, types_[id].shape) : types_[from].shape == types_[id].shape;
}

// Which nodes are computed together, and in which order.
void Planner::schedule() {
  std::vector<NodeId> computed;
  std::vector<std::uint32_t> position(size_, none);
  std::vector<FusionStep> steps;
  for (NodeId id = 0; id < size_; ++id) {
    if (!is_computed(id) || types_[id].shape.elements() == 0) continue;
    const Part& part = part_[id];
    FusionStep step;
    step.last = late_[id] != 0;
    step.row = part.row;
    step.by_rows = part.level == BlockLevel::row && part.kind == Part::Kind::elementwise;
    step.head = part.kind == Part::Kind::head;
    step.column = part.level == BlockLevel::column;
    for_each_operand(id, [&](NodeId i) {
      const NodeId from = root(i);
      if (position[from] == none) {
        step.others.push_back(i);
        return;
      }
      step.operands.push_back(position[from]);
      step.joins.push_back(static_cast<char>(from == i && late_[i] == late_[id] && joins(id, i)));
    });
    position[id] = static_cast<std::uint32_t>(computed.size());
    computed.push_back(id);
    steps.push_back(std::move(step));
  }
  unit_of_.assign(size_, none);
  const FusionLimits limits{BlockProgram::max_ops, BlockProgram::max_inputs, BlockProgram::max_columns};
  for (const auto& unit : fuse(steps, limits)) {
    units_.emplace_back();
    for (const std::uint32_t s : unit) {
      unit_of_[computed[s]] = static_cast<std::uint32_t>(units_.size() - 1);
      units_.back().push_back(computed[s]);
    }
  }
}

// The kernel that runs both, if there is one; `operand` is where the second takes the first's result.
const BlockPair* Planner::pair_of(NodeId first, NodeId second, std::size_t operand) const {
  const OpDef& next = *node(second).op;
  const auto dtype = static_cast<std::size_t>(types_[graph_.inputs(first).back()].dtype);
  if (types_[graph_.inputs(second).back()].dtype != types_[graph_.inputs(first).back()].dtype) return nullptr;
  for (const BlockPair& pair : node(first).op->pairs) {
    const bool fits = pair.operand == static_cast<int>(operand) || next.traits.commutative;
    if (pair.next == &next && fits && pair.kernels[dtype] != nullptr) return &pair;
  }
  return nullptr;
}

// Which operations of a block program run in one pass with the one that takes their result: those whose result nobody
// else wants.
void Planner::find_pairs() {
  second_of_.assign(size_, none);
  first_of_.assign(size_, none);
  std::vector<std::uint32_t> readers(size_, 0);
  for (NodeId id = 0; id < size_; ++id) {
    if (needed_[id]) for_each_operand(id, [&](NodeId i) { ++readers[i]; });
  }
  for (Value v : outputs_) ++readers[v.id()];
  for (const Update& u : updates_) ++readers[u.value.id()];
  for (const auto& members : units_) {
    for (const NodeId id : members) {
      if (part_[id].kind != Part::Kind::elementwise) continue;
      for (std::size_t i = 0; i < graph_.inputs(id).size() && first_of_[id] == none; ++i) {
        const NodeId from = operand(id, i);
        if (from >= size_ || unit_of_[from] != unit_of_[id] || part_[from].kind != Part::Kind::elementwise) continue;
        if (part_[from].level != part_[id].level || types_[from].shape != types_[id].shape) continue;
        if (readers[from] != 1 || first_of_[from] != none || pair_of(from, id, i) == nullptr) continue;
        first_of_[id] = from;
        second_of_[from] = id;
      }
    }
  }
}

}  // namespace xgrad
