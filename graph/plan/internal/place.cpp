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

  // Updates a parameter in place if no later step reads its old values and no later step may throw.
  void place_updates() {
    std::vector<int> written_by(needed_.size(), -1);
    int last_to_throw = -1;
    for (int s = 0; s < step_count(); ++s) {
      for (const ItemId id : step(s).writes) written_by[id] = s;
      if (step(s).may_throw) last_to_throw = s;
    }
    for (const Needed::Target& u : needed_.updates) {
      if (!u.alone) continue;
      const int s = written_by[u.value];
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
      std::uint32_t buffer = reuse_operand(now, id, s);
      in_place = in_place || buffer != Placement::none;
      if (buffer == Placement::none) buffer = add_buffer(needed_.type(id).bytes(), s, s);
      out_.buffers[buffer].last = std::max(out_.buffers[buffer].last, last_use_[id]);
      out_.buffer_of[id] = buffer;
      owns_buffer_[id] = 1;
    }
    out_.in_place.push_back(in_place ? 1 : 0);
  }

  // Takes the buffer of an operand that no later step reads; `none` if there is none.
  std::uint32_t reuse_operand(const Selected& step, ItemId id, int s) {
    for (const Selected::Overwrite& o : step.overwrites) {
      if (!options_.in_place || o.result != id || last_use_[o.operand] != s || owns_buffer_[o.operand] == 0) continue;
      owns_buffer_[o.operand] = 0;
      return out_.buffer_of[o.operand];
    }
    return Placement::none;
  }

  // Copies updates that are not in place at the end. Before, saves old values that outputs and updates refer to.
  void place_copies() {
    for (std::uint32_t u = 0; u < needed_.updates.size(); ++u) {
      const Needed::Target& update = needed_.updates[u];
      const bool written = update.alone && out_.written_to[update.value] != Placement::none;
      if (written || needed_.type(update.value).shape.elements() == 0) continue;
      out_.commits.push_back(u);
      if (parameter_of(update.value) != Placement::none) save(update.value);
    }
    std::vector<char> updated(needed_.parameters.size(), 0);
    for (const Needed::Target& u : needed_.updates) updated[u.parameter] = 1;
    for (const ItemId id : needed_.outputs) {
      const std::uint32_t parameter = parameter_of(id);
      if (parameter != Placement::none && updated[parameter] != 0) save(id);
    }
  }
  std::uint32_t parameter_of(ItemId id) const {
    const Item& item = needed_.items[needed_.storage(id)];
    return item.kind == Item::Kind::parameter ? item.index : Placement::none;
  }
  void save(ItemId id) {
    if (std::exchange(saved_[id], 1) != 0) return;
    out_.saves.push_back({id, add_buffer(needed_.type(id).bytes(), step_count(), Placement::forever)});
  }

  const Needed& needed_;
  const std::vector<Selected>& steps_;
  const PlanOptions& options_;
  Placement out_;
  std::vector<ItemId> old_;        // by parameter: the item of its values before the run, or `no_item`
  std::vector<int> last_use_;      // by item: the last step that reads or writes it; `forever` if it is kept
  std::vector<char> owns_buffer_;  // by item: no later item has taken its buffer
  std::vector<char> saved_;        // by item: its old value is copied before the commits
};

// The items that the arena and the parameters hold at one point of a run.
class Contents {
 public:
  struct Range {
    std::uint32_t space = 0;  // 0: in the arena; p + 1: in the memory of parameter p
    std::size_t first = 0, end = 0;
    bool overlaps(const Range& other) const { return space == other.space && first < other.end && other.first < end; }
  };

  Contents(const Placement& placement, const Needed& needed) : placement_(placement), needed_(needed) {}

  Range buffer(std::uint32_t buffer, std::size_t bytes) const {
    const std::size_t first = placement_.memory.offsets[buffer];
    return {0, first, first + bytes};
  }
  // The bytes of the item; empty for constants.
  Range range(ItemId id) const {
    const Item& item = needed_.items[id];
    const std::uint32_t parameter = item.kind == Item::Kind::parameter ? item.index : placement_.written_to[id];
    if (parameter != Placement::none) return {parameter + 1, 0, item.type.bytes()};
    const std::uint32_t in_arena = placement_.buffer_of[id];
    return in_arena != Placement::none ? buffer(in_arena, item.type.bytes()) : Range();
  }

