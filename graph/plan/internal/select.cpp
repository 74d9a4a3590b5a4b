#include <xgrad/graph/plan/internal/select.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/sizes.hpp>
#include <xgrad/graph/flops.hpp>
#include <xgrad/graph/plan/internal/group_builder.hpp>

namespace xgrad::inline v0 {
namespace {

// By item: whether anything outside its group reads or keeps it.
std::vector<char> find_escaping(const Needed& needed, const Schedule& schedule) {
  std::vector<char> out(needed.size(), 0);
  for (ItemId id = 0; id < needed.size(); ++id) {
    needed.for_each_read(id, [&](ItemId i) {
      const ItemId from = needed.storage(i);
      if (schedule.group_of[from] != schedule.group_of[id]) out[from] = 1;
    });
  }
  const std::vector<std::uint32_t> keepers = needed.keepers();
  for (ItemId id = 0; id < needed.size(); ++id) {
    if (keepers[id] > 0) out[id] = 1;
  }
  return out;
}

void select_kernel(const Needed& needed, ItemId id, Selected& out) {
  Step& step = out.step;
  step.op = &needed.op(id);
  step.attrs = needed.attrs(id);
  step.row_elements = needed.graph().row_elements(needed.items[id].node);
  step.result = id;
  const auto operands = needed.operands_of(id);
  step.operands.assign(operands.begin(), operands.end());
  const std::vector<TensorType> types = needed.operand_types(id);
  if (step.op->prepare != nullptr) step.prepared = step.op->prepare(types, needed.type(id), step.attrs);
  if (step.op->scratch_bytes != nullptr) out.scratch = step.op->scratch_bytes(types, needed.type(id), step.attrs);
  out.writes.push_back(id);
}

// Whether the kernel of `id` may write its result over the bytes of `storage`.
bool may_overwrite(const Needed& needed, ItemId id, ItemId storage) {
  const Traits& traits = needed.op(id).traits;
  const auto operands = needed.operands_of(id);
  const auto reads = [&](ItemId i) { return needed.storage(i) == storage; };
  return traits.elementwise ||
         (traits.in_place && reads(operands[0]) && std::count_if(operands.begin(), operands.end(), reads) == 1);
}

// Fills `reads`, the items that the step reads from outside the group, and `overwrites`. A result may overwrite bytes
// that are read element by element, in the result's type, and not after the result is written.
void find_overwrites(const Needed& needed, const Schedule& schedule, const Pairs& pairs,
                     const std::vector<ItemId>& members, Selected& out) {
  struct Use {
    ItemId storage;
    ItemId last;  // the member that reads it last
    const TensorType* type;
    bool element_by_element = true;
  };
  std::vector<Use> uses;  // in the order of the first reads
  uses.reserve(8);
  const ItemId anchor = members.size() > 1 ? schedule.anchor_of(members) : no_item;
  for (const ItemId member : members) {
    needed.for_each_read(member, [&](ItemId i) {
      const ItemId from = needed.storage(i);
      auto use = std::find_if(uses.begin(), uses.end(), [&](const Use& u) { return u.storage == from; });
      if (use == uses.end()) use = uses.insert(use, {from, member, &needed.type(i)});
      use->last = std::max(use->last, pairs.runs_at(member));
      use->element_by_element = use->element_by_element && member != anchor && *use->type == needed.type(i);
    });
  }
  const auto made_here = [&](ItemId id) { return schedule.group_of[id] == schedule.group_of[members.front()]; };
  for (const Use& use : uses) {
    if (!made_here(use.storage)) out.reads.push_back(use.storage);
  }
  for (const ItemId id : out.writes) {
    for (const Use& use : uses) {
      if (use.storage == id || !use.element_by_element || !may_overwrite(needed, id, use.storage)) continue;
      if (made_here(use.storage) && use.storage != anchor) continue;
      if (use.last <= id && *use.type == needed.type(id)) out.overwrites.push_back({id, use.storage});
    }
  }
}

StepLabel label_of(const Needed& needed, const Schedule& schedule, const Pairs& pairs,
                   const std::vector<ItemId>& members) {
  const auto line = [&](ItemId id) { return needed.rewritten->source->line_of(needed.source_node(id)); };
  if (members.size() == 1) return {needed.describe(members.front()), {}, {}, line(members.front())};
  StepLabel out;
  const ItemId anchor = schedule.anchor_of(members);
  if (anchor != no_item) {
    out.own = needed.describe(anchor);
    out.line = line(anchor);
  }
  for (const ItemId id : members) {
    if (id == anchor) continue;
    out.fused.push_back(fmt::format("%{} {}", needed.source_node(id), needed.op(id).name));
    if (pairs.consumer[id] != no_item) out.fused.back() += "-" + needed.op(pairs.consumer[id]).name;
  }
  out.walked = needed.type(schedule.info[members.front()].iteration_space).str();
  return out;
}

std::vector<StepPart> parts_of(const Needed& needed, const std::vector<ItemId>& members) {
  std::vector<StepPart> out;
  for (const ItemId id : members) {
    const Graph& source = *needed.rewritten->source;
    const NodeId node = needed.source_node(id);
    const OpDef& op = needed.op(id);
    const TensorType& type = needed.type(id);
    out.push_back({node, &op, source.scope_of(node), source.node(node).role, type,
                   flops(op, needed.operand_types(id), type, needed.attrs(id))});
  }
  return out;
}

}  // namespace

std::vector<Selected> select(const Needed& needed, const Schedule& schedule) {
  const std::vector<char> escapes = find_escaping(needed, schedule);
  const Pairs pairs = find_pairs(needed, schedule, escapes);
  std::vector<BlockProgram::Register> registers(needed.size(), 0);
  std::vector<Selected> steps;
  steps.reserve(schedule.groups.size());
  for (const auto& members : schedule.groups) {
    Selected& out = steps.emplace_back();
    const bool block = members.size() > 1 || runs_blockwise(needed, members[0]);
    const ItemId alone = block ? schedule.anchor_of(members) : members[0];
    if (alone != no_item) select_kernel(needed, alone, out);
    if (block) {
      GroupBuilder group(needed, schedule, pairs, members, registers);
      out.step.block = std::make_shared<const BlockCode>(group.build(escapes));
      out.step.inputs = group.inputs();
      out.step.block_scratch = round_up_size("plan", out.scratch, 64);
      if (out.step.block->scratch_bytes() > 0)
        out.scratch = add_sizes("plan", out.step.block_scratch, out.step.block->scratch_bytes());
    }
    for (const ItemId id : members) {
      out.may_throw = out.may_throw || needed.op(id).traits.may_throw;
      if (id == alone || (escapes[id] == 0 && members.size() > 1)) continue;
      out.writes.push_back(id);
      out.step.outputs.push_back(id);
    }
    find_overwrites(needed, schedule, pairs, members, out);
    out.step.label = label_of(needed, schedule, pairs, members);
    out.step.parts = parts_of(needed, members);
  }
  return steps;
}

std::string Selected::str() const {
  std::string out = fmt::format("{}: {} <- {}", step.label.str(), fmt::join(writes, " "), fmt::join(reads, " "));
  for (const Overwrite& o : overwrites) out += fmt::format(", {} over {}", o.result, o.operand);
  if (scratch > 0) out += fmt::format(", {} bytes of scratch", scratch);
  return out;
}

void verify(const std::vector<Selected>& steps, const Needed& needed) {
  std::vector<char> there(needed.size(), 0);  // by item: it is a leaf, or a step has written it
  for (ItemId id = 0; id < needed.size(); ++id) there[id] = needed.computed(id) ? 0 : 1;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const Selected& now = steps[s];
    const auto require = [&](bool holds, const char* what, ItemId id) {
      if (!holds) throw InternalError(fmt::format("plan: step {}, item {}: {}\n{}", s, id, what, now.str()));
    };
    const auto reads = [&](ItemId id) { return std::find(now.reads.begin(), now.reads.end(), id) != now.reads.end(); };
    for (const ItemId id : now.reads) {
      require(id < needed.size() && needed.storage(id) == id, "it reads a view, which has no bytes of its own", id);
      require(there[id] != 0, "it reads an item that was not written before", id);
    }
    const auto made = [&](ItemId id) {
      return reads(needed.storage(id)) || (now.step.op != nullptr && id == now.step.result);
    };
    for (const auto* operands : {&now.step.operands, &now.step.inputs}) {
      for (const ItemId id : *operands) require(needed.is(id, Item::Kind::shape) || made(id), "`reads` lacks it", id);
    }
    for (const ItemId id : now.writes) {
      require(id < needed.size() && needed.computed(id) && there[id] == 0, "it writes a leaf, or writes again", id);
    }
    for (const ItemId id : now.step.outputs) {
      require(std::find(now.writes.begin(), now.writes.end(), id) != now.writes.end(), "`writes` lacks it", id);
    }
    for (const Selected::Overwrite& o : now.overwrites) {
      require(std::find(now.writes.begin(), now.writes.end(), o.result) != now.writes.end(), "it is not written",
              o.result);
      require(made(o.operand) && o.operand != o.result, "it is overwritten and not read", o.operand);
      require(needed.type(o.operand).bytes() == needed.type(o.result).bytes(), "it has another size", o.operand);
    }
    if (now.step.block) verify(now.step.block->program());
    for (const ItemId id : now.writes) there[id] = 1;
  }
  const std::vector<std::uint32_t> keepers = needed.keepers();
  for (ItemId id = 0; id < needed.size(); ++id) {
    if (keepers[id] > 0 && there[id] == 0)
      throw InternalError(fmt::format("plan: item {} is kept and never written", id));
  }
}

}  // namespace xgrad::inline v0
