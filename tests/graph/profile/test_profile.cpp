// Profiles: times, bytes and FLOPs add up, and a profile changes no state.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <xgrad/engine.hpp>
#include <xgrad/graph/base/error.hpp>

#include "support/graphviz.hpp"
#include "support/scratch.hpp"
#include "support/text.hpp"

using namespace xgrad;
using scratch::ScratchFolder;
using testing::contains;

namespace {

constexpr Index rows = 8, inputs = 5, units = 3;

// A layer and its training step, with two levels of scopes.
struct Net {
  explicit Net(const std::string& outer = "net") {
    x = g.input("x", {rows, inputs});
    {
      const auto scope = g.scope(outer);
      const auto inner = g.scope("dense");
      y = relu(matmul(x, g.parameter(w)) + g.parameter(b));
    }
    {
      const auto scope = g.scope("loss");
      loss = mean(square(y));
    }
    const auto role = g.role(Role::update);
    for (const Parameter& p : {w, b}) {
      const Value value = g.parameter(p);
      updates.push_back({p, value - 0.1 * gradients(loss, value)});
    }
  }

  Graph g;
  Parameter w{"w", Tensor::full({inputs, units}, 0.25)}, b{"b", Tensor::zeros({units})};
  Value x, y, loss;
  std::vector<Update> updates;
};

struct Planned {
  explicit Planned(const Net& net, Index batch = rows)
      : plan({net.loss}, net.updates, {.shapes = {{net.x, Shape{batch, inputs}}}}), memory(plan) {
    memory.feed("x", Tensor::full({batch, inputs}, 0.5));
  }
  Plan plan;
  Workspace memory;
};

double sum_of(const std::vector<ProfileStep>& steps, double ProfileStep::*number) {
  double out = 0;
  for (const ProfileStep& step : steps) out += step.*number;
  return out;
}

const MachinePeak round_peak{.threads = 1, .f32 = 1e10, .f64 = 5e9, .cache = 4e9, .memory = 1e9};

}  // namespace

TEST_CASE("profile: steps are those of the plan, and their costs add up") {
  const Net net;
  Planned planned(net);
  const Profile p = profile(planned.plan, planned.memory, {.runs = 7, .run = {.threads = 1}});
  CHECK(p.runs == 7);
  CHECK(p.threads == 1);
  REQUIRE(static_cast<int>(p.steps.size()) == planned.plan.steps());
  for (std::size_t s = 0; s < p.steps.size(); ++s) {
    CAPTURE(p.steps[s].label);
    CHECK(contains(planned.plan.str(), p.steps[s].label));
    CHECK(p.steps[s].seconds > 0);
    CHECK(p.steps[s].bytes > 0);
    double parts = 0;
    for (const ProfileNode& node : p.steps[s].nodes) {
      CHECK(net.g.node(node.id).op->name == node.op);
      CHECK(net.g.scope_of(node.id) == node.scope);
      CHECK(net.g.node(node.id).role == node.role);
      CHECK(flops(net.g, node.id) == node.flops);
      parts += node.fraction;
    }
    CHECK(parts == doctest::Approx(1));
  }
  CHECK(p.seconds == doctest::Approx(sum_of(p.steps, &ProfileStep::seconds)));
  CHECK(p.bytes == sum_of(p.steps, &ProfileStep::bytes));
  CHECK(p.flops == sum_of(p.steps, &ProfileStep::flops));
  CHECK(p.flops == planned.plan.flops());
  REQUIRE(p.starts.size() == p.steps.size() + 1);
  CHECK(p.starts.front() == 0);
  CHECK(std::is_sorted(p.starts.begin(), p.starts.end()));
}

