// The stages of planning: their printed forms for small graphs, and verifiers that catch planted faults.
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/internal/place.hpp>
#include <xgrad/ops/ops.hpp>

using namespace xgrad;

namespace {

struct Stages {
  Stages(const std::vector<Value>& outputs, const std::vector<Update>& updates, const PlanOptions& options = {})
      : rewritten(rewrite(outputs, updates, options)),
        items(needed(rewritten, options.fold_constants)),
        groups(schedule(items, options.fuse)),
        steps(select(items, groups)),
        placement(place(items, steps, options)) {
    check();
  }

  void check() const {
    verify(rewritten);
    verify(items);
    verify(groups, items);
    verify(steps, items);
    verify(placement, items, steps);
  }
  std::string steps_str() const {
    std::string out;
    for (const Selected& step : steps) out += step.str() + "\n";
    return out;
  }

  Rewritten rewritten;
  Needed items;
  Schedule groups;
  std::vector<Selected> steps;
  Placement placement;
};

// A layer and its updates: a matrix product with an epilogue, reductions, a view, one update in place and two that are
// copied, and an output that is a parameter's old value.
struct Layer {
  Graph g;
  Parameter w{"w", Tensor({3, 4})};
  Parameter b{"b", Tensor::zeros({4})};
  Parameter c{"c", Tensor::zeros({4})};
  Value x = g.input("x", {8, 3});
  Value bias = g.parameter(b);  // on lines of their own, since compilers order operands differently
  Value weight = g.parameter(w);
  Value y = tanh(matmul(x, weight) + bias);
  Value d = sum(y, {0});

  Stages stages() {
    const Value next = g.parameter(b) - 0.5 * d;
    const Value scaled = g.parameter(w) * sum(exp(g.parameter(w)));
    return {{reshape(d, {2, 2}), g.parameter(b), cumsum(matmul(y, transpose(y)), 1)},
            {{b, next}, {c, d}, {w, scaled}},
            {.rewrites = Rewrites::none}};
  }
};

// Checks that a verifier finds the planted fault and that its message contains `words`.
void check_caught(const char* words, const std::function<void(Stages&)>& plant) {
  CAPTURE(words);
  Layer layer;
  Stages stages = layer.stages();
  plant(stages);
  CHECK_THROWS_WITH_AS(stages.check(), doctest::Contains(words), InternalError);
}

}  // namespace

TEST_CASE("needed: operands come first, views and broadcasts are resolved, constants are folded") {
  Graph g;
  const Value x = g.input("x", {2, 3});
  const Value unused = g.input("unused", {5});
  const Value row = g.input("row", {3});
  const Value five = g.constant(2.0) + g.constant(3.0);
  const Value y = x * broadcast_to(row, {2, 3}) + five;
  const Stages stages({reshape(y, {6}), slice(unused, 0, 0, 0)}, {});
  CHECK(stages.items.str() == R"(0 input %0 input "x" f32[2, 3]
1 input %2 input "row" f32[3]
2 constant %5 add f32[]
3 computed %7 mul f32[2, 3] <- 0 1
4 computed %8 add f32[2, 3] <- 3 2
5 view %9 reshape f32[6] of 4
6 constant %10 slice f32[0]
output 0 <- 5
output 1 <- 6
)");
  CHECK(stages.items.inputs.size() == 3);
  CHECK_FALSE(stages.items.inputs[1].needed);
}

TEST_CASE("needed: shape-only operands are not computed") {
  Graph g;
  const Value x = g.input("x", {2, 3});
  const Stages stages({zeros_like(x) + x, sum_like(g.input("y", {4, 2, 3}), exp(x))}, {}, {.fold_constants = false});
  CHECK(stages.items.str().find("shape %") != std::string::npos);
  for (const Selected& step : stages.steps) CHECK(step.str().find("exp") == std::string::npos);
}

