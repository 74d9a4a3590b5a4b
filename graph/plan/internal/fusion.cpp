#include <xgrad/graph/plan/internal/fusion.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

namespace xgrad {
namespace {

constexpr std::uint32_t none = ~std::uint32_t{0};

// See Note [Stages].
std::vector<int> stages(std::span<const FusionStep> steps) {
  std::vector<int> stage(steps.size(), 0);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (std::size_t i = 0; i < steps[s].operands.size(); ++i) {
      stage[s] = std::max(stage[s], stage[steps[s].operands[i]] + (steps[s].joins[i] != 0 ? 0 : 1));
    }
  }
  constexpr int no_reader = 1 << 30;
  std::vector<int> highest(steps.size(), no_reader);  // that the readers allow
  std::vector<int> joining(steps.size(), -1);         // the highest stage of a reader it may join
  for (std::size_t s = steps.size(); s-- > 0;) {
    if (joining[s] == highest[s]) stage[s] = highest[s];
    for (std::size_t i = 0; i < steps[s].operands.size(); ++i) {
      const std::uint32_t operand = steps[s].operands[i];
      const bool joins = steps[s].joins[i] != 0;
      highest[operand] = std::min(highest[operand], stage[s] - (joins ? 0 : 1));
      if (joins) joining[operand] = std::max(joining[operand], stage[s]);
    }
  }
  return stage;
}

// Sets of steps, joined one by one.
class Sets {
 public:
  explicit Sets(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), 0U); }
  std::uint32_t find(std::uint32_t s) {
    while (parent_[s] != s) s = parent_[s] = parent_[parent_[s]];
    return s;
  }
  void join(std::uint32_t a, std::uint32_t b) { parent_[find(a)] = find(b); }

 private:
  std::vector<std::uint32_t> parent_;
};

}  // namespace

std::vector<std::vector<std::uint32_t>> fuse(std::span<const FusionStep> steps, const FusionLimits& limits) {
  const std::vector<int> stage = stages(steps);
  Sets sets(steps.size());
  for (std::uint32_t s = 0; s < steps.size(); ++s) {
    for (std::size_t i = 0; i < steps[s].operands.size(); ++i) {
      const std::uint32_t operand = steps[s].operands[i];
      if (steps[s].joins[i] != 0 && stage[operand] == stage[s]) sets.join(s, operand);
    }
  }

  // Members of a set go into its unit in order; a unit that is full is followed by another. Since members read only
  // from members before them, so do these units.
  std::vector<std::vector<std::uint32_t>> units;
  std::vector<std::uint32_t> unit_of(steps.size(), none);
  std::vector<std::uint32_t> open(steps.size(), none);  // the unit that takes members of a set
  std::vector<std::vector<std::uint64_t>> inputs;       // of a unit, each once
  struct Rows {
    Index row = 0;
    bool head = false;
    int columns = 0;
    bool take(const FusionStep& step, const FusionLimits& limits) {
      if ((row > 0 && step.row > 0 && row != step.row) || (head && step.head)) return false;
      const Rows both{std::max(row, step.row), head || step.head, columns + (step.column ? 1 : 0)};
      if ((both.head && both.columns > 0) || both.columns > limits.columns) return false;
      *this = both;
      return true;
    }
  };
  std::vector<Rows> rows;  // of a unit
  for (std::uint32_t s = 0; s < steps.size(); ++s) {
    std::uint32_t& unit = open[sets.find(s)];
    // What the step reads from outside, if it goes into the unit.
    const auto with_step = [&](std::vector<std::uint64_t> all, std::uint32_t into) {
      const std::uint64_t way = steps[s].by_rows ? std::uint64_t{1} << 33 : 0;
      for (const std::uint32_t other : steps[s].others) all.push_back(other | std::uint64_t{1} << 32 | way);
      for (const std::uint32_t operand : steps[s].operands) {
        if (unit_of[operand] != into) all.push_back(operand | way);
      }
      std::sort(all.begin(), all.end());
      all.erase(std::unique(all.begin(), all.end()), all.end());
      return all;
    };
    bool fits = unit != none && units[unit].size() < static_cast<std::size_t>(limits.steps);
    if (fits) {
      std::vector<std::uint64_t> all = with_step(inputs[unit], unit);
      fits = all.size() <= static_cast<std::size_t>(limits.inputs) && rows[unit].take(steps[s], limits);
      if (fits) inputs[unit] = std::move(all);
    }
    if (!fits) {
      unit = static_cast<std::uint32_t>(units.size());
      units.emplace_back();
      inputs.push_back(with_step({}, unit));
      rows.emplace_back().take(steps[s], limits);
    }
    unit_of[s] = unit;
    units[unit].push_back(s);
  }

  // Units in the order of their first steps, each after those it reads from.
  std::vector<std::vector<std::uint32_t>> out;
  std::vector<char> state(units.size(), 0);  // 1: entered, 2: done
  std::vector<std::uint32_t> stack;
  for (const bool last : {false, true}) {
    for (std::uint32_t first = 0; first < steps.size(); ++first) {
      if (steps[first].last != last) continue;
      stack.push_back(unit_of[first]);
      while (!stack.empty()) {
        const std::uint32_t unit = stack.back();
        if (state[unit] != 0) {
          stack.pop_back();
          if (state[unit] == 1) out.push_back(std::move(units[unit]));
          state[unit] = 2;
          continue;
        }
        state[unit] = 1;
        for (const std::uint32_t s : units[unit]) {
          for (const std::uint32_t operand : steps[s].operands) {
            if (state[unit_of[operand]] == 0) stack.push_back(unit_of[operand]);
          }
        }
      }
    }
  }
  return out;
}

}  // namespace xgrad