TEST_CASE("profile: bytes and FLOPs agree with counts by hand") {
  Graph g;
  const Value x = g.input("x", {rows, inputs}), w = g.input("w", {inputs, units}), b = g.input("b", {units});
  const Value y = exp(matmul(x, w) + b);
  const Plan plan({y}, {}, {.fuse = false});
  Workspace memory(plan);
  for (const Value v : {x, w, b}) memory.feed(v, Tensor(v.shape()));
  const Profile p = profile(plan, memory, {.runs = 1, .warm_up = 0});
  REQUIRE(p.steps.size() == 3);
  CHECK(p.steps[0].flops == 2 * rows * inputs * units);
  CHECK(p.steps[0].bytes == 4 * (rows * inputs + inputs * units + rows * units));
  CHECK(p.steps[1].flops == rows * units);
  CHECK(p.steps[1].bytes == 4 * (rows * units + units + rows * units));
  CHECK(p.steps[2].bytes == 4 * (rows * units + rows * units));

  // Fused: only the product's result goes through memory.
  const Plan fused({y});
  Workspace memory_of_fused(fused);
  for (const Value v : {x, w, b}) memory_of_fused.feed(v, Tensor(v.shape()));
  const Profile q = profile(fused, memory_of_fused, {.runs = 1, .warm_up = 0});
  REQUIRE(q.steps.size() == 1);
  CHECK(q.steps[0].fused());
  CHECK(q.steps[0].nodes.size() == 3);
  CHECK(q.steps[0].flops == 2 * rows * inputs * units + 2 * rows * units);
  CHECK(q.steps[0].bytes <= p.bytes);
  CHECK(q.steps[0].bytes >= 4 * (rows * inputs + inputs * units + units + rows * units));

  // An input read twice counts once; only the shape of `like` matters.
  const Plan square_of({x * x, sum_like(x, g.input("like", {1, inputs}))}, {}, {.fuse = false});
  Workspace two(square_of);
  two.feed(x, Tensor(x.shape()));
  const Profile r = profile(square_of, two, {.runs = 1});
  REQUIRE(r.steps.size() == 2);
  CHECK(r.steps[0].bytes == 4 * 2 * rows * inputs);
  CHECK(r.steps[1].bytes == 4 * (rows * inputs + inputs));
}

TEST_CASE("profile: counts bytes and FLOPs of the plan's shapes, not the graph's") {
  const Net net;
  Planned planned(net), half(net, rows / 2);
  CHECK(half.plan.flops() < planned.plan.flops());
  CHECK(profile(half.plan, half.memory, {.runs = 1}).flops == half.plan.flops());
}

TEST_CASE("profile: restores the parameters, and later runs are bit-identical") {
  const Net net;
  Planned planned(net), untouched(net);
  const Tensor w = net.w.value(), b = net.b.value();
  (void)profile(planned.plan, planned.memory, {.runs = 3});
  CHECK(bitwise_equal(net.w.value(), w));
  CHECK(bitwise_equal(net.b.value(), b));
  planned.plan.run(planned.memory);
  const Tensor loss = planned.memory.output(0).clone(), trained = net.w.value();
  CHECK_FALSE(bitwise_equal(trained, w));
  Parameter(net.w).set(w);
  Parameter(net.b).set(b);
  untouched.plan.run(untouched.memory);
  CHECK(bitwise_equal(untouched.memory.output(0), loss));
  CHECK(bitwise_equal(net.w.value(), trained));
}

TEST_CASE("profile: restores the parameters if an operation throws") {
  Graph g;
  Parameter w("w", Tensor::zeros({3}));
  const Value i = g.input("i", {2}, i64);
  const Value p = g.parameter(w);
  const Plan plan({gather(p, i)}, {{w, p + 1}}, {.in_place = false});
  Workspace memory(plan);
  CHECK_THROWS_AS(profile(plan, memory), FeedError);
  memory.feed(i, Tensor::from<std::int64_t>({2}, {0, 3}));
  CHECK_THROWS_AS(profile(plan, memory), ValueError);
  CHECK(bitwise_equal(w.value(), Tensor::zeros({3})));
  memory.feed(i, Tensor::from<std::int64_t>({2}, {0, 2}));
  CHECK_THROWS_AS(profile(plan, memory, {.runs = 0}), UserError);
  CHECK_NOTHROW(profile(plan, memory, {.runs = 1}));
}

TEST_CASE("profile: the copies at the end are a step") {
  Graph g;
  Parameter w("w", Tensor::zeros({300}));
  const Value p = g.parameter(w);
  const Plan plan({exp(p)}, {{w, p}, {Parameter("v", Tensor::zeros({300})), p + 1}}, {.in_place = false});
  Workspace memory(plan);
  const Profile out = profile(plan, memory, {.runs = 2});
  REQUIRE(out.steps.size() == static_cast<std::size_t>(plan.steps()) + 1);
  CHECK(out.steps.back().label == "copies at the end");
  CHECK(out.steps.back().nodes.empty());
  CHECK(out.steps.back().bytes > 0);
  CHECK(contains(out.str(), "copies at the end"));
  CHECK(contains(out.trace(), "copies at the end"));
}