TEST_CASE("plan stages: printed forms of a layer and its updates") {
  Layer layer;
  const Stages stages = layer.stages();
  CHECK(stages.items.str() == R"(0 input %0 input "x" f32[8, 3]
1 parameter %1 parameter "b" f32[4]
2 parameter %2 parameter "w" f32[3, 4]
3 computed %3 matmul f32[8, 4] <- 0 2
4 computed %4 add f32[8, 4] <- 3 1
5 computed %5 tanh f32[8, 4] <- 4
6 computed %6 sum f32[4] <- 5
7 constant %7 constant 0.5 f32[]
8 computed %8 mul f32[4] <- 7 6
9 computed %9 sub f32[4] <- 1 8
10 computed %10 exp f32[3, 4] <- 2
11 computed %11 sum f32[] <- 10
12 computed %12 mul f32[3, 4] <- 2 11
13 view %13 reshape f32[2, 2] of 6
14 computed %14 transpose f32[4, 8] <- 5
15 computed %15 matmul f32[8, 8] <- 5 14
16 computed %16 cumsum f32[8, 8] <- 15
output 0 <- 13
output 1 <- 1
output 2 <- 16
update "b" <- 9 alone
update "c" <- 6
update "w" <- 12 alone
)");
  CHECK(stages.groups.str(stages.items) == R"(0: 3 anchor %3 matmul f32[8, 4]
0: 4 elementwise %4 add f32[8, 4]
0: 5 elementwise %5 tanh f32[8, 4]
1: 6 reduction %6 sum f32[4]
2: 10 elementwise %10 exp f32[3, 4]
2: 11 reduction %11 sum f32[]
3: 14 alone %14 transpose f32[4, 8]
4: 15 anchor %15 matmul f32[8, 8]
5: 16 alone %16 cumsum f32[8, 8]
6: 8 elementwise %8 mul f32[4] last
6: 9 elementwise %9 sub f32[4] last
7: 12 elementwise %12 mul f32[3, 4] last
)");
  CHECK(stages.steps_str() == R"(%3 matmul f32[8, 4], then fused 2: %4 add %5 tanh f32[8, 4]: 3 5 <- 0 2 1, 5 over 3
%6 sum f32[4]: 6 <- 5
fused 2: %10 exp %11 sum f32[3, 4]: 11 <- 2
%14 transpose f32[4, 8]: 14 <- 5
%15 matmul f32[8, 8]: 15 <- 5 14
%16 cumsum f32[8, 8]: 16 <- 15
fused 2: %8 mul-sub %9 sub f32[4]: 9 <- 7 6 1, 9 over 6, 9 over 1
%12 mul f32[3, 4]: 12 <- 2 11, 12 over 2
)");
  CHECK(stages.placement.str(stages.items) == R"(0 @0..96 from -1 on
3 @128..256 from 0 to 4
5 @128..256 from 0 to 4
6 @256..272 from 1 on
9 @128..144 from 6 on
11 @320..324 from 2 to 7
12 in "w"
14 @384..512 from 3 to 4
15 @512..768 from 4 to 5
16 @768..1024 from 5 on
save 1 @192..208 from 8 on
commit 9
commit 6
)");
}

// The ids are items and steps of the layer above.
TEST_CASE("needed: its verifier catches planted faults") {
  check_caught("only a view does", [](Stages& s) { s.items.items[13].storage = 13; });
  check_caught("storage has another size", [](Stages& s) { s.items.items[13].storage = 5; });
  check_caught("is a view or a later item", [](Stages& s) { s.items.items[6].storage = 13; });
  check_caught("an operand does not come before it", [](Stages& s) { s.items.operands[0] = 16; });
  check_caught("operands that do not exist", [](Stages& s) { s.items.operands.pop_back(); });
  check_caught("has no elements", [](Stages& s) { s.items.items[3].type.shape = {8, 0}; });
  check_caught("is not computed and has operands", [](Stages& s) { s.items.items[4].kind = Item::Kind::shape; });
  check_caught("is another input", [](Stages& s) { s.items.inputs[0].value = 1; });
  check_caught("no such parameter", [](Stages& s) { s.items.items[2].index = 3; });
  check_caught("constant of another type", [](Stages& s) { s.items.constants[0] = Tensor::zeros({2}); });
  check_caught("an output has no value", [](Stages& s) { s.items.outputs[0] = no_item; });
  check_caught("a value of another type", [](Stages& s) { s.items.updates[0].value = 12; });
  check_caught("`alone` of an update is wrong", [](Stages& s) { s.items.updates[1].alone = true; });
}

