// Random graphs: plans are bit-identical to the interpreter, and gradients agree with finite differences.
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/graph/run/internal/interpretation.hpp>

#include "support/emulated.hpp"
#include "support/random_graph.hpp"

using namespace xgrad;
using testing::Dice;
using testing::Grower;

namespace {

// A training step on a random graph, and the interpreter's results of two consecutive runs.
struct Program {
  std::vector<Value> outputs;
  std::vector<Update> updates;
};

struct Run {
  Feeds feeds;
  std::uint64_t step = 0;
  std::vector<Tensor> outputs;
  std::vector<Tensor> parameters;  // after the run
};

// Values may have no elements.
Value loss_of_any(Grower& grown) {
  Value loss = sum(tanh(grown.last()));
  for (int i = 0; i < 3; ++i) loss = loss + sum(sin(grown.any()));
  return loss;
}

// Outputs, first and second derivatives, also as updates.
Program differentiated(Grower& grown) {
  const GradientOptions zeros{.unconnected = Unconnected::zeros};
  const Value loss = loss_of_any(grown);
  const auto first = gradients(loss, grown.leaves, zeros);
  Program program{{loss, grown.any(), grown.recent(), grown.last()}, {}};
  program.outputs.insert(program.outputs.end(), first.begin(), first.end());
  Value steepness = grown.g.constant(0.0);
  for (const Value d : first) steepness = steepness + sum(square(d));
  for (const Value d : gradients(steepness, grown.leaves, zeros)) program.outputs.push_back(d);
  for (const Parameter& p : grown.parameters) {
    const Value old = grown.g.parameter(p);
    program.updates.push_back({p, 0.9 * old - 0.1 * gradients(loss, old, zeros)});
  }
  return program;
}

// The inputs' shapes with extents `from` replaced by `rows`.
std::vector<std::pair<Value, Shape>> with_rows(Grower& grown, Index from, Index rows) {
  std::vector<std::pair<Value, Shape>> out;
  for (const Feed& feed : grown.feeds()) {
    Shape shape = feed.input.shape();
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == from) shape.set(axis, rows);
    }
    if (shape != feed.input.shape()) out.emplace_back(feed.input, shape);
  }
  return out;
}

Value loss_of(Grower& grown) {
  Value loss = mean(tanh(grown.last()));
  for (int i = 0; i < 3; ++i) loss = loss + mean(sin(grown.recent()));
  return loss + 0.25 * mean(square(grown.any()));
}

Program training_step(Grower& grown) {
  Dice& dice = grown.dice;
  Program program;
  const Value loss = loss_of(grown);
  const auto first = gradients(loss, grown.leaves, {.unconnected = Unconnected::zeros});
  program.outputs = {loss, grown.any(), grown.any(), grown.recent(), dice.one_of(first)};
  if (dice.chance(0.3)) program.outputs.push_back(grown.leaves[0]);
  if (!grown.oddities.empty()) program.outputs.push_back(dice.one_of(grown.oddities));
  if (dice.chance(0.3)) {  // the derivative of a derivative
    const Value d = mean(square(dice.one_of(first)));
    const Value d2 = gradients(d, dice.one_of(grown.leaves), {.unconnected = Unconnected::zeros});
    program.outputs.push_back(d2);
  }
  for (const Parameter& p : grown.parameters) {
    const Value old = grown.g.parameter(p);
    const Value slope = gradients(loss, old, {.unconnected = Unconnected::zeros});
    switch (dice.below(6)) {
      case 0: break;  // no update
      case 1: program.updates.push_back({p, old * 0.5 + 0.5}); break;
      case 2: {
        Value other = old;  // possibly a swap or a rotation of parameters
        for (const Parameter& q : grown.parameters) {
          if (q.shape() == p.shape() && dice.chance(0.5)) other = grown.g.parameter(q);
        }
        program.updates.push_back({p, other});
        break;
      }
      case 3: {  // an operation that cannot run in place
        if (p.shape().rank() < 2) break;
        const Index n = p.shape().back();
        const Tensor mix = testing::random_tensor(dice, {n, n}, p.type().dtype, 0, 1 / static_cast<double>(n));
        program.updates.push_back({p, matmul(old, grown.g.constant(mix))});
        break;
      }
      default: program.updates.push_back({p, 0.9 * old - 0.1 * tanh(slope)}); break;
    }
  }
  return program;
}

void reset(const std::vector<Parameter>& parameters, const std::vector<Tensor>& numbers) {
  for (std::size_t i = 0; i < parameters.size(); ++i) Parameter(parameters[i]).set(numbers[i]);
}

std::vector<Tensor> numbers_of(const std::vector<Parameter>& parameters) {
  std::vector<Tensor> out;
  for (const Parameter& p : parameters) out.push_back(p.value());
  return out;
}

