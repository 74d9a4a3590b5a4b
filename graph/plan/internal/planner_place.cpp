#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/flops.hpp>
#include <xgrad/graph/plan/internal/memory_plan.hpp>
#include <xgrad/graph/plan/internal/planner.hpp>
#include <xgrad/graph/sizes.hpp>

namespace xgrad {

// Number of the last unit that reads the root's bytes; `forever` if they must outlast the run.
void Planner::find_last_readers() {
  last_reader_.assign(size_, -1);
  for (int s = 0; s < unit_count(); ++s) {
    for (const NodeId id : unit(s)) {
      for_each_operand(id, [&](NodeId i) { last_reader_[root(i)] = s; });
    }
  }
  for (Value v : outputs_) last_reader_[root(v.id())] = forever;
  for (const Update& u : updates_) {
    const NodeId id = root(u.value.id());
    if (update_at_[u.value.id()] == none || updates_[update_at_[u.value.id()]].parameter.raw() != u.parameter.raw()) {
      last_reader_[id] = forever;
    }
  }
}

// Which updates write in place: those after whose step nobody reads the parameter's old numbers, and after whose step
// nothing can fail.
void Planner::place_updates() {
  parameter_node_.clear();
  for (NodeId id = 0; id < size_; ++id) {
    if (needed_[id] && node(id).op->traits.leaf == Leaf::parameter) parameter_node_[graph_.parameter_of(id).raw()] = id;
  }
  int last_fallible = -1;
  for (int s = 0; s < unit_count(); ++s) {
    if (node(unit(s).front()).op->traits.fallible) last_fallible = s;  // such a step is alone in its unit
  }
  for (NodeId id = 0; id < size_; ++id) {
    if (update_at_[id] == none) continue;
    const int s = static_cast<int>(unit_of_[id]);
    const Parameter& parameter = updates_[update_at_[id]].parameter;
    const auto old = parameter_node_.find(parameter.raw());
    bool possible = options_.in_place && s > last_fallible && last_reader_[id] != forever;
    if (possible && old != parameter_node_.end()) {
      const int reader = last_reader_[old->second];
      possible = reader < s || (reader == s && may_overwrite(id, old->second));
    }
    if (!possible) {
      update_at_[id] = none;
      last_reader_[id] = forever;
    }
  }
}

// The member whose kernel runs by itself while the others follow it; `none` if there is none.
NodeId Planner::head_of(const std::vector<NodeId>& members) const {
  for (const NodeId id : members) {
    if (part_[id].kind == Part::Kind::head) return id;
  }
  return none;
}

// Whether the step of `id` may write over the bytes of `operand`: element by element, each read before it is written,
// and by no later step of its unit.
bool Planner::may_overwrite(NodeId id, NodeId operand) const {
  if (!node(id).op->traits.elementwise || types_[operand].bytes() != types_[id].bytes()) return false;
  bool possible = true;
  for (const NodeId member : units_[unit_of_[id]]) {
    const bool alone = member != id && part_[member].kind == Part::Kind::head;  // reads what it likes, when it likes
    for_each_operand(member, [&](NodeId i) {
      if (root(i) == operand) possible = possible && !alone && runs_at(member) <= id && types_[i] == types_[id];
    });
  }
  return possible;
}

std::uint32_t Planner::add_buffer(std::size_t bytes, int first, int last) {
  program_.lifetimes.push_back({bytes, first, last});
  return static_cast<std::uint32_t>(program_.lifetimes.size() - 1);
}

void Planner::make_steps() {
  buffer_of_root_.assign(size_, none);
  for (const PlannedInput& input : program_.inputs) {
    if (!input.needed) continue;
    value_buffers_.emplace_back(input.value, add_buffer(input.type.bytes(), -1, forever));
    program_.total_bytes = add_sizes("plan", program_.total_bytes, input.type.bytes());
  }
  for (int s = 0; s < unit_count(); ++s) {
    Step step;
    const std::vector<NodeId>& members = unit(s);
    const NodeId head = members.size() > 1 ? head_of(members) : none;
    const NodeId alone = part_[members[0]].kind == Part::Kind::elementwise || members.size() > 1 ? head : members[0];
    if (alone != none) {
      add_kernel(step, alone);
      add_result(step, alone, s);
      step.result = value_of_[alone];
    }
    if (alone != members[0] || members.size() > 1) add_block(step, members);
    for (const NodeId id : members) {
      program_.total_bytes = add_sizes("plan", program_.total_bytes, types_[id].bytes());
      if (id == alone || !leaves_unit(id)) continue;
      add_result(step, id, s);
      step.outputs.push_back(value_of_[id]);
    }
    program_.labels.push_back(label(members));
    program_.parts.push_back(parts(members));
    program_.steps.push_back(std::move(step));
  }
}

// The node's own kernel.
void Planner::add_kernel(Step& step, NodeId id) {
  step.op = node(id).op;
  step.attrs = graph_.attrs(id);
  step.row_elements = graph_.row_elements(id);
  const auto inputs = graph_.inputs(id);
  std::vector<TensorType> operands;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    step.operands.push_back(operand_value(inputs[i], step.op->shape_only(static_cast<int>(i))));
    operands.push_back(types_[inputs[i]]);
  }
  if (step.op->prepare != nullptr) step.prepared = step.op->prepare(operands, types_[id], step.attrs);
  if (step.op->scratch_bytes == nullptr) return;
  const auto s = static_cast<int>(program_.steps.size());
  const std::size_t bytes = step.op->scratch_bytes(operands, types_[id], step.attrs);
  if (bytes > 0) scratch_buffers_.push_back({program_.steps.size(), add_buffer(bytes, s, s), false});
}