TEST_CASE("schedule: its verifier catches planted faults") {
  const auto move = [](Stages& s, ItemId id, std::uint32_t to) {
    std::erase(s.groups.groups[s.groups.group_of[id]], id);
    s.groups.groups[to].push_back(id);
    s.groups.group_of[id] = to;
  };
  check_caught("is not computed", [](Stages& s) { s.groups.groups[0].push_back(0); });
  check_caught("runs twice", [](Stages& s) { s.groups.groups[1].push_back(3); });
  check_caught("group_of names another group", [](Stages& s) { s.groups.group_of[6] = 2; });
  check_caught("runs before an operand", [](Stages& s) {
    std::swap(s.groups.groups[0], s.groups.groups[1]);
    for (const ItemId id : {ItemId{3}, ItemId{4}, ItemId{5}}) s.groups.group_of[id] = 1;
    s.groups.group_of[6] = 0;
  });
  check_caught("never run", [](Stages& s) { s.groups.groups.pop_back(); });
  check_caught("0 members", [](Stages& s) { s.groups.groups.emplace_back(); });
  check_caught("cannot be fused", [&](Stages& s) { move(s, 14, 0); });
  check_caught("can only run alone", [](Stages& s) { s.groups.info[8].kind = nullptr; });
  check_caught("rows have another size", [](Stages& s) { s.groups.info[11].row = 12, s.groups.info[10].row = 4; });
  check_caught("too many anchors", [&](Stages& s) { move(s, 6, 0); });
  check_caught("after an item that runs last", [](Stages& s) { s.groups.runs_last[6] = 1; });
}

TEST_CASE("select: its verifier catches planted faults") {
  check_caught("`reads` lacks it", [](Stages& s) { s.steps[0].reads.pop_back(); });
  check_caught("`writes` lacks it", [](Stages& s) { s.steps[6].writes.pop_back(); });
  check_caught("was not written before", [](Stages& s) { std::swap(s.steps[3], s.steps[4]); });
  check_caught("no bytes of its own", [](Stages& s) { s.steps[7].reads.push_back(13); });
  check_caught("writes again", [](Stages& s) { s.steps[7].writes.push_back(6); });
  check_caught("is overwritten and not read", [](Stages& s) { s.steps[7].overwrites[0].operand = 1; });
  check_caught("is not written", [](Stages& s) { s.steps[7].overwrites[0].result = 9; });
  check_caught("it has another size", [](Stages& s) { s.steps[7].overwrites[0].operand = 11; });
  check_caught("kept and never written", [](Stages& s) { s.steps.pop_back(); });
}

TEST_CASE("place: its verifier catches planted faults") {
  const auto offset = [](Stages& s, ItemId id) -> std::size_t& {
    return s.placement.memory.offsets[s.placement.buffer_of[id]];
  };
  check_caught("do not hold the operand", [&](Stages& s) { offset(s, 14) = offset(s, 11); });
  check_caught("overwrites a value that the step uses", [&](Stages& s) { offset(s, 15) = offset(s, 14) + 64; });
  check_caught("overwrites a value that the step uses", [&](Stages& s) { offset(s, 9) = offset(s, 6) + 8; });
  check_caught("overwrites a value that the step uses", [](Stages& s) { s.steps[7].overwrites.clear(); });
  check_caught("either a buffer or a parameter", [](Stages& s) { s.placement.buffer_of[15] = Placement::none; });
  check_caught("either a buffer or a parameter", [](Stages& s) { s.placement.written_to[15] = 0; });
  check_caught("is in scratch memory", [](Stages& s) {
    s.steps[1].scratch = 8;
    s.placement.scratch[1] = s.placement.buffer_of[6];
  });
  check_caught("do not hold the operand", [](Stages& s) {
    s.steps[5].scratch = 8;
    s.placement.scratch[5] = s.placement.buffer_of[11];
  });
  check_caught("does not reach its parameter", [](Stages& s) { s.placement.commits.pop_back(); });
  check_caught("does not reach its parameter", [](Stages& s) { s.placement.written_to[12] = 2; });
  check_caught("an update overwrites it", [](Stages& s) { s.placement.saves.clear(); });
  check_caught("commit", [&](Stages& s) { s.placement.memory.offsets[s.placement.saves[0].buffer] = offset(s, 6); });
  check_caught("output", [&](Stages& s) { offset(s, 9) = offset(s, 16); });
  check_caught("the next run", [&](Stages& s) { offset(s, 0) = offset(s, 15); });
}