  bool holds(ItemId id) const {
    if (needed_.is(id, Item::Kind::constant) || needed_.type(id).bytes() == 0) return true;
    const Range at = range(id);
    const auto found = contents_.find({at.space, at.first});
    return found != contents_.end() && found->second.second == id;
  }
  void write(const Range& range, ItemId id) {
    if (range.first == range.end) return;
    const auto overlaps = [&](const auto& known) {
      return range.overlaps({known.first.first, known.first.second, known.second.first});
    };
    auto it = contents_.lower_bound({range.space, range.first});
    if (it != contents_.begin() && overlaps(*std::prev(it))) --it;
    while (it != contents_.end() && overlaps(*it)) it = contents_.erase(it);
    contents_[{range.space, range.first}] = {range.end, id};
  }

 private:
  const Placement& placement_;
  const Needed& needed_;
  // The end and the item of each written range, by space and first byte.
  std::map<std::pair<std::uint32_t, std::size_t>, std::pair<std::size_t, ItemId>> contents_;
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
    if (needed.is(id, Item::Kind::input) || needed.is(id, Item::Kind::parameter))
      contents.write(contents.range(id), id);
  }
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const Selected& now = steps[s];
    const std::string where = fmt::format("step {}", s);
    Contents::Range scratch;
    if (placement.scratch[s] != Placement::none) scratch = contents.buffer(placement.scratch[s], now.scratch);
    for (const ItemId id : now.reads) {
      require(contents.holds(id), where, id, "its bytes do not hold the operand");
      require(!contents.range(id).overlaps(scratch), where, id, "it is in scratch memory");
    }
    std::vector<ItemId> used = now.reads;
    for (const ItemId id : now.writes) {
      const Contents::Range range = contents.range(id);
      require((placement.buffer_of[id] != Placement::none) != (placement.written_to[id] != Placement::none), where, id,
              "it needs either a buffer or a parameter");
      require(!range.overlaps(scratch), where, id, "it is in scratch memory");
      for (const ItemId other : used) {
        const auto allows = [&](const Selected::Overwrite& o) { return o.result == id && o.operand == other; };
        const bool may = contents.range(other).first == range.first &&
                         std::any_of(now.overwrites.begin(), now.overwrites.end(), allows);
        require(may || !range.overlaps(contents.range(other)), where, id, "it overwrites a value that the step uses");
      }
      used.push_back(id);
    }
    contents.write(scratch, no_item);
    for (const ItemId id : now.writes) contents.write(contents.range(id), id);
  }
  std::vector<char> saved(needed.size(), 0);
  for (const Placement::Save& save : placement.saves) {
    require(contents.holds(needed.storage(save.item)), "save", save.item, "its bytes do not hold the saved value");
    contents.write(contents.buffer(save.buffer, needed.type(save.item).bytes()), no_item);
    saved[save.item] = 1;
  }
  std::vector<char> committed(needed.parameters.size() + 1, 0);  // by space
  for (const std::uint32_t u : placement.commits) committed[needed.updates[u].parameter + 1] = 1;
  const auto require_kept = [&](ItemId id, const char* where) {
    if (saved[id] != 0) return;
    require(contents.holds(needed.storage(id)), where, id, "its bytes do not hold it at the end");
    require(committed[contents.range(needed.storage(id)).space] == 0, where, id, "an update overwrites it");
  };
  for (const std::uint32_t u : placement.commits) require_kept(needed.updates[u].value, "commit");
  for (const auto& [value, parameter, alone] : needed.updates) {
    require(committed[parameter + 1] != 0 || needed.type(value).bytes() == 0 ||
                (placement.written_to[value] == parameter && contents.holds(value)),
            "update", value, "it does not reach its parameter");
  }
  for (const ItemId id : needed.outputs) require_kept(id, "output");
  for (const PlannedInput& input : needed.inputs) {
    if (input.needed) require_kept(input.value, "the next run");
  }
}

}  // namespace xgrad::inline v0
