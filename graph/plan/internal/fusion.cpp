#include <xgrad/graph/plan/internal/fusion.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

namespace xgrad::inline v0 {
namespace {

constexpr std::uint32_t none = ~std::uint32_t{0};

// See Note [Stages].
std::vector<int> stages(std::span<const FusionStep> steps) {
  std::vector<int> stage(steps.size(), 0);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (std::size_t i = 0; i < steps[s].operands.size(); ++i) {
      stage[s] = std::max(stage[s], stage[steps[s].operands[i]] + (steps[s].fuses[i] != 0 ? 0 : 1));
    }
  }
  constexpr int no_reader = 1 << 30;
  std::vector<int> highest(steps.size(), no_reader);  // the highest stage that all readers allow
  std::vector<int> fusing(steps.size(), -1);          // the highest stage of a reader that it can be fused with
  for (std::size_t s = steps.size(); s-- > 0;) {
    if (fusing[s] == highest[s]) stage[s] = highest[s];
    for (std::size_t i = 0; i < steps[s].operands.size(); ++i) {
      const std::uint32_t operand = steps[s].operands[i];
      const bool fuses = steps[s].fuses[i] != 0;
      highest[operand] = std::min(highest[operand], stage[s] - (fuses ? 0 : 1));
      if (fuses) fusing[operand] = std::max(fusing[operand], stage[s]);
    }
  }
  return stage;
}

class UnionFind {
 public:
  explicit UnionFind(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), 0U); }
  std::uint32_t find(std::uint32_t s) {
    while (parent_[s] != s) s = parent_[s] = parent_[parent_[s]];
    return s;
  }
  void join(std::uint32_t a, std::uint32_t b) { parent_[find(a)] = find(b); }

 private:
  std::vector<std::uint32_t> parent_;
};

// Joins components that read the same large tensors, see Note [Shared inputs]. All edges between components lead to a
// higher stage. A component may be raised up to its ceiling, below all its consumers, and the edges still do.
class Siblings {
 public:
  Siblings(std::span<const FusionStep> steps, const std::vector<int>& stage, const FusionLimits& limits,
           UnionFind& sets)
      : limits_(limits), sets_(sets), of_(steps.size()) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> readers;  // tensor, step
    for (std::uint32_t s = 0; s < steps.size(); ++s) {
      Component& own = of_[sets.find(s)];
      own.stage = stage[s];
      own.steps += 1;
      own.inputs += steps[s].external_inputs.size();
      own.columns += steps[s].column ? 1U : 0U;
      own.row = std::max(own.row, steps[s].row);
      own.anchor = own.anchor || steps[s].anchor;
      own.runs_last = steps[s].runs_last;
      for (const std::uint32_t input : steps[s].shared_inputs) readers.emplace_back(input, s);
      for (const std::uint32_t operand : steps[s].operands) {
        Component& producer = of_[sets.find(operand)];
        if (&producer == &own) continue;
        own.inputs += 1;
        producer.ceiling = std::min(producer.ceiling, stage[s] - 1);
      }
    }
    std::sort(readers.begin(), readers.end(), [&](const auto& a, const auto& b) {
      return std::pair(a.first, stage[a.second]) < std::pair(b.first, stage[b.second]);
    });
    for (std::size_t i = 1; i < readers.size(); ++i) {
      if (readers[i - 1].first == readers[i].first) join(readers[i - 1].second, readers[i].second);
    }
  }

 private:
  struct Component {
    int stage = 0;
    int ceiling = 1 << 30;
    std::size_t steps = 0, inputs = 0, columns = 0;  // inputs: an upper bound
    Index row = 0;
    bool anchor = false, runs_last = false;
  };

  void join(std::uint32_t lower_step, std::uint32_t upper_step) {
    const std::uint32_t from = sets_.find(lower_step), to = sets_.find(upper_step);
    const Component a = of_[from], b = of_[to];
    if (from == to || a.stage > b.stage || a.ceiling < b.stage || a.anchor || b.anchor || a.runs_last != b.runs_last ||
        (a.row != 0 && b.row != 0 && a.row != b.row) || a.steps + b.steps > limits_.steps ||
        a.inputs + b.inputs > limits_.inputs || a.columns + b.columns > limits_.columns)
      return;
    sets_.join(from, to);
    of_[sets_.find(to)] = {b.stage,
                           std::min(a.ceiling, b.ceiling),
                           a.steps + b.steps,
                           a.inputs + b.inputs,
                           a.columns + b.columns,
                           std::max(a.row, b.row),
                           false,
                           a.runs_last};
  }

  const FusionLimits& limits_;
  UnionFind& sets_;
  std::vector<Component> of_;  // by the step that stands for the component
};