TEST_CASE("plan stages: an empty slice of a fused reduction needs no step") {
  Graph g;
  const Value x = g.input("x", {3, 3});
  const Value columns = sum(exp(x), {0}, true);
  const Value rows = sum(exp(x), {1}, true);
  for (const Value reduced : {columns, rows}) {
    const int axis = reduced.shape()[0] == 1 ? 1 : 0;
    const Stages stages({slice(reduced, axis, 0, 0), sum(slice(reduced, axis, 1, 1), {axis})}, {});
    CHECK(stages.steps.empty());
    const Plan plan({slice(reduced, axis, 0, 0), sum(slice(reduced, axis, 1, 1), {axis}), tanh(x)});
    CHECK(plan.run({{x, Tensor({3, 3})}})[0].elements() == 0);
  }
}

TEST_CASE("block program: printed form; its verifier catches planted faults") {
  Graph g;
  const Value x = g.input("x", {8, 10});
  const Value top = max(x, {1}, true);
  const Stages stages({exp(x - top), sum(exp(x - top), {0}), top * 2}, {});
  REQUIRE(stages.steps.size() == 1);
  const BlockProgram program = stages.steps[0].step.block->program();
  CHECK(program.str() == R"(0 input
1 call of rows 0
2 spread 1
3 map 0 2
4 map 3, output 0
5 reduce of columns 4, output 1
6 input of rows
7 map of rows 1 6, output 2
)");
  const auto check_caught = [&](const char* words, const std::function<void(BlockProgram&)>& plant) {
    CAPTURE(words);
    BlockProgram copy = program;
    verify(copy);
    plant(copy);
    CHECK_THROWS_WITH_AS(verify(copy), doctest::Contains(words), InternalError);
  };
  check_caught("does not come before it", [](BlockProgram& p) { p.instructions[3].operand[0] = 3; });
  check_caught("has another level than it reads", [](BlockProgram& p) { p.instructions[3].operand[1] = 1; });
  check_caught("the program has no rows", [](BlockProgram& p) { p.row = 0; });
  check_caught("it is another output", [](BlockProgram& p) { std::swap(p.outputs[0], p.outputs[1]); });
  check_caught("an input is an output", [](BlockProgram& p) {
    p.instructions[0].output = 0;
    p.outputs[0] = 0;
  });
  check_caught("there are too many", [](BlockProgram& p) { p.inputs.resize(17); });
}

TEST_CASE("block layout: access of inputs") {
  using Access = BlockLayout::Access;
  const auto access = [](const Shape& shape, const Shape& input, Index row = 0) {
    BlockProgram::Builder builder(shape, row);
    builder.input({f32, input});
    builder.output(builder.map(nullptr, {0}, f32));
    return lay_out(builder.finish()).inputs[0].access;
  };
  CHECK(access({8, 10}, {8, 10}) == Access::contiguous);
  CHECK(access({8, 10}, {}) == Access::scalar);
  CHECK(access({8, 10}, {10}) == Access::packed);
  CHECK(access({8, 10}, {8, 1}) == Access::packed);
  CHECK(access({8, 1000}, {1000}) == Access::row_contiguous);
  CHECK(access({8, 1000}, {8, 1}) == Access::row_scalar);
  CHECK(access({8, 1000}, {8, 1}, 1000) == Access::row_scalar);
  CHECK(access({2, 4, 10}, {1, 4, 10}) == Access::packed);
  CHECK(access({1}, {1}) == Access::contiguous);
}
