// Profile: where the time of a plan goes.
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

// The number of runs of a profile, and the peak speeds it is compared with.
struct ProfileOptions {
  int runs = 100;
  int warm_up = 5;  // untimed runs before the others
  RunOptions run{};
  std::optional<MachinePeak> peak{};  // enables `efficiency` and the column "of peak"
};

// A node that a plan step computes.
struct ProfileNode {
  NodeId id = 0;
  std::string op, scope;
  Role role = Role::forward;
  double flops = 0;
  double fraction = 0;  // the node's part of its step's time, see Profile::layers
};

// Cost of one plan step in one run. A fusion group, such as a chain of elementwise operations, is one step. `bytes`
// counts the tensors that a step reads and writes, each once, without intermediates of a fusion group and the kernel's
// scratch memory. FLOPs are counted as in graph/flops.hpp.
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

// Cost of the nodes of one scope in one run.
struct ProfileLayer {
  std::string name;  // its scope; empty for nodes outside all scopes
  ProfileCost forward, backward, update;

  ProfileCost total() const;
};

// The size of the tables that Profile::str prints.
struct ProfileTable {
  int depth = 1;   // number of scope levels that make a layer's name
  int steps = 20;  // number of slowest steps shown; one line sums up the others
};

// The time of a plan by plan step and by layer, compared with the machine's peak. A time is the mean over the faster
// half of the runs, so that times add up and interruptions do not count.
struct Profile {
  int runs = 0, threads = 0;
  double seconds = 0;              // time of one run: the sum over its steps
  double bytes = 0, flops = 0;     // cost of one run
  std::vector<ProfileStep> steps;  // in schedule order
  std::optional<MachinePeak> peak{};
  std::vector<double> starts{};  // seconds at which the steps of the median run began, and at which the last ended

  // Times by scope, split into forward, backward and update, in the order of each scope's first node. Time and bytes of
  // a fusion group that spans several layers are divided in proportion to FLOPs; an operation without FLOPs counts one
  // per element of its result. Throws UserError if depth is below 1.
  std::vector<ProfileLayer> layers(int depth = 1) const;
  // The best possible time of a step divided by its time: at most about 1, and 0 without a peak. The best possible time
  // is that of its FLOPs or its bytes at peak speed, whichever takes longer. Steps of more than 4 MiB are compared with
  // memory bandwidth, others with cache bandwidth.
  double efficiency(const ProfileStep& step) const;
  // Whether the step's best possible time is that of its bytes.
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

// Runs the plan on the workspace's inputs in a loop that reads the clock between plan steps; other runs are not slowed.
// Restores the parameters afterwards, also if an operation throws. Throws UserError if runs is below 1, and the errors
// of Plan::run.
//
//   Plan plan({loss}, updates);
//   Workspace memory(plan);
//   memory.feed(x, images), memory.feed(y, labels);
//   Profile p = profile(plan, memory, {.runs = 100, .peak = measure_peak()});   // ops/machine_peak.hpp
//   std::cout << p.str();
//   p.save_trace("step.json");                                // for ui.perfetto.dev or chrome://tracing
Profile profile(const Plan& plan, Workspace& memory, const ProfileOptions& options = {});

}  // namespace xgrad::inline v0
