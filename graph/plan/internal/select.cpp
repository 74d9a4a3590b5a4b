#include <xgrad/graph/plan/internal/select.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/sizes.hpp>
#include <xgrad/graph/flops.hpp>

namespace xgrad::inline v0 {
namespace {

using Kind = FusionInfo::Kind;
using Register = BlockProgram::Register;

// The kernel that runs both, if there is one; `operand` is where the second takes the first's result.
BlockKernel pair_kernel(const Needed& needed, ItemId first, ItemId second, std::size_t operand) {
  const OpDef& next = needed.op(second);
  const DType dtype = needed.type(needed.operands_of(first).back()).dtype;
  if (needed.type(needed.operands_of(second).back()).dtype != dtype) return nullptr;
  for (const FusedPair& pair : needed.op(first).pairs) {
    const bool fits = pair.operand == static_cast<int>(operand) || next.traits.commutative;
    const BlockKernel kernel = pair.kernels[static_cast<std::size_t>(dtype)];
    if (pair.next == &next && fits && kernel != nullptr) return kernel;
  }
  return nullptr;
}

// What several steps need to know of all.
struct Pairs {
  std::vector<ItemId> consumer;  // by item: what takes its result in the same pass; `no_item` if there is none
  std::vector<ItemId> producer;  // and the other way round
  // A producer of a pair runs when its consumer does.
  ItemId runs_at(ItemId id) const { return consumer[id] != no_item ? consumer[id] : id; }
};

// By item, whether anything outside its group reads or keeps it.
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

// Operations of a block program run in one pass with the one that takes their result, if nothing else takes it.
Pairs find_pairs(const Needed& needed, const Schedule& schedule, const std::vector<char>& escapes) {
  Pairs out;
  out.consumer.assign(needed.size(), no_item);
  out.producer.assign(needed.size(), no_item);
  std::vector<std::uint32_t> readers(needed.size(), 0);
  for (const ItemId i : needed.operands) ++readers[i];
  const auto may_pair = [&](ItemId from, ItemId id) {
    const FusionInfo& first = schedule.info[from];
    return schedule.group_of[from] == schedule.group_of[id] && first.kind == Kind::elementwise &&
           first.level == schedule.info[id].level && needed.type(from).shape == needed.type(id).shape &&
           readers[from] == 1 && escapes[from] == 0 && out.producer[from] == no_item;
  };
  for (const auto& members : schedule.groups) {
    for (const ItemId id : members) {
      const auto operands = needed.operands_of(id);
      if (schedule.info[id].kind != Kind::elementwise) continue;
      for (std::size_t i = 0; i < operands.size() && out.producer[id] == no_item; ++i) {
        if (!may_pair(operands[i], id) || pair_kernel(needed, operands[i], id, i) == nullptr) continue;
        out.producer[id] = operands[i];
        out.consumer[operands[i]] = id;
      }
    }
  }
  return out;
}

// The members of a group but its anchor, as a block program.
class GroupBuilder {
 public:
  // `made` has, by item, the register in which the block program of its own group has it.
  GroupBuilder(const Needed& needed, const Schedule& schedule, const Pairs& pairs, const std::vector<ItemId>& members,
               std::vector<Register>& made)
      : needed_(needed),
        schedule_(schedule),
        pairs_(pairs),
        members_(members),
        made_(made),
        all_elements_(are_all_elements(members)),
        block_(needed.type(all_elements_ ? members.front() : info(members.front()).iteration_space).shape,
               all_elements_ ? 0 : row_of(members)) {}

  void build(Step& step, const std::vector<char>& escapes) {
    for (const ItemId id : members_) {
      if (info(id).kind == Kind::anchor || pairs_.consumer[id] != no_item) continue;
      made_[id] = add(id);
      if (escapes[id] != 0 || members_.size() == 1) block_.output(made_[id]);
    }
    for (const auto& [item, row_values, made] : inputs_) step.inputs.push_back(item);
    step.block = std::make_shared<const BlockCode>(block_.finish());
  }

 private:
  struct Input {
    ItemId item;
    bool row_values;
    Register made;
  };

  const FusionInfo& info(ItemId id) const { return schedule_.info[id]; }
  BlockLevel level(ItemId id) const { return all_elements_ ? BlockLevel::element : info(id).level; }
  // Operations on row values whose reduction is in another group are elements of their own.
  bool are_all_elements(const std::vector<ItemId>& members) const {
    return members.size() == 1 || std::all_of(members.begin(), members.end(), [&](ItemId id) {
             return info(id).kind == Kind::elementwise && info(id).level == BlockLevel::row;
           });
  }
  Index row_of(const std::vector<ItemId>& members) const {
    Index row = 0;
    for (const ItemId id : members) row = std::max(row, info(id).row);
    return row;
  }

