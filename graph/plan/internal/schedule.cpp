#include <xgrad/graph/plan/internal/schedule.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/internal/fusion.hpp>

namespace xgrad::inline v0 {
namespace {

// Smaller tensors stay in a cache between two groups that read them.
constexpr Index shared_elements = Index{1} << 18;
constexpr FusionLimits limits{BlockProgram::max_ops, BlockProgram::max_inputs, BlockProgram::max_columns};

// In-place parameter updates and their dependents run last, so that a kernel that throws does so before any parameter
// changes.
std::vector<char> find_runs_last(const Needed& needed, const FusionInfos& info, bool fuse) {
  std::vector<char> last(needed.size(), 0);
  for (const Needed::Target& u : needed.updates) {
    if (u.alone) last[u.value] = 1;
  }
  for (ItemId id = 0; id < needed.size(); ++id) {
    if (needed.is(id, Item::Kind::view)) last[id] = last[needed.storage(id)];
    needed.for_each_read(id, [&](ItemId i) { last[id] = static_cast<char>(last[id] | last[i]); });
  }
  // Producers that only these items read run last, too, if they may be fused with them.
  std::vector<char> read_early(needed.size(), 0);
  for (const ItemId id : needed.outputs) read_early[needed.storage(id)] = 1;
  for (const Needed::Target& u : needed.updates) {
    if (last[u.value] == 0) read_early[needed.storage(u.value)] = 1;
  }
  for (ItemId id = needed.size(); id-- > 0;) {
    if (fuse && info[id].kind != nullptr && info[id].kind->moves_late && read_early[id] == 0) last[id] = 1;
    if (last[id] == 0) needed.for_each_read(id, [&](ItemId i) { read_early[needed.storage(i)] = 1; });
  }
  return last;
}

FusionStep fusion_step(const Needed& needed, const Schedule& schedule, const std::vector<std::uint32_t>& step_of,
                       ItemId id, bool fuse) {
  const FusionInfo& info = schedule.info[id];
  FusionStep out;
  out.runs_last = schedule.runs_last[id] != 0;
  out.row = info.row;
  out.reads_row_values = info.reads_row_values;
  out.anchor = info.is_anchor();
  out.column = info.level == BlockLevel::column;
  const bool blockwise = fuse && info.kind != nullptr && !out.anchor && !info.reads_row_values;
  needed.for_each_read(id, [&](ItemId i) {
    const ItemId from = needed.storage(i);
    const Shape& shape = needed.type(i).shape;
    if (blockwise && shape == needed.type(info.iteration_space).shape && shape.elements() >= shared_elements)
      out.shared_inputs.push_back(i);
    if (!needed.computed(from)) {
      out.external_inputs.push_back(i);
      return;
    }
    const bool fuses =
        fuse && from == i && schedule.runs_last[i] == schedule.runs_last[id] && can_fuse(needed, schedule.info, id, i);
    out.operands.push_back(step_of[from]);
    out.fuses.push_back(fuses ? 1 : 0);
  });
  return out;
}

}  // namespace

ItemId Schedule::anchor_of(const std::vector<ItemId>& members) const {
  const auto found = std::find_if(members.begin(), members.end(), [&](ItemId id) { return info[id].is_anchor(); });
  return found == members.end() ? no_item : *found;
}

Schedule schedule(const Needed& needed, bool fuse, std::span<const FusionKind* const> kinds) {
  Schedule out;
  out.info = classify_items(needed, kinds);
  out.runs_last = find_runs_last(needed, out.info, fuse);
  out.group_of.assign(needed.size(), Schedule::no_group);
  std::vector<ItemId> computed;
  std::vector<std::uint32_t> step_of(needed.size(), 0);
  std::vector<FusionStep> steps;
  for (ItemId id = 0; id < needed.size(); ++id) {
    if (!needed.computed(id)) continue;
    step_of[id] = static_cast<std::uint32_t>(computed.size());
    computed.push_back(id);
    steps.push_back(fusion_step(needed, out, step_of, id, fuse));
  }
  for (const auto& group : xgrad::fuse(steps, limits)) {
    std::vector<ItemId>& members = out.groups.emplace_back();
    for (const std::uint32_t s : group) {
      out.group_of[computed[s]] = static_cast<std::uint32_t>(out.groups.size() - 1);
      members.push_back(computed[s]);
    }
  }
  return out;
}

std::string Schedule::str(const Needed& needed) const {
  std::string out;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const ItemId id : groups[g]) {
      out += fmt::format("{}: {} {} {}{}\n", g, id, info[id].kind != nullptr ? info[id].kind->name : "alone",
                         needed.describe(id), runs_last[id] != 0 ? " last" : "");
    }
  }
  return out;
}

void verify(const Schedule& schedule, const Needed& needed) {
  bool last = false;
  std::vector<char> done(needed.size(), 0);
  for (ItemId id = 0; id < needed.size(); ++id) done[id] = needed.computed(id) ? 0 : 1;
  for (std::uint32_t g = 0; g < schedule.groups.size(); ++g) {
    const std::vector<ItemId>& members = schedule.groups[g];
    std::size_t anchors = 0, columns = 0;
    Index row = 0;
    for (const ItemId id : members) {
      const auto require = [&](bool holds, const char* what) {
        if (!holds)
          throw InternalError(fmt::format("plan: group {}, item {}: {}\n{}", g, id, what, schedule.str(needed)));
      };
      require(id < needed.size() && needed.computed(id), "it is not computed");
      require(done[id] == 0, "it runs twice");
      require(schedule.group_of[id] == g, "group_of names another group");
      const FusionInfo& info = schedule.info[id];
      needed.for_each_read(id, [&](ItemId i) {
        const ItemId from = needed.storage(i);
        require(done[from] != 0, "it runs before an operand");
        require(schedule.group_of[from] != g || (from == i && can_fuse(needed, schedule.info, id, i)),
                "it cannot be fused with an operand");
      });
      require(members.size() == 1 || info.kind != nullptr, "it can only run alone");
      require(row == 0 || info.row == 0 || row == info.row, "its rows have another size");
      row = std::max(row, info.row);
      anchors += info.is_anchor() ? 1U : 0U;
      columns += info.level == BlockLevel::column ? 1U : 0U;
      require(anchors <= 1 && columns <= limits.columns && (anchors == 0 || columns == 0),
              "there are too many anchors or columns before it");
      require(!last || schedule.runs_last[id] != 0, "it runs after an item that runs last");
      last = last || schedule.runs_last[id] != 0;
      done[id] = 1;
    }
    if (members.empty() || members.size() > limits.steps)
      throw InternalError(fmt::format("plan: group {} has {} members\n{}", g, members.size(), schedule.str(needed)));
  }
  const auto never = std::count(done.begin(), done.end(), 0);
  if (never != 0) throw InternalError(fmt::format("plan: {} items never run\n{}", never, schedule.str(needed)));
}

}  // namespace xgrad::inline v0
