// Plan: a compiled, immutable program for some outputs and updates. Workspace: the memory it runs in.
//
//   Plan plan({loss}, updates);                 // everything is decided here, peak_bytes() included
//   Workspace memory(plan);                     // everything is allocated here
//   memory.feed(x, images);
//   plan.run(memory, {.step = 1});              // allocates nothing
//   double l = memory.output(0).item();
//
// Each run of a workspace draws new random numbers: runs count their steps unless RunOptions::step says which it is.
//
// A plan keeps what it needs of the graph and may outlive it; the operations' OpDefs and the parameters' memory must
// live on. Several workspaces of one plan may run at once in different threads, if no two of them update the same
// parameters. Results equal the interpreter's bit for bit, for any number of threads, except for the sign and payload
// of NaN, which IEEE 754 leaves open.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/base/checked_pointer.hpp>
#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

// Which rules (graph/plan/rewrite_rule.hpp) may replace parts of the graph, for the plan alone.
enum class Rewrites : std::uint8_t {
  none,
  exact,  // those that leave every bit of the results
  close,  // also those that change results within a bound, which each states
};

struct PlanOptions {
  // Other shapes for inputs than the graph's own, for instance a last, shorter batch: all shapes are inferred anew.
  std::vector<std::pair<Value, Shape>> shapes{};
  bool fold_constants = true;  // compute once, while planning, what depends on constants alone
  bool fuse = true;            // run connected elementwise operations together, block after block
  bool in_place = true;        // let operations write over inputs that nothing reads after them
  bool reuse = true;           // let buffers share memory when their lifetimes do not overlap
  Rewrites rewrites = Rewrites::exact;
};

class Workspace;
struct PlanDotOptions;

class Plan {
 public:
  explicit Plan(const std::vector<Value>& outputs, const std::vector<Update>& updates = {},
                const PlanOptions& options = {});
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  // Runs on what the workspace was fed. Throws FeedError, before anything is computed, if an input was never fed. When
  // an operation throws, no parameter has changed.
  void run(Workspace& memory, const RunOptions& options = {}) const;
  // Feeds, runs and copies the outputs, in a workspace of its own.
  std::vector<Tensor> run(const Feeds& feeds, const RunOptions& options = {}) const;

  // Bytes a workspace takes for values, before any run; parameters and constants not counted.
  std::size_t peak_bytes() const;
  // The sum of all values' bytes, which is what the interpreter would need.
  std::size_t total_bytes() const;
  int steps() const;
  // Of one run, as graph/flops.hpp counts them; what is folded or not needed is not counted.
  double flops() const;
  std::vector<TensorType> outputs() const;
  // A table of the steps: what runs, what it reads and writes, where, and from when to when buffers live.
  std::string str() const;

 private:
  friend class Workspace;
  friend class Profiler;
  friend std::string to_dot(const Plan& plan, const PlanDotOptions& options);
  struct Program;
  template <class Done>
  void run_steps(Workspace& memory, const RunOptions& options, Done done) const;
  // The same run, that says when a step is done: steps are counted from 0, and what is copied at the end is one more.
  // The workspace does not count the run.
  void run_watched(Workspace& memory, const RunOptions& options, TaskRef done) const;
  static constexpr char empty[] = "plan: it is empty: it was moved to another Plan";
  CheckedPointer<std::shared_ptr<const Program>, empty> program_;
};

class Workspace {
 public:
  explicit Workspace(const Plan& plan);
  ~Workspace();
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;

  // Copies the numbers into the workspace. An input that the plan does not need is accepted and ignored. Throws
  // FeedError naming the input if it is unknown or does not fit.
  void feed(Value input, const Tensor& value);
  void feed(const std::string& input, const Tensor& value);
  // The memory of an input, to be filled in place before a run; counts as fed. Empty if the plan does not need it.
  Buffer input(Value input);
  Buffer input(const std::string& input);
  // Other memory of the input, made when first asked for, to be filled while a run goes on in another thread:
  // `swap_inputs` makes it what the next run reads, and what runs read until then what is to be filled next. Empty if
  // the plan does not need the input.
  Buffer next_input(Value input);
  void swap_inputs();
  // Output i of the last run, in place: valid until the next run.
  Tensor output(int i) const;

 private:
  friend class Plan;
  struct State;
  static constexpr char empty[] = "workspace: it is empty: it was moved to another Workspace";
  CheckedPointer<std::unique_ptr<State>, empty> state_;
};

}  // namespace xgrad::inline v0
