// One graph of a model, planned for a number of rows, with the memory it runs in.
#pragma once

#include <compare>
#include <memory>
#include <span>
#include <vector>

#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

// Rows of data from which batches are taken, and what is done to their images on the way.
struct BatchSource {
  const Dataset* data;
  const Augment* augment = nullptr;   // none: the rows as they are
  std::uint64_t seed = 0, epoch = 0;  // of the augmentation
};

enum class Mode { predict, evaluate, train };

// Which of a model's plans: for what, for how many rows, and whether these have weights.
struct StepKey {
  Mode mode = Mode::predict;
  Index rows = 0;
  bool weighted = false;
  friend auto operator<=>(const StepKey&, const StepKey&) = default;
};

// A graph of a model and its plan, to the prediction for Mode::predict, otherwise to loss and metrics; with the graph's
// updates. Several threads may run it, each in a CompiledStep of its own.
struct StepPlan {
  StepPlan(const StepKey& key, ModelGraph graph, bool separable = true);

  StepKey key;
  ModelGraph graph;
  Plan plan;
  // Whether the random numbers of a row can be its own in a batch of several; see mark_row_random.
  bool separable;
};

class CompiledStep {
 public:
  explicit CompiledStep(std::shared_ptr<const StepPlan> plan);

  const StepPlan& plan() const { return *plan_; }
  // Of the workspace.
  std::size_t bytes() const { return bytes_; }
  // Takes the named rows as the next batch. Does not allocate.
  void load(const BatchSource& source, std::span<const Index> rows, int threads);
  // The same into other memory, which `swap_batch` makes that of the next run: may go on while a run does.
  void load_next(const BatchSource& source, std::span<const Index> rows);
  void swap_batch() { memory_.swap_inputs(); }
  void run(const RunOptions& options) { plan_->plan.run(memory_, options); }
  const Graph& graph() const { return *plan_->graph.graph; }
  Index rows() const { return plan_->key.rows; }
  // Of the last run, in place: the prediction or the loss, and what metric i says of the batch.
  Tensor prediction() const { return memory_.output(0); }
  double loss() const { return memory_.output(0).at(0); }
  Tensor metric(std::size_t i) const { return memory_.output(static_cast<int>(i) + 1); }
  Index numbers_of_metric(std::size_t i) const { return plan_->graph.metrics[i].shape().elements(); }
  // What these weigh beside those of other batches: the number of rows, unless the graph says otherwise. Of the loss,
  // the penalties weigh the number of rows; they are 0 where all of it does.
  double loss_weight() const { return number(loss_weight_, static_cast<double>(rows())); }
  double penalty() const { return number(penalty_, 0); }
  double metric_weight(std::size_t i) const { return number(metric_weights_[i], static_cast<double>(rows())); }

 private:
  double number(int output, double otherwise) const { return output < 0 ? otherwise : memory_.output(output).at(0); }
  // `memory` gives the buffer of an input.
  template <class F>
  void fill(const BatchSource& source, std::span<const Index> rows, const Parallel& parallel, F memory);

  std::shared_ptr<const StepPlan> plan_;
  Workspace memory_;
  std::size_t bytes_;
  bool has_next_inputs_ = false;
  // Outputs; -1 if there is none.
  int loss_weight_ = -1, penalty_ = -1;
  std::vector<int> metric_weights_;
};

// What steps report over the rows of an epoch: sums over what counts, and what these weigh.
class Means {
 public:
  Means() = default;
  // For steps that report as this one does.
  Means(const std::vector<Metric>& metrics, const CompiledStep& step);
  void add(const CompiledStep& step);
  // The loss, or metric i - 1; 0 if nothing counted.
  double operator[](std::size_t i) const;
  // Whether the loss has counted anything.
  bool counted() const { return sums_[1] > 0; }
  void clear();
  // All there is to it, as numbers: what a checkpoint keeps of an epoch that is not complete.
  const std::vector<double>& state() const { return sums_; }
  // False if these cannot be such numbers.
  bool set_state(std::span<const double> numbers);

 private:
  struct Part {
    std::size_t first, count;  // in `sums_`; the weight stands before them
    Metric::Result result;     // none: the mean
  };
  std::vector<Part> parts_;  // of the metrics
  // Of the loss without its penalties: sum and weight. Of the penalties: sum and rows. Then the metrics.
  std::vector<double> sums_;
};

}  // namespace xgrad::inline v0::nn
