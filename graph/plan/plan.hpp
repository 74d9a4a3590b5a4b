// Plan: a compiled graph. Workspace: the memory in which it runs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/base/checked_pointer.hpp>
#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/rewrite_rule.hpp>
#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

// Options of the compilation. No option except `rewrites` changes results.
struct PlanOptions {
  // Shapes that replace those of the graph's inputs, such as a smaller last batch. All other shapes are inferred again.
  std::vector<std::pair<Value, Shape>> shapes{};
  bool fold_constants = true;  // compute nodes that depend on constants alone while planning
  bool fuse = true;            // run connected operations as one blockwise step
  bool in_place = true;        // let operations overwrite inputs that no later step reads
  bool reuse = true;           // let buffers with disjoint lifetimes share memory
  Rewrites rewrites = Rewrites::exact;
  std::vector<Rule> rules{};  // tried after those of the operations; `rewrites` limits them, too
  // Copy the graph's nodes, so that runs with RunOptions::check_finite work after the graph was destroyed.
  bool check_finite = false;
};

class Workspace;
struct PlanDotOptions;

// A compiled, immutable program that computes outputs and updates.
//
//   Plan plan({loss}, updates);                 // compiles; peak_bytes() is known from here on
//   Workspace memory(plan);                     // allocates
//   memory.feed(x, images);
//   plan.run(memory, {.step = 1});              // allocates nothing
//   double l = memory.output(0).item();
//
// A plan may outlive its graph, but not the operations' OpDefs. Several workspaces of one plan may run concurrently, if
// no two of them update the same parameters. Results are bit-identical to the interpreter's, for any number of threads,
// except for the sign and payload of NaN, which IEEE 754 leaves open.
class Plan {
 public:
  // Compiles the values, and the new values of parameters. Throws GraphError if there is neither an output nor an
  // update, if values belong to different graphs or were discarded, or if a parameter is updated twice; ShapeError if
  // the shapes of the options do not fit.
  explicit Plan(const std::vector<Value>& outputs, const std::vector<Update>& updates = {},
                const PlanOptions& options = {});
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  // Runs on the inputs that the workspace was fed. Throws FeedError, before anything is computed, if an input was never
  // fed. When an operation throws, no parameter has changed.
  void run(Workspace& memory, const RunOptions& options = {}) const;
  // Feeds a new workspace, runs and returns copies of the outputs.
  std::vector<Tensor> run(const Feeds& feeds, const RunOptions& options = {}) const;

  // Bytes of a workspace, without parameters and constants.
  std::size_t peak_bytes() const;
  // Bytes of all values, the interpreter's memory.
  std::size_t total_bytes() const;
  int steps() const;
  // Floating-point operations of one run, by the convention of graph/flops.hpp; folded nodes do not count.
  double flops() const;
  std::vector<TensorType> outputs() const;
  // A table of the steps: operations, and where their operands and results are.
  std::string str() const;

 private:
  friend class Workspace;
  friend class Profiler;
  friend std::string to_dot(const Plan& plan, const PlanDotOptions& options);
  struct Program;
  template <class Done>
  void run_steps(Workspace& memory, const RunOptions& options, Done done) const;
  // Runs and calls `done` with the index of each finished step, and with steps() after the copies at the end. The
  // workspace does not count the run.
  void run_watched(Workspace& memory, const RunOptions& options, TaskRef done) const;
  static constexpr char empty[] = "plan: it is empty: it was moved to another Plan";
  CheckedPointer<std::shared_ptr<const Program>, empty> program_;
};

// The memory of a plan's runs: its inputs, intermediate values and outputs. Each run draws new random numbers: a
// workspace counts its runs unless RunOptions::step is given.
class Workspace {
 public:
  explicit Workspace(const Plan& plan);
  ~Workspace();
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;

  // Copies the value into the workspace. An input that the plan does not need is ignored. Throws FeedError, with the
  // input, if it is unknown or the value does not fit.
  void feed(Value input, const Tensor& value);
  void feed(const std::string& input, const Tensor& value);
  // Feeds several inputs. Throws FeedError for an input that is fed twice.
  void feed(const Feeds& feeds);
  // Marks the input as fed and returns its memory, to be filled before the next run. The result is empty if the plan
  // does not need the input.
  Buffer feed_in_place(Value input);
  // The input's second buffer, which another thread may fill during a run. `swap_inputs` exchanges the two buffers of
  // all inputs that have a second one, and marks these inputs as fed. The result is empty if the plan does not need the
  // input.
  Buffer next_input(Value input);
  void swap_inputs();
  // Output i of the last run, borrowed: valid until the next run.
  Tensor output(int i) const;

 private:
  friend class Plan;
  struct State;
  static constexpr char empty[] = "workspace: it is empty: it was moved to another Workspace";
  CheckedPointer<std::unique_ptr<State>, empty> state_;
};

}  // namespace xgrad::inline v0