// A place for what the node computes in step s: the parameter it updates, the bytes of an operand that dies with the
// step, or bytes of its own.
void Planner::add_result(Step& step, NodeId id, int s) {
  if (update_at_[id] != none) {
    const Parameter& parameter = updates_[update_at_[id]].parameter;
    value_of_[id] = add_value(types_[id], {Place::Kind::parameter, parameter_index(parameter), 0});
    const auto old = parameter_node_.find(parameter.raw());
    step.in_place = step.in_place || (old != parameter_node_.end() && last_reader_[old->second] == s);
    return;
  }
  std::uint32_t buffer = none;
  if (options_.in_place) {
    for (const NodeId member : unit(s)) {
      for_each_operand(member, [&](NodeId i) {
        const NodeId from = root(i);
        if (buffer != none || from == id || buffer_of_root_[from] == none || last_reader_[from] != s) return;
        const bool made_here = unit_of_[from] == unit_of_[id];
        if ((made_here && part_[from].kind != Part::Kind::head) || !may_overwrite(id, from)) return;
        buffer = std::exchange(buffer_of_root_[from], none);  // given away
      });
    }
  }
  step.in_place = step.in_place || buffer != none;
  const int last = std::max(last_reader_[id], s);
  if (buffer == none) buffer = add_buffer(types_[id].bytes(), s, last);
  program_.lifetimes[buffer].last = std::max(program_.lifetimes[buffer].last, last);
  buffer_of_root_[id] = buffer;
  value_of_[id] = add_value(types_[id], {Place::Kind::arena, 0, 0});
  value_buffers_.emplace_back(value_of_[id], buffer);
}

// Whether anything outside its unit wants the value; what nobody reads needs a place, too.
bool Planner::leaves_unit(NodeId id) const {
  const int s = static_cast<int>(unit_of_[id]);
  return update_at_[id] != none || last_reader_[id] != s || unit(s).size() == 1;
}

// All members but a head, as one program.
void Planner::add_block(Step& step, const std::vector<NodeId>& members) {
  // Operations on rows that are left over from their reduction, which another unit has, are elements of their own.
  const bool only_rows = std::all_of(members.begin(), members.end(), [&](NodeId id) {
    return part_[id].kind == Part::Kind::elementwise && part_[id].level == BlockLevel::row;
  });
  const NodeId first = members.front();
  Index row = 0;
  for (const NodeId id : members) row = only_rows ? 0 : std::max(row, part_[id].row);
  auto block = std::make_shared<BlockProgram>(types_[only_rows ? first : part_[first].space].shape, row);
  const auto level_of = [&](NodeId id) { return only_rows ? BlockLevel::element : part_[id].level; };
  std::map<NodeId, int> made;                              // operand of the block, by the node that is a member
  std::map<std::pair<std::uint32_t, bool>, int> operands;  // and by the planned value that comes from outside
  const auto read = [&](NodeId from, bool by_rows) {
    if (const auto member = made.find(from); member != made.end()) return member->second;
    const std::uint32_t value = operand_value(from, false);
    const auto [found, fresh] = operands.try_emplace({value, by_rows}, 0);
    if (fresh) {
      found->second = by_rows ? block->add_row_input(types_[from]) : block->add_input(types_[from]);
      step.inputs.push_back(value);
    }
    return found->second;
  };
  std::vector<int> in;
  const auto read_all = [&](NodeId id, NodeId but) {
    for (std::size_t i = 0; i < graph_.inputs(id).size(); ++i) {
      const NodeId from = operand(id, i);
      if (from != but) in.push_back(read(from, level_of(id) == BlockLevel::row));
    }
  };
  for (const NodeId id : members) {
    if (part_[id].kind == Part::Kind::head || second_of_[id] != none) continue;
    in.clear();
    if (part_[id].kind == Part::Kind::random) {
      program_.attrs.push_back(std::make_unique<const Attrs>(graph_.attrs(id)));
      made[id] = block->add_random(node(id).op->random_block[static_cast<std::size_t>(types_[id].dtype)],
                                   *program_.attrs.back(), types_[id].dtype, graph_.row_elements(id));
    } else if (part_[id].kind == Part::Kind::reduction) {
      made[id] = block->add_reduction(reduction_of(id), read(operand(id, 0), false), types_[id].dtype, level_of(id));
    } else if (const std::uint32_t before = first_of_[id]; before != none) {
      const auto inputs = graph_.inputs(id);
      std::size_t at = 0;
      while (operand(id, at) != before) ++at;
      const BlockPair* pair = pair_of(before, id, at);
      read_all(before, none);
      read_all(id, before);
      made[id] = block->add_op(pair->kernels[static_cast<std::size_t>(types_[inputs.back()].dtype)], in,
                               types_[id].dtype, level_of(id));
    } else {
      read_all(id, none);
      made[id] = block->add_op(block_of(id), in, types_[id].dtype, level_of(id));
    }
    if (leaves_unit(id)) block->add_output(made[id]);
  }
  block->finish();
  const auto s = static_cast<int>(program_.steps.size());
  if (block->scratch_bytes() > 0)
    scratch_buffers_.push_back({program_.steps.size(), add_buffer(block->scratch_bytes(), s, s), true});
  step.block = std::move(block);
}

