// Profile: the time of a plan by plan step and by layer, compared with the machine's peak.
//
//   Plan plan({loss}, updates);
//   Workspace memory(plan);
//   memory.feed(x, images), memory.feed(y, labels);
//   Profile p = profile(plan, memory, {.runs = 100, .peak = measure_peak()});   // ops/machine_peak.hpp
//   std::cout << p.str();
//   p.save_trace("step.json");                                // for ui.perfetto.dev or chrome://tracing
//
// A profile runs the plan in its own loop, which reads the clock between plan steps; other runs are not slowed. A
// fusion group, such as a chain of elementwise operations, is one step with one time.
//
// `bytes` counts the tensors that a step reads and writes, each once, without intermediates of a fusion group and the
// kernel's scratch memory. FLOPs are counted as in graph/flops.hpp. A time is the mean over the faster half of the
// runs, so that times add up and interruptions do not count.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/pictures/annotations.hpp>
#include <xgrad/graph/plan/plan.hpp>

namespace xgrad::inline v0 {

// Peak speed of the machine, measured with this library: floating-point operations per second of a large matrix
// product, and bytes per second of a + 2 b for arrays that fit into a cache and for arrays that do not.
struct MachinePeak {
  int threads = 0;
  double f32 = 0, f64 = 0;
  double cache = 0, memory = 0;
};

struct ProfileOptions {
  int runs = 100;
  int warm_up = 5;  // untimed runs before the others
  RunOptions run{};
  std::optional<MachinePeak> peak{};  // enables `efficiency` and the column "of peak"
};

struct ProfileNode {
  NodeId id = 0;
  std::string op, scope;
  Role role = Role::forward;
  double flops = 0;
  double fraction = 0;  // of its step's time: see Profile::layers
};

struct ProfileStep {
  std::string label;               // as in Plan::str()
  std::vector<ProfileNode> nodes;  // computed by the step; none for the copies at the end
  DType dtype = f32;               // of its result
  double seconds = 0;
  double bytes = 0, flops = 0;

  bool fused() const { return nodes.size() > 1; }
};

// Cost of one layer's forward nodes, backward nodes or updates in a training step.
struct ProfileCost {
  double seconds = 0, bytes = 0, flops = 0;
  int calls = 0;  // number of operations
};

struct ProfileLayer {
  std::string name;  // its scope; empty for nodes outside all scopes
  ProfileCost forward, backward, update;

  ProfileCost total() const;
};

struct ProfileTable {
  int depth = 1;   // number of scope levels that make a layer's name
  int steps = 20;  // number of slowest steps shown; one line sums up the others
};

struct Profile {
  int runs = 0, threads = 0;
  double seconds = 0;              // of a run: the sum of its steps
  double bytes = 0, flops = 0;     // of a run
  std::vector<ProfileStep> steps;  // in schedule order
  std::optional<MachinePeak> peak{};
  std::vector<double> starts{};  // of the steps of the median run, in seconds, and the end of the last

  // Times by scope, split into forward, backward and update, in the order of each scope's first node. Time and bytes of
  // a fusion group that spans several layers are divided in proportion to FLOPs; an operation without FLOPs counts one
  // per element of its result. Throws UserError if depth is below 1.
  std::vector<ProfileLayer> layers(int depth = 1) const;
  // The best possible time of a step, for its FLOPs or its bytes, whichever takes longer, divided by its time: at
  // most about 1. Steps of more than 4 MiB are compared with memory bandwidth, others with cache bandwidth. 0 without a
  // peak.
  double efficiency(const ProfileStep& step) const;
  // Whether the step's best time is that of its bytes.
  bool bound_by_memory(const ProfileStep& step) const;

  // Annotations for diagrams of the plan's graph, or of an equal graph: each node shows the time of its step, each box
  // of several nodes the sum of their fractions.
  //
  //   save_graph(g, "time.svg", {.outputs = {loss}, .annotations = p.annotations()});
  Annotations annotations() const;
  // Annotations for diagrams of the plan, whose boxes are plan steps, with speeds.
  //
  //   save_plan(plan, "steps.svg", {.annotations = p.step_annotations()});
  Annotations step_annotations() const;

  // Tables of the layers and of the slowest steps.
  std::string str(const ProfileTable& table = {}) const;
  // The median run in Chrome's Trace Event Format: steps nested in layers.
  std::string trace() const;
  // Throws EnvironmentError if the file cannot be written, and leaves an existing file unchanged.
  void save_trace(const std::filesystem::path& path) const;
};

// Runs the plan on the workspace's inputs and times it. Restores the parameters afterwards, also if an operation
// throws. Throws UserError if runs is below 1, and what Plan::run throws.
Profile profile(const Plan& plan, Workspace& memory, const ProfileOptions& options = {});

}  // namespace xgrad::inline v0
