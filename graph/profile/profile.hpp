// Profile: where the time of a plan goes, step by step and layer by layer, beside what the machine can do.
//
//   Plan plan({loss}, updates);
//   Workspace memory(plan);
//   memory.feed(x, images), memory.feed(y, labels);
//   Profile p = profile(plan, memory, {.runs = 100, .peak = measure_peak()});   // ops/machine_peak.hpp
//   std::cout << p.str();
//   p.save_trace("step.json");                                // for ui.perfetto.dev or chrome://tracing
//
// A profile runs the plan in a loop of its own that reads the clock between steps; other runs know nothing of it. What
// runs together, such as a chain of elementwise operations, is one step and has one time.
//
// Bytes are those of the tensors that a step reads and writes, each once: what stays inside a fused group does not
// count, and neither do a kernel's notes to itself. FLOPs are counted as in graph/flops.hpp. A time is the mean over
// the faster half of the runs, so that times add up and interruptions of the program do not count.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/pictures/annotations.hpp>
#include <xgrad/graph/plan/plan.hpp>

namespace xgrad::inline v0 {

// What the machine does at best, in floating-point operations and in bytes a second, as measured by programs of this
// library: a large matrix product, and a + 2 b of arrays that fit into a cache and of arrays that do not.
struct MachinePeak {
  int threads = 0;
  double f32 = 0, f64 = 0;
  double cache = 0, memory = 0;
};

struct ProfileOptions {
  int runs = 100;
  int warm_up = 5;  // runs before these, which do not count
  RunOptions run{};
  std::optional<MachinePeak> peak{};  // if given, steps are compared with it
};

struct ProfileNode {
  NodeId id = 0;
  std::string op, scope;
  Role role = Role::forward;
  double flops = 0;
  double part = 0;  // of its step's time: see Profile::layers
};

struct ProfileStep {
  std::string label;               // as Plan::str() calls it
  std::vector<ProfileNode> nodes;  // what it computes; none for the copies at the end
  DType dtype = f32;               // of its result
  double seconds = 0;
  double bytes = 0, flops = 0;

  bool fused() const { return nodes.size() > 1; }
};

// What one layer does in one part of a training step.
struct ProfilePart {
  double seconds = 0, bytes = 0, flops = 0;
  int calls = 0;  // operations
};

struct ProfileLayer {
  std::string name;  // its scope; empty for what stands outside all scopes
  ProfilePart forward, backward, update;

  ProfilePart total() const;
};

struct ProfileTable {
  int depth = 1;   // of scopes: how many of their words tell layers apart
  int steps = 20;  // the slowest ones; the rest is one line
};

struct Profile {
  int runs = 0, threads = 0;
  double seconds = 0;              // of a run: the sum of its steps
  double bytes = 0, flops = 0;     // of a run
  std::vector<ProfileStep> steps;  // in the order of running
  std::optional<MachinePeak> peak{};
  std::vector<double> starts{};  // when each step of the median run began, in seconds, and when the last one ended

  // The steps' time by scope, those of backward nodes and updates beside those of forward ones, in the order of their
  // first node. The time and the bytes of a group that works for several layers are divided by the FLOPs of its
  // operations, where an operation that has none counts one for each element it makes. Throws UserError for a depth
  // below 1.
  std::vector<ProfileLayer> layers(int depth = 1) const;
  // How near a step comes to the best time the machine has for its FLOPs and its bytes, whichever takes longer: 1 is as
  // good as can be. Steps of more than 4 MiB are compared with memory, others with a cache. 0 without a peak.
  double efficiency(const ProfileStep& step) const;
  // Whether that is for its bytes.
  bool bound_by_memory(const ProfileStep& step) const;

  // For pictures of the plan's graph, and of an equal one: each node with the time of its step, each box that stands
  // for several with the sum of their parts.
  //
  //   save_graph(g, "time.svg", {.outputs = {loss}, .annotations = p.annotations()});
  Annotations annotations() const;
  // The same for pictures of the plan, whose boxes are steps, with speeds.
  //
  //   save_plan(plan, "steps.svg", {.annotations = p.step_annotations()});
  Annotations step_annotations() const;

  // Tables of layers and of the slowest steps.
  std::string str(const ProfileTable& table = {}) const;
  // The median run in the Trace Event Format of Chrome: spans of steps within spans of layers.
  std::string trace() const;
  // Throws EnvironmentError if the file cannot be written; it is then as it was.
  void save_trace(const std::filesystem::path& path) const;
};

// Runs the plan on what the workspace was fed, and times it. Parameters are afterwards what they were before, also if
// an operation throws. Throws UserError for a number of runs below 1, and what Plan::run throws.
Profile profile(const Plan& plan, Workspace& memory, const ProfileOptions& options = {});

}  // namespace xgrad::inline v0