TEST_CASE("profile: the layers' forward, backward and update times add up to the total") {
  const Net net;
  Planned planned(net);
  const Profile p = profile(planned.plan, planned.memory, {.runs = 5});
  for (const int depth : {1, 2, 9}) {
    const auto layers = p.layers(depth);
    std::vector<std::string> names;
    double seconds = 0, bytes = 0, flops = 0;
    int calls = 0;
    for (const ProfileLayer& layer : layers) {
      names.push_back(layer.name);
      seconds += layer.total().seconds;
      bytes += layer.total().bytes;
      flops += layer.total().flops;
      calls += layer.total().calls;
    }
    CHECK(seconds == doctest::Approx(p.seconds));
    CHECK(bytes == doctest::Approx(p.bytes));
    CHECK(flops == doctest::Approx(p.flops));
    int nodes = 0;
    for (const ProfileStep& step : p.steps) nodes += static_cast<int>(step.nodes.size());
    CHECK(calls == nodes);
    CHECK(names == std::vector<std::string>{depth == 1 ? "net" : "net/dense", "loss", ""});
    CHECK(layers[0].forward.flops == 2 * rows * inputs * units + 2 * rows * units);
    CHECK(layers[0].backward.flops >= 2 * rows * inputs * units);
    CHECK(layers[0].update.calls == 0);
    CHECK(layers[1].forward.calls > 0);
    CHECK(layers[2].update.calls > 0);
    CHECK(layers[2].forward.calls == 0);
  }
  CHECK_THROWS_WITH_AS(p.layers(0), "profile: depth must be at least 1, got 0", UserError);
}

TEST_CASE("profile: a fusion group of two layers is divided in proportion to FLOPs") {
  Graph g;
  const Value x = g.input("x", {100});
  Value y;
  {
    const auto scope = g.scope("one");
    y = exp(x);
  }
  {
    const auto scope = g.scope("two");
    y = square(sin(cos(y)));
  }
  const Plan plan({y});
  REQUIRE(plan.steps() == 1);
  Workspace memory(plan);
  memory.feed(x, Tensor::zeros({100}));
  const Profile p = profile(plan, memory, {.runs = 1});
  const auto layers = p.layers();
  REQUIRE(layers.size() == 2);
  CHECK(layers[0].forward.seconds == doctest::Approx(p.seconds / 4));
  CHECK(layers[1].forward.seconds == doctest::Approx(p.seconds * 3 / 4));
}

TEST_CASE("profile: efficiency compares a step with the longer of its two best times") {
  Profile p;
  ProfileStep step;
  step.flops = 1e6;    // 100 us at the peak of f32
  step.bytes = 200e3;  // 50 us within the cache
  step.seconds = 200e-6;
  CHECK(p.efficiency(step) == 0);
  CHECK_FALSE(p.bound_by_memory(step));
  p.peak = round_peak;
  CHECK(p.efficiency(step) == doctest::Approx(0.5));
  CHECK_FALSE(p.bound_by_memory(step));
  step.dtype = f64;
  CHECK(p.efficiency(step) == doctest::Approx(1));
  step.bytes = 8e6;  // 8 ms in memory
  step.seconds = 32e-3;
  CHECK(p.efficiency(step) == doctest::Approx(0.25));
  CHECK(p.bound_by_memory(step));
  step.flops = step.bytes = 0;
  CHECK(p.efficiency(step) == 0);
  step.seconds = 0;
  CHECK(p.efficiency(step) == 0);
}

TEST_CASE("profile: str() prints tables of layers and steps") {
  const Net net;
  Planned planned(net);
  Profile p = profile(planned.plan, planned.memory, {.runs = 2, .run = {.threads = 1}});
  const std::string plain = p.str();
  CAPTURE(plain);
  CHECK(contains(plain, "2 runs with 1 thread:"));
  CHECK(contains(plain, "net "));
  CHECK(contains(plain, "(no layer)"));
  CHECK(contains(plain, "matmul"));
  CHECK_FALSE(contains(plain, "peak"));
  CHECK(contains(p.str({.depth = 2}), "net/dense"));
  p.peak = round_peak;
  const std::string beside = p.str({.steps = 1});
  CAPTURE(beside);
  CHECK(
      contains(beside, "peak, measured with 1 thread: 10.0 GFLOP/s in f32, 5.0 in f64; 4.0 GB/s within a cache, 1.0"));
  CHECK(contains(beside, "of peak"));
  CHECK(contains(beside, std::to_string(p.steps.size() - 1) + " more"));
  for (std::size_t at = 0, end = 0; at < plain.size(); at = end + 1) {
    end = plain.find('\n', at);
    CHECK(end - at <= 160);
  }
}