// The connected components of each stage.
UnionFind connected(std::span<const FusionStep> steps, const FusionLimits& limits) {
  const std::vector<int> stage = stages(steps);
  UnionFind sets(steps.size());
  for (std::uint32_t s = 0; s < steps.size(); ++s) {
    for (std::size_t i = 0; i < steps[s].operands.size(); ++i) {
      const std::uint32_t operand = steps[s].operands[i];
      if (steps[s].fuses[i] != 0 && stage[operand] == stage[s]) sets.join(s, operand);
    }
  }
  Siblings(steps, stage, limits, sets);
  return sets;
}

class Group {
 public:
  // Adds the step unless that exceeds the limits; the first step always fits. `inside(operand)`: it is a member.
  template <class Inside>
  bool take(const FusionStep& step, const FusionLimits& limits, Inside inside) {
    std::vector<std::uint64_t> inputs = inputs_;
    const std::uint64_t access = step.reads_row_values ? std::uint64_t{1} << 33 : 0;
    for (const std::uint32_t input : step.external_inputs) inputs.push_back(input | std::uint64_t{1} << 32 | access);
    for (const std::uint32_t operand : step.operands) {
      if (!inside(operand)) inputs.push_back(operand | access);
    }
    std::sort(inputs.begin(), inputs.end());
    inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
    const std::size_t columns = columns_ + (step.column ? 1U : 0U);
    const bool fits = steps_ < limits.steps && inputs.size() <= limits.inputs && columns <= limits.columns &&
                      (row_ == 0 || step.row == 0 || row_ == step.row) && !(anchor_ && step.anchor) &&
                      !((anchor_ || step.anchor) && columns > 0);
    if (!fits && steps_ > 0) return false;
    ++steps_;
    inputs_ = std::move(inputs);
    columns_ = columns;
    row_ = std::max(row_, step.row);
    anchor_ = anchor_ || step.anchor;
    return true;
  }

 private:
  std::vector<std::uint64_t> inputs_;  // sorted, unique
  std::size_t steps_ = 0, columns_ = 0;
  Index row_ = 0;
  bool anchor_ = false;
};

struct Groups {
  std::vector<std::vector<std::uint32_t>> members;
  std::vector<std::uint32_t> group_of;  // by step
};

// Fills the groups of each component in step order and opens another group when one is full. Steps only read from steps
// before them, and so do the groups.
Groups fill_groups(std::span<const FusionStep> steps, UnionFind sets, const FusionLimits& limits) {
  Groups out;
  out.group_of.assign(steps.size(), none);
  std::vector<Group> groups;
  std::vector<std::uint32_t> open(steps.size(), none);  // by component: the group that is being filled
  for (std::uint32_t s = 0; s < steps.size(); ++s) {
    std::uint32_t& group = open[sets.find(s)];
    const auto inside = [&](std::uint32_t operand) { return out.group_of[operand] == group; };
    if (group == none || !groups[group].take(steps[s], limits, inside)) {
      group = static_cast<std::uint32_t>(groups.size());
      groups.emplace_back().take(steps[s], limits, inside);
      out.members.emplace_back();
    }
    out.group_of[s] = group;
    out.members[group].push_back(s);
  }
  return out;
}

// Orders groups by their first steps, each after its producers.
std::vector<std::vector<std::uint32_t>> in_order(std::span<const FusionStep> steps, Groups groups) {
  std::vector<std::vector<std::uint32_t>> out;
  enum class State : std::uint8_t { waiting, entered, done };
  std::vector<State> state(groups.members.size(), State::waiting);
  std::vector<std::uint32_t> stack;
  for (const bool runs_last : {false, true}) {
    for (std::uint32_t first = 0; first < steps.size(); ++first) {
      if (steps[first].runs_last != runs_last) continue;
      stack.push_back(groups.group_of[first]);
      while (!stack.empty()) {
        const std::uint32_t group = stack.back();
        if (state[group] != State::waiting) {
          stack.pop_back();
          if (state[group] == State::entered) out.push_back(std::move(groups.members[group]));
          state[group] = State::done;
          continue;
        }
        state[group] = State::entered;
        for (const std::uint32_t s : groups.members[group]) {
          for (const std::uint32_t operand : steps[s].operands) {
            const std::uint32_t before = groups.group_of[operand];
            if (state[before] == State::waiting) stack.push_back(before);
          }
        }
      }
    }
  }
  return out;
}

}  // namespace

std::vector<std::vector<std::uint32_t>> fuse(std::span<const FusionStep> steps, const FusionLimits& limits) {
  return in_order(steps, fill_groups(steps, connected(steps, limits), limits));
}

}  // namespace xgrad::inline v0
