// fuse: each group must be able to run after the producers of its operands.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>
#include <xgrad/graph/plan/internal/fusion.hpp>

#include "support/dice.hpp"

using namespace xgrad;

namespace {

FusionStep step(std::vector<std::uint32_t> operands, bool fuses = true) {
  FusionStep out;
  out.fuses.assign(operands.size(), fuses ? 1 : 0);
  out.operands = std::move(operands);
  return out;
}

using Groups = std::vector<std::vector<std::uint32_t>>;

}  // namespace

TEST_CASE("fusion: a chain is one group, split at the limit of steps") {
  std::vector<FusionStep> steps{step({})};
  for (std::uint32_t i = 1; i < 10; ++i) steps.push_back(step({i - 1}));
  CHECK(fuse(steps, {24, 16, 8}) == Groups{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}});
  CHECK(fuse(steps, {4, 16, 8}) == Groups{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}});
}

TEST_CASE("fusion: a path through an unfused step separates its ends") {
  // 0 feeds 1 and 2; 1 cannot be fused and feeds 2: a group of 0 and 2 would form a cycle with 1.
  const std::vector<FusionStep> steps{step({}), step({0}, false), [] {
                                        FusionStep s = step({0, 1});
                                        s.fuses[1] = 0;
                                        return s;
                                      }()};
  CHECK(fuse(steps, {24, 16, 8}) == Groups{{0}, {1}, {2}});
}

TEST_CASE("fusion: a producer joins the group of its only consumer") {
  // 0 reads nothing; 1 and 2 are a chain of steps that cannot be fused; 3 reads 0 and 2.
  std::vector<FusionStep> steps{step({}), step({}, false), step({1}, false), step({0, 2})};
  steps[3].fuses[1] = 0;
  CHECK(fuse(steps, {24, 16, 8}) == Groups{{1}, {2}, {0, 3}});
}

TEST_CASE("fusion: groups are split at the limit of external inputs") {
  std::vector<FusionStep> steps;
  for (std::uint32_t i = 0; i < 10; ++i) {
    steps.push_back(i == 0 ? step({}) : step({i - 1}));
    steps.back().external_inputs = {i};
  }
  // The second group also reads the last step of the first.
  CHECK(fuse(steps, {24, 4, 8}) == Groups{{0, 1, 2, 3}, {4, 5, 6}, {7, 8, 9}});
  for (FusionStep& s : steps) s.external_inputs = {7};  // one shared input
  CHECK(fuse(steps, {24, 4, 8}).size() == 1);
}

TEST_CASE("fusion: steps with runs_last come last") {
  std::vector<FusionStep> steps{step({}), step({0}), step({}), step({2})};
  steps[0].runs_last = steps[1].runs_last = true;
  CHECK(fuse(steps, {24, 16, 8}) == Groups{{2, 3}, {0, 1}});
}

TEST_CASE("fusion: random steps are grouped once, in order and within the limits") {
  testing::Dice dice(1);
  for (int round = 0; round < 500; ++round) {
    std::vector<FusionStep> steps;
    const auto count = static_cast<std::uint32_t>(dice.between(1, 80));
    for (std::uint32_t s = 0; s < count; ++s) {
      FusionStep one;
      for (Index k = dice.below(4); k > 0 && s > 0; --k) {
        const auto nearby = std::min<Index>(s, dice.below(3) == 0 ? s : 6);
        one.operands.push_back(s - 1 - static_cast<std::uint32_t>(dice.below(nearby)));
        one.fuses.push_back(static_cast<char>(dice.below(4) != 0));
      }
      for (Index k = dice.below(3); k > 0; --k)
        one.external_inputs.push_back(static_cast<std::uint32_t>(dice.below(9)));
      steps.push_back(one);
    }
    const auto most = static_cast<std::size_t>(dice.between(1, 12));
    const Groups groups = fuse(steps, {most, 5, 8});
    std::vector<int> seen(count, 0);
    bool ordered = true;
    bool fits = true;
    for (const auto& group : groups) {
      fits = fits && group.size() <= most;
      for (const std::uint32_t s : group) {
        ++seen[s];
        for (const std::uint32_t operand : steps[s].operands) ordered = ordered && seen[operand] == 1;
      }
    }
    CHECK(ordered);
    CHECK(fits);
    CHECK(std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; }));
  }
}

TEST_CASE("plan: str lists fused operations; only outputs of a group take memory") {
  Graph g;
  const Value x = g.input("x", {64, 100});
  const Value row = g.input("row", {100});
  const Value y = tanh(x * 2 + row) * sigmoid(x);
  const Plan fused({y});
  CHECK(fused.steps() == 1);
  CHECK(fused.str().find("fused 5: ") != std::string::npos);
  CHECK(Plan({y}, {}, {.fuse = false}).steps() == 5);
  CHECK(fused.peak_bytes() <= Plan({y}, {}, {.fuse = false}).peak_bytes());
}