// The interpreter's results; updates the parameters.
void interpret(const Program& program, const std::vector<Parameter>& parameters, Run& run) {
  std::vector<Value> wanted = program.outputs;
  for (const Update& update : program.updates) wanted.push_back(update.value);
  run.outputs = evaluate(wanted, run.feeds, {.threads = 1, .step = run.step});
  for (std::size_t i = 0; i < program.updates.size(); ++i) {
    Parameter(program.updates[i].parameter).set(run.outputs[program.outputs.size() + i]);
  }
  run.outputs.resize(program.outputs.size());
  run.parameters = numbers_of(parameters);
}

// The first difference between a plan's run and the interpreter's; empty if there is none.
std::string difference(const Workspace& memory, const std::vector<Parameter>& parameters, const Run& run) {
  for (std::size_t i = 0; i < run.outputs.size(); ++i) {
    const Tensor got = memory.output(static_cast<int>(i));
    if (!bitwise_equal(got, run.outputs[i])) {
      return fmt::format("output {}: plan {}\ninterpreter {}", i, got.str(), run.outputs[i].str());
    }
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Tensor got = parameters[i].value();
    if (!bitwise_equal(got, run.parameters[i])) {
      return fmt::format("{}: plan {}\ninterpreter {}", parameters[i].name(), got.str(), run.parameters[i].str());
    }
  }
  return {};
}

// Tries all combinations of options and thread counts; returns the first difference, or an empty string.
std::string compare_plans(const Program& program, const std::vector<Parameter>& parameters,
                          const std::vector<Tensor>& start, const std::vector<Run>& runs) {
  for (int options = 0; options < 16; ++options) {
    const PlanOptions chosen{.fold_constants = (options & 1) != 0,
                             .fuse = (options & 8) != 0,
                             .in_place = (options & 2) != 0,
                             .reuse = (options & 4) != 0};
    const Plan plan(program.outputs, program.updates, chosen);
    Workspace memory(plan);  // shared by all runs: a run must not depend on the one before
    for (const int threads : {1, 2, 3, 4, 8}) {
      reset(parameters, start);
      for (const Run& run : runs) {
        for (const Feed& feed : run.feeds) memory.feed(feed.input, feed.value);
        plan.run(memory, {.threads = threads, .step = run.step});
        const std::string found = difference(memory, parameters, run);
        if (found.empty()) continue;
        return fmt::format("fold_constants={} in_place={} reuse={} threads={} step={}\n{}\n{}", chosen.fold_constants,
                           chosen.in_place, chosen.reuse, threads, run.step, found, plan.str());
      }
    }
  }
  return {};
}

struct Tally {  // statistics of the results: comparing only NaNs would prove little
  Index elements = 0, finite = 0, nonzero = 0, moved = 0, parameters = 0, large = 0;
};

void count(const std::vector<Tensor>& outputs, Tally& tally) {
  for (const Tensor& t : outputs) {
    for (Index i = 0; i < t.elements(); ++i) {
      ++tally.elements;
      tally.finite += std::isfinite(t.at(i)) ? 1 : 0;
      tally.nonzero += t.at(i) != 0 ? 1 : 0;
    }
  }
}

}  // namespace

TEST_CASE("random graphs: plans of training steps are bit-identical, for all options and threads") {
  const std::uint64_t graphs = testing::emulator() != nullptr ? 50 : 200;
  Tally tally;
  int failures = 0;
  for (std::uint64_t seed = 1; seed <= graphs && failures < 3; ++seed) {
    const bool large = seed % 10 == 0;  // large enough for several tasks
    testing::Kind kind;
    if (large) kind = {.max_extent = seed % 20 == 0 ? 40 : 280, .max_elements = 120'000, .large = true};
    Graph g({.training = true, .seed = seed});
    Grower grown(g, seed, kind);
    grown.grow_to(grown.dice.between(large ? 16 : 6, large ? 40 : 60));
    for (NodeId id = 0; id < g.size(); ++id) tally.large += g.node(id).type.shape.elements() > (1 << 15) ? 1 : 0;
    const Program program = training_step(grown);
    const std::vector<Tensor> start = numbers_of(grown.parameters);
    std::vector<Run> runs(2);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      runs[i].feeds = grown.feeds();
      runs[i].step = i;
      interpret(program, grown.parameters, runs[i]);
      count(runs[i].outputs, tally);
    }
    for (std::size_t i = 0; i < start.size(); ++i) {
      ++tally.parameters;
      tally.moved += bitwise_equal(start[i], runs[0].parameters[i]) ? 0 : 1;
    }
    const std::string found = compare_plans(program, grown.parameters, start, runs);
    if (found.empty()) continue;
    ++failures;
    FAIL_CHECK("seed " << seed << ": " << found << "\n" << to_text(g, {.outputs = program.outputs}));
  }
  MESSAGE(tally.elements << " numbers compared, " << tally.finite << " finite, " << tally.nonzero << " not zero; "
                         << tally.moved << " of " << tally.parameters << " parameters changed; " << tally.large
                         << " large nodes");
  CHECK(tally.finite > tally.elements / 100 * 99);
  CHECK(tally.nonzero > tally.elements / 2);
  CHECK(tally.moved > tally.parameters / 2);
  CHECK(tally.large >= static_cast<Index>(graphs / 2));  // five in each graph that should have some
}