TEST_CASE("profile: the trace is valid JSON with nested spans") {
  const std::string hostile = "a \"quoted\"\n\t\\ </script> \x01 \xff name";
  const Net net(hostile);
  Planned planned(net);
  const Profile p = profile(planned.plan, planned.memory, {.runs = 3});
  const std::string text = p.trace();
  for (const char c : text) REQUIRE((c == '\n' || (c >= ' ' && c < 127)));
  const auto json = nlohmann::json::parse(text);
  const auto& events = json.at("traceEvents");
  std::map<std::string, int> kinds, categories;
  struct Span {
    double first, last;
  };
  std::vector<Span> open;
  for (const auto& event : events) {
    CAPTURE(event.dump());
    CHECK(event.at("pid").is_number_integer());
    CHECK(event.at("tid").is_number_integer());
    CHECK(event.at("name").is_string());
    const std::string kind = event.at("ph");
    ++kinds[kind];
    if (kind != "X") continue;
    ++categories[event.at("cat")];
    const Span span{event.at("ts"), event.at("ts").get<double>() + event.at("dur").get<double>()};
    CHECK(span.first >= 0);
    CHECK(span.last >= span.first);
    // Each event lies within the last open one.
    constexpr double rounding = 1e-6;
    while (!open.empty() && span.first >= open.back().last - rounding && open.size() > 1) open.pop_back();
    if (!open.empty()) {
      CHECK(span.first >= open.back().first - rounding);
      CHECK(span.last <= open.back().last + rounding);
    }
    open.push_back(span);
  }
  CHECK(kinds == std::map<std::string, int>{{"M", 2}, {"X", kinds["X"]}});
  CHECK(categories["run"] == 1);
  CHECK(categories["layer"] >= 3);
  CHECK(categories["forward"] + categories["backward"] + categories["update"] == planned.plan.steps());
  CHECK(categories["backward"] > 0);
  CHECK(contains(text, "a \\\"quoted\\\""));

  const ScratchFolder folder;
  p.save_trace(folder / "trace.json");
  CHECK(std::filesystem::file_size(folder / "trace.json") == text.size());
  CHECK_THROWS_WITH_AS(p.save_trace(folder / "nowhere/trace.json"), doctest::Contains("save_trace"), EnvironmentError);
}

TEST_CASE("profile: annotations color the graph by time") {
  const Net net;
  Planned planned(net);
  const Profile p = profile(planned.plan, planned.memory, {.runs = 3});
  const Annotations a = p.annotations();
  std::vector<NodeId> all;
  double seconds = 0;
  for (NodeId id = 0; id < net.g.size(); ++id) {
    all.push_back(id);
    const NodeNote note = a.note(std::span(&id, 1));
    if (!note.number) continue;
    REQUIRE(note.lines.size() == 2);
    CHECK(contains(note.lines[0], "step "));
    CHECK(contains(note.lines[1], " us, "));
    seconds = std::max(seconds, *note.number * 1e-6);
  }
  CHECK(seconds <= p.seconds);
  // A box of all nodes has the total time.
  CHECK(*a.note(all).number == doctest::Approx(p.seconds * 1e6));
  // A leaf has no time.
  const NodeId x = 0;
  CHECK_FALSE(a.note(std::span(&x, 1)).number.has_value());
  // Step annotations: one note per step, with speeds.
  const Annotations of_steps = p.step_annotations();
  for (NodeId s = 0; s < p.steps.size(); ++s) {
    const NodeNote note = of_steps.note(std::span(&s, 1));
    CHECK(*note.number == p.steps[s].seconds * 1e6);
    REQUIRE(note.lines.size() == 2);
    CHECK(contains(note.lines[1], " GB/s"));
    CHECK(contains(note.lines[1], " GFLOP/s, ") == (p.steps[s].flops > 0));
  }
  const NodeId beyond = 1000;
  CHECK_FALSE(of_steps.note(std::span(&beyond, 1)).number.has_value());
  const std::string dot = to_dot(net.g, {.annotations = a});
  CHECK(contains(dot, "time of a run, us"));
  if (graphviz::found()) CHECK(graphviz::read(dot).nodes > 0);
}

TEST_CASE("profile: a plan without steps") {
  Graph g;
  const Value x = g.input("x", {3});
  const Plan plan({x});
  Workspace memory(plan);
  memory.feed(x, Tensor::zeros({3}));
  const Profile p = profile(plan, memory, {.runs = 2});
  CHECK(p.steps.empty());
  CHECK(p.seconds == 0);
  CHECK(contains(p.str(), "0 steps"));
  CHECK(nlohmann::json::parse(p.trace()).at("traceEvents").size() == 2);
}

TEST_CASE("measure_peak: returns positive speeds") {
  const MachinePeak peak = measure_peak(1);
  CHECK(peak.threads == 1);
  for (const double speed : {peak.f32, peak.f64, peak.cache, peak.memory}) {
    CHECK(std::isfinite(speed));
    CHECK(speed > 0);
  }
  CHECK(measure_peak().threads == default_threads());
}