StepLabel Planner::label(const std::vector<NodeId>& members) const {
  const auto described = [&](NodeId id) { return graph_.describe(id, types_[id]); };
  if (members.size() == 1) return {described(members.front()), {}, {}, graph_.line_of(members.front())};
  StepLabel out;
  const NodeId head = head_of(members);
  if (head != none) {
    out.own = described(head);
    out.line = graph_.line_of(head);
  }
  for (const NodeId id : members) {
    if (id == head) continue;
    out.fused.push_back(fmt::format("%{} {}", id, node(id).op->name));
    if (const std::uint32_t second = second_of_[id]; second < none) out.fused.back() += "-" + node(second).op->name;
  }
  out.walked = types_[part_[members.front()].space].str();
  return out;
}

std::vector<StepPart> Planner::parts(const std::vector<NodeId>& members) const {
  std::vector<StepPart> out;
  std::vector<TensorType> operands;
  for (const NodeId id : members) {
    operands.clear();
    for (const NodeId i : graph_.inputs(id)) operands.push_back(types_[i]);
    const Node& n = node(id);
    out.push_back(
        {id, n.op, graph_.scope_of(id), n.role, types_[id], flops(*n.op, operands, types_[id], graph_.attrs(id))});
  }
  return out;
}

// The planned value an operand is read from. Views and values without elements get one when first asked for.
std::uint32_t Planner::operand_value(NodeId id, bool shape_only) {
  if (shape_only) return add_value(types_[id], {Place::Kind::none, 0, 0});
  if (value_of_[id] == none) {
    if (is_view(id) && types_[id].shape.elements() > 0) {
      const std::uint32_t shown = operand_value(root(id), false);
      value_of_[id] = add_value(types_[id], program_.values[shown].place);
      program_.values[value_of_[id]].shown = shown;
      views_.emplace_back(value_of_[id], shown);
    } else {
      value_of_[id] = add_constant(Tensor(types_[id]));  // no elements, so nothing computes it
    }
  }
  return value_of_[id];
}

// Outputs and updates that show a parameter's old numbers are saved before any of them changes at the end.
std::uint32_t Planner::kept_value(NodeId id, bool update) {
  const std::uint32_t value = operand_value(id, false);
  const Place place = program_.values[value].place;
  const bool shows_parameter = place.kind == Place::Kind::parameter;
  if (!shows_parameter || (!update && !updated_.contains(program_.parameters[place.index].raw()))) return value;
  const std::uint32_t saved = add_value(types_[id], {Place::Kind::arena, 0, 0});
  program_.lifetimes.push_back({types_[id].bytes(), unit_count(), forever});
  value_buffers_.emplace_back(saved, static_cast<std::uint32_t>(program_.lifetimes.size() - 1));
  program_.saves.push_back({value, saved});
  return saved;
}

void Planner::place_outputs() {
  for (const Update& u : updates_) {
    const NodeId id = u.value.id();
    const bool written = update_at_[id] != none && updates_[update_at_[id]].parameter == u.parameter;
    if (written || types_[id].shape.elements() == 0) continue;
    const std::uint32_t from = kept_value(id, true);
    const std::uint32_t to = add_value(types_[id], {Place::Kind::parameter, parameter_index(u.parameter), 0});
    program_.commits.push_back({from, to});
  }
  for (Value v : outputs_) program_.outputs.push_back(kept_value(v.id(), false));
}

void Planner::finish() {
  const MemoryPlan memory = place_buffers(program_.lifetimes, options_.reuse);
  program_.offsets = memory.offsets;
  program_.arena_bytes = memory.total;
  for (const auto& [value, buffer] : value_buffers_) program_.values[value].place.offset = memory.offsets[buffer];
  for (const auto& [view, shown] : views_) program_.values[view].place = program_.values[shown].place;
  for (const Scratch& scratch : scratch_buffers_) {
    Step& step = program_.steps[scratch.step];
    (scratch.of_block ? step.block_scratch_offset : step.scratch_offset) = memory.offsets[scratch.buffer];
  }
}

}  // namespace xgrad