  Register add(ItemId id) {
    const DType dtype = needed_.type(id).dtype;
    const auto operands = needed_.operands_of(id);
    if (info(id).kind == Kind::random) {
      return block_.draw(needed_.op(id).random_block[static_cast<std::size_t>(dtype)], needed_.attrs(id), dtype,
                         needed_.graph().row_elements(needed_.items[id].node));
    }
    if (info(id).kind == Kind::reduction)
      return block_.reduce(block_reduction(needed_, id), read(operands[0], false), dtype, level(id));
    in_.clear();
    const ItemId producer = pairs_.producer[id];
    if (producer == no_item) {
      read_all(id, no_item);
      return block_.map(block_kernel(needed_, id), in_, dtype, level(id));
    }
    const auto at = std::find(operands.begin(), operands.end(), producer) - operands.begin();
    read_all(producer, no_item);
    read_all(id, producer);
    return block_.map(pair_kernel(needed_, producer, id, static_cast<std::size_t>(at)), in_, dtype, level(id));
  }

  void read_all(ItemId id, ItemId but) {
    for (const ItemId from : needed_.operands_of(id)) {
      if (from != but) in_.push_back(read(from, level(id) == BlockLevel::row));
    }
  }
  // One value a row, beside the same as elements, is an input of its own.
  Register read(ItemId from, bool row_values) {
    const bool member = schedule_.group_of[from] == schedule_.group_of[members_.front()];
    if (member && info(from).kind != Kind::anchor) return made_[from];
    for (const Input& known : inputs_) {
      if (known.item == from && known.row_values == row_values) return known.made;
    }
    inputs_.push_back({from, row_values, block_.input(needed_.type(from), row_values)});
    return inputs_.back().made;
  }

  const Needed& needed_;
  const Schedule& schedule_;
  const Pairs& pairs_;
  const std::vector<ItemId>& members_;
  std::vector<Register>& made_;
  bool all_elements_;
  BlockProgram::Builder block_;
  std::vector<Input> inputs_;
  std::vector<Register> in_;
};

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

// What the step reads from outside, and what it may overwrite: bytes that are read element by element, in the type of
// the result, and not after the result is written.
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
      if (!needed.op(id).traits.elementwise || use.storage == id || !use.element_by_element) continue;
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
  std::vector<Register> made(needed.size(), 0);
  std::vector<Selected> steps;
  steps.reserve(schedule.groups.size());
  for (const auto& members : schedule.groups) {
    Selected& out = steps.emplace_back();
    const bool block = members.size() > 1 || runs_blockwise(needed, members[0]);
    const ItemId alone = block ? schedule.anchor_of(members) : members[0];
    if (alone != no_item) select_kernel(needed, alone, out);
    if (block) {
      GroupBuilder(needed, schedule, pairs, members, made).build(out.step, escapes);
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
    out.label = label_of(needed, schedule, pairs, members);
    out.parts = parts_of(needed, members);
  }
  return steps;
}

std::string Selected::str() const {
  std::string out = fmt::format("{}: {} <- {}", label.str(), fmt::join(writes, " "), fmt::join(reads, " "));
  for (const Overwrite& o : overwrites) out += fmt::format(", {} over {}", o.result, o.operand);
  if (scratch > 0) out += fmt::format(", {} bytes of scratch", scratch);
  return out;
}

void verify(const std::vector<Selected>& steps, const Needed& needed) {
  std::vector<char> there(needed.size(), 0);  // leaves, and what steps have written
  for (ItemId id = 0; id < needed.size(); ++id) there[id] = needed.computed(id) ? 0 : 1;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const Selected& now = steps[s];
    const auto require = [&](bool holds, const char* what, ItemId id) {
      if (!holds) throw InternalError(fmt::format("plan: step {}, item {}: {}\n{}", s, id, what, now.str()));
    };
    const auto reads = [&](ItemId id) { return std::find(now.reads.begin(), now.reads.end(), id) != now.reads.end(); };
    for (const ItemId id : now.reads) {
      require(id < needed.size() && needed.storage(id) == id, "it reads what has no bytes of its own", id);
      require(there[id] != 0, "it reads what was not written before", id);
    }
    const auto made = [&](ItemId id) {
      return reads(needed.storage(id)) || (now.step.op != nullptr && id == now.step.result);
    };
    for (const auto* operands : {&now.step.operands, &now.step.inputs}) {
      for (const ItemId id : *operands) require(needed.is(id, Item::Kind::shape) || made(id), "it hides a read", id);
    }
    for (const ItemId id : now.writes) {
      require(id < needed.size() && needed.computed(id) && there[id] == 0, "it writes a leaf, or writes again", id);
    }
    for (const ItemId id : now.step.outputs) {
      require(std::find(now.writes.begin(), now.writes.end(), id) != now.writes.end(), "it hides a write", id);
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