TEST_CASE("random graphs: plans are bit-identical with extents of 0 and 1 and for other batch sizes") {
  const std::uint64_t graphs = testing::emulator() != nullptr ? 100 : 400;
  Index compared = 0, refused = 0, without_elements = 0, huge = 0;
  for (std::uint64_t seed = 1; seed <= graphs; ++seed) {
    CAPTURE(seed);
    Graph g({.training = true, .seed = seed});
    Grower grown(g, seed, {.max_extent = 5, .max_elements = 200, .empty = true});
    grown.grow_to(grown.dice.between(6, 40));
    for (NodeId id = 0; id < g.size(); ++id) without_elements += g.node(id).type.shape.elements() == 0 ? 1 : 0;

    // A rebuild after a rewind gives the same nodes.
    const NodeId mark = g.mark();
    const Dice dice = grown.dice;
    const Program discarded = differentiated(grown);
    const std::string text = to_text(g);
    g.rewind(mark);
    grown.dice = dice;
    CHECK_THROWS_AS((void)evaluate(discarded.outputs, {}), GraphError);
    const Program program = differentiated(grown);
    REQUIRE(to_text(g) == text);

    std::vector<Value> wanted = program.outputs;
    for (const Update& update : program.updates) wanted.push_back(update.value);
    const std::vector<Tensor> start = numbers_of(grown.parameters);
    for (const Index from : {Index{0}, Index{1}}) {
      for (const Index rows : {from, Index{0}, Index{1}, Index{3}, Index{1} << 40}) {
        CAPTURE(from);
        CAPTURE(rows);
        try {
          const PlanOptions options{.shapes = with_rows(grown, from, rows), .fuse = !grown.dice.chance(0.2)};
          const Plan plan(program.outputs, program.updates, options);
          if (plan.peak_bytes() > (1U << 20)) {
            ++huge;
            continue;
          }
          Feeds feeds = grown.feeds();
          for (Feed& feed : feeds) {
            for (const auto& [input, shape] : options.shapes) {
              if (input == feed.input) feed.value = Tensor(shape, input.dtype());
            }
          }
          reset(grown.parameters, start);
          Interpretation interpreter(g, wanted, {.threads = 1}, options.shapes);
          interpreter.feed(feeds);
          interpreter.run();
          Run run{feeds, 0, {}, start};
          for (const Value v : program.outputs) run.outputs.push_back(interpreter.tensor(v.id()).clone());
          for (std::size_t i = 0; i < program.updates.size(); ++i)
            run.parameters[i] = interpreter.tensor(program.updates[i].value.id()).clone();
          Workspace memory(plan);
          for (const Feed& feed : feeds) memory.feed(feed.input, feed.value);
          plan.run(memory, {.threads = static_cast<int>(grown.dice.between(1, 3))});
          const std::string found = difference(memory, grown.parameters, run);
          ++compared;
          if (!found.empty()) FAIL_CHECK(found << "\n" << plan.str() << to_text(g, {.outputs = program.outputs}));
        } catch (const UserError&) {  // the batch size does not fit, such as that of a constant
          CHECK(rows != from);
          ++refused;
        } catch (const OutOfMemoryError&) {
          CHECK(rows > 3);
          ++huge;
        }
      }
    }
  }
  MESSAGE(compared << " plans compared, " << refused << " refused, " << huge << " too large to run; "
                   << without_elements << " nodes without elements");
  CHECK(compared > static_cast<Index>(graphs) * 4);
  CHECK(huge > 0);
  CHECK(without_elements > static_cast<Index>(graphs) * 5);
}

TEST_CASE("random graphs: first and second derivatives agree with finite differences") {
  Index comparisons = 0;
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    Graph g({.dtype = f64, .seed = seed});
    Grower grown(g, seed, {.dtype = f64, .smooth = true, .max_extent = 4, .max_elements = 48});
    grown.grow_to(grown.dice.between(8, 20));
    Value y = loss_of(grown);
    for (const Value leaf : grown.leaves) y = y + 0.1 * mean(sin(leaf));  // so that no derivative is zero by chance
    const CheckReport report = compare_gradients(y, grown.leaves, grown.feeds(), {.max_elements = 12});
    comparisons += report.comparisons;
    if (!report.passed) FAIL_CHECK("seed " << seed << ": " << report.str() << "\n" << to_text(g, {.outputs = {y}}));
  }
  MESSAGE(comparisons << " derivatives compared");
  CHECK(comparisons > 1000);
}
