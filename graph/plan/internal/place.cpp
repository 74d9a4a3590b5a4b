#include <xgrad/graph/plan/internal/place.hpp>

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {
namespace {

class Placer {
 public:
  Placer(const Needed& needed, const std::vector<Selected>& steps, const PlanOptions& options)
      : needed_(needed), steps_(steps), options_(options), old_(needed.parameters.size(), no_item) {
    out_.buffer_of.assign(needed.size(), Placement::none);
    out_.written_to.assign(needed.size(), Placement::none);
    for (ItemId id = 0; id < needed.size(); ++id) {
      if (needed.is(id, Item::Kind::parameter)) old_[needed.items[id].index] = id;
    }
  }

  Placement run() {
    compute_liveness();
    place_updates();
    for (const PlannedInput& input : needed_.inputs) {
      if (input.needed) out_.buffer_of[input.value] = add_buffer(input.type.bytes(), -1, Placement::forever);
    }
    owns_buffer_.assign(needed_.size(), 0);
    saved_.assign(needed_.size(), 0);
    for (int s = 0; s < step_count(); ++s) place_step(s);
    place_copies();
    out_.memory = place_buffers(out_.buffers, options_.reuse);
    return std::move(out_);
  }

 private:
  int step_count() const { return static_cast<int>(steps_.size()); }
  const Selected& step(int s) const { return steps_[static_cast<std::size_t>(s)]; }
  std::uint32_t add_buffer(std::size_t bytes, int first, int last) {
    out_.buffers.push_back({bytes, first, last});
    return static_cast<std::uint32_t>(out_.buffers.size() - 1);
  }

  void compute_liveness() {
    last_use_.assign(needed_.size(), -1);
    for (int s = 0; s < step_count(); ++s) {
      for (const ItemId id : step(s).reads) last_use_[id] = s;
      for (const ItemId id : step(s).writes) last_use_[id] = s;
    }
    for (const ItemId id : needed_.outputs) last_use_[needed_.storage(id)] = Placement::forever;
    for (const Needed::Target& u : needed_.updates) {
      if (!u.alone) last_use_[needed_.storage(u.value)] = Placement::forever;
    }
  }

  // An update is written in place if no later step reads the parameter's old values, and none can throw.
  void place_updates() {
    std::vector<int> made(needed_.size(), -1);
    int last_to_throw = -1;
    for (int s = 0; s < step_count(); ++s) {
      for (const ItemId id : step(s).writes) made[id] = s;
      if (step(s).may_throw) last_to_throw = s;
    }
    for (const Needed::Target& u : needed_.updates) {
      if (!u.alone) continue;
      const int s = made[u.value];
      const ItemId old = old_[u.parameter];
      const int last = old == no_item ? -1 : last_use_[old];
      if (options_.in_place && s > last_to_throw && (last < s || (last == s && may_overwrite(step(s), u.value, old))))
        out_.written_to[u.value] = u.parameter;
      else
        last_use_[u.value] = Placement::forever;
    }
  }

  static bool may_overwrite(const Selected& step, ItemId result, ItemId operand) {
    return std::any_of(step.overwrites.begin(), step.overwrites.end(),
                       [&](const Selected::Overwrite& o) { return o.result == result && o.operand == operand; });
  }

  void place_step(int s) {
    const Selected& now = step(s);
    out_.scratch.push_back(now.scratch > 0 ? add_buffer(now.scratch, s, s) : Placement::none);
    bool in_place = false;
    for (const ItemId id : now.writes) {
      if (const std::uint32_t parameter = out_.written_to[id]; parameter != Placement::none) {
        const ItemId old = old_[parameter];
        in_place = in_place || (old != no_item && last_use_[old] == s);
        continue;
      }
      std::uint32_t buffer = take_over(now, id, s);
      in_place = in_place || buffer != Placement::none;
      if (buffer == Placement::none) buffer = add_buffer(needed_.type(id).bytes(), s, s);
      out_.buffers[buffer].last = std::max(out_.buffers[buffer].last, last_use_[id]);
      out_.buffer_of[id] = buffer;
      owns_buffer_[id] = 1;
    }
    out_.in_place.push_back(in_place ? 1 : 0);
  }

  // The buffer of an operand that dies with the step, which then owns it no longer; or `none`.
  std::uint32_t take_over(const Selected& step, ItemId id, int s) {
    for (const Selected::Overwrite& o : step.overwrites) {
      if (!options_.in_place || o.result != id || last_use_[o.operand] != s || owns_buffer_[o.operand] == 0) continue;
      owns_buffer_[o.operand] = 0;
      return out_.buffer_of[o.operand];
    }
    return Placement::none;
  }

  // Updates that are not in place are copied at the end. Before them, old values that outputs and updates show are
  // saved.
  void place_copies() {
    for (std::uint32_t u = 0; u < needed_.updates.size(); ++u) {
      const Needed::Target& update = needed_.updates[u];
      const bool written = update.alone && out_.written_to[update.value] != Placement::none;
      if (written || needed_.type(update.value).shape.elements() == 0) continue;
      out_.commits.push_back(u);
      if (shown_parameter(update.value) != Placement::none) save(update.value);
    }
    std::vector<char> updated(needed_.parameters.size(), 0);
    for (const Needed::Target& u : needed_.updates) updated[u.parameter] = 1;
    for (const ItemId id : needed_.outputs) {
      const std::uint32_t parameter = shown_parameter(id);
      if (parameter != Placement::none && updated[parameter] != 0) save(id);
    }
  }
  std::uint32_t shown_parameter(ItemId id) const {
    const Item& shown = needed_.items[needed_.storage(id)];
    return shown.kind == Item::Kind::parameter ? shown.index : Placement::none;
  }
  void save(ItemId id) {
    if (std::exchange(saved_[id], 1) != 0) return;
    out_.saves.push_back({id, add_buffer(needed_.type(id).bytes(), step_count(), Placement::forever)});
  }

  const Needed& needed_;
  const std::vector<Selected>& steps_;
  const PlanOptions& options_;
  Placement out_;
  std::vector<ItemId> old_;        // by parameter, the item of its values before the run, or `no_item`
  std::vector<int> last_use_;      // by item, the last step that reads or writes it; `forever` if a run keeps it
  std::vector<char> owns_buffer_;  // by item: no later one was written over it
  std::vector<char> saved_;        // by item
};

// Which item each byte of the workspace and each parameter holds, at one point of a run.
class Contents {
 public:
  Contents(const Placement& placement, const Needed& needed)
      : placement_(placement), needed_(needed), parameters_(needed.parameters.size(), no_item) {}

  struct Range {
    std::size_t first = 0, end = 0;
    bool overlaps(const Range& other) const { return first < other.end && other.first < end; }
  };
  Range range(std::uint32_t buffer, std::size_t bytes) const {
    const std::size_t first = placement_.memory.offsets[buffer];
    return {first, first + bytes};
  }
  Range range(ItemId id) const { return range(placement_.buffer_of[id], needed_.type(id).bytes()); }
  bool in_arena(ItemId id) const { return placement_.buffer_of[id] != Placement::none; }
  std::uint32_t parameter(ItemId id) const {
    return needed_.is(id, Item::Kind::parameter) ? needed_.items[id].index : placement_.written_to[id];
  }

  bool holds(ItemId id) const {
    if (needed_.is(id, Item::Kind::constant) || needed_.type(id).bytes() == 0) return true;
    if (parameter(id) != Placement::none) return parameters_[parameter(id)] == id;
    if (!in_arena(id)) return false;
    const auto found = arena_.find(range(id).first);
    return found != arena_.end() && found->second.second == id;
  }
  void write(ItemId id) {
    if (parameter(id) != Placement::none)
      parameters_[parameter(id)] = id;
    else
      write(range(id), id);
  }
  void write(Range range, ItemId id) {
    if (range.first == range.end) return;
    auto it = arena_.lower_bound(range.first);
    if (it != arena_.begin() && std::prev(it)->second.first > range.first) --it;
    while (it != arena_.end() && it->first < range.end) it = arena_.erase(it);
    arena_[range.first] = {range.end, id};
  }

 private:
  const Placement& placement_;
  const Needed& needed_;
  std::map<std::size_t, std::pair<std::size_t, ItemId>> arena_;  // by the first byte: the end, and what is there
  std::vector<ItemId> parameters_;
};

}  // namespace

Placement place(const Needed& needed, const std::vector<Selected>& steps, const PlanOptions& options) {
  return Placer(needed, steps, options).run();
}

std::string Placement::str(const Needed& needed) const {
  std::string out;
  const auto place = [&](std::uint32_t buffer) {
    const auto& [bytes, first, last] = buffers[buffer];
    const std::string end = last == forever ? "on" : fmt::format("to {}", last);
    return fmt::format("@{}..{} from {} {}", memory.offsets[buffer], memory.offsets[buffer] + bytes, first, end);
  };
  for (ItemId id = 0; id < needed.size(); ++id) {
    if (buffer_of[id] != none) out += fmt::format("{} {}\n", id, place(buffer_of[id]));
    if (written_to[id] != none) out += fmt::format("{} in {:?}\n", id, needed.parameters[written_to[id]].name());
  }
  for (std::size_t s = 0; s < scratch.size(); ++s) {
    if (scratch[s] != none) out += fmt::format("scratch of step {} {}\n", s, place(scratch[s]));
  }
  for (const Save& save : saves) out += fmt::format("save {} {}\n", save.item, place(save.buffer));
  for (const std::uint32_t u : commits) out += fmt::format("commit {}\n", needed.updates[u].value);
  return out;
}

void verify(const Placement& placement, const Needed& needed, const std::vector<Selected>& steps) {
  const auto require = [&](bool holds, const std::string& where, ItemId id, const char* what) {
    if (holds) return;
    throw InternalError(fmt::format("plan: {}, item {}: {}\n{}", where, id, what, placement.str(needed)));
  };
  Contents contents(placement, needed);
  for (ItemId id = 0; id < needed.size(); ++id) {
    if (needed.is(id, Item::Kind::input) || needed.is(id, Item::Kind::parameter)) contents.write(id);
  }
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const Selected& now = steps[s];
    const std::string where = fmt::format("step {}", s);
    for (const ItemId id : now.reads) require(contents.holds(id), where, id, "its bytes do not hold what is read");
    if (placement.scratch[s] != Placement::none) {
      const Contents::Range scratch = contents.range(placement.scratch[s], now.scratch);
      for (const auto* items : {&now.reads, &now.writes}) {
        for (const ItemId id : *items)
          require(!contents.in_arena(id) || !contents.range(id).overlaps(scratch), where, id,
                  "it lies in scratch memory");
      }
      contents.write(scratch, no_item);
    }
    std::vector<ItemId> used = now.reads;
    for (const ItemId id : now.writes) {
      require(contents.in_arena(id) != (placement.written_to[id] != Placement::none), where, id, "it has no one place");
      for (const ItemId other : used) {
        const auto leave = [&](const Selected::Overwrite& o) { return o.result == id && o.operand == other; };
        const bool may = std::any_of(now.overwrites.begin(), now.overwrites.end(), leave);
        const bool both = contents.in_arena(id) && contents.in_arena(other);
        const bool meet = both ? contents.range(id).overlaps(contents.range(other))
                               : !contents.in_arena(id) && contents.parameter(other) == contents.parameter(id);
        const bool same = !both || contents.range(id).first == contents.range(other).first;
        require(!meet || (may && same), where, id, "it is written over what the step uses");
      }
      used.push_back(id);
    }
    for (const ItemId id : now.writes) contents.write(id);
  }
  std::vector<char> saved(needed.size(), 0);
  for (const Placement::Save& save : placement.saves) {
    require(contents.holds(needed.storage(save.item)), "save", save.item, "its bytes do not hold what is saved");
    contents.write(contents.range(save.buffer, needed.type(save.item).bytes()), no_item);
    saved[save.item] = 1;
  }
  std::vector<char> written(needed.parameters.size(), 0);
  for (const std::uint32_t u : placement.commits) written[needed.updates[u].parameter] = 1;
  const auto kept = [&](ItemId id, const char* where) {
    const std::uint32_t parameter = contents.parameter(needed.storage(id));
    if (saved[id] != 0) return;
    require(contents.holds(needed.storage(id)), where, id, "its bytes do not hold it at the end");
    require(parameter == Placement::none || written[parameter] == 0, where, id, "an update destroys it");
  };
  for (const std::uint32_t u : placement.commits) kept(needed.updates[u].value, "commit");
  for (std::uint32_t u = 0; u < needed.updates.size(); ++u) {
    const auto& [value, parameter, alone] = needed.updates[u];
    require(written[parameter] != 0 || needed.type(value).bytes() == 0 ||
                (placement.written_to[value] == parameter && contents.holds(value)),
            "update", value, "it does not reach its parameter");
  }
  for (const ItemId id : needed.outputs) kept(id, "output");
  for (const PlannedInput& input : needed.inputs) {
    if (input.needed) kept(input.value, "the next run");
  }
}

}  // namespace xgrad::inline v0
