// A planned graph of a model for a fixed number of rows, and its workspace.
#pragma once

#include <compare>
#include <memory>
#include <span>
#include <vector>

#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

// The data set that batches are gathered from, and the augmentation of its images.
struct BatchSource {
  const Dataset* data;
  const Augment* augment = nullptr;   // null: no augmentation
  std::uint64_t seed = 0, epoch = 0;  // arguments of the augmentation
};

enum class Mode { predict, evaluate, train };

// Identifies a plan of a model; `weighted`: rows have weights.
struct StepKey {
  Mode mode = Mode::predict;
  Index rows = 0;
  bool weighted = false;
  friend auto operator<=>(const StepKey&, const StepKey&) = default;  // NOLINT(modernize-use-nullptr)
};

// A graph of a model and its plan. The outputs are the prediction for Mode::predict, otherwise loss and metrics.
// Several threads may run one StepPlan, each with its own CompiledStep.
struct StepPlan {
  StepPlan(const StepKey& key, ModelGraph graph, Rewrites rewrites = Rewrites::exact, bool separable = true);

  StepKey key;
  ModelGraph graph;
  Plan plan;
  // Whether the random numbers of a row do not depend on the batch size; see mark_row_random.
  bool separable;
};

class CompiledStep {
 public:
  explicit CompiledStep(std::shared_ptr<const StepPlan> plan);

  const StepPlan& plan() const { return *plan_; }
  // Size of the workspace.
  std::size_t bytes() const { return bytes_; }
  // Gathers these rows as the next batch. Does not allocate.
  void load(const BatchSource& source, std::span<const Index> rows, int threads);
  // Gathers these rows into the second input buffers, possibly during a run. `swap_batch` activates them.
  void load_next(const BatchSource& source, std::span<const Index> rows);
  void swap_batch() { memory_.swap_inputs(); }
  void run(const RunOptions& options) { plan_->plan.run(memory_, options); }
  const Graph& graph() const { return *plan_->graph.graph; }
  Index rows() const { return plan_->key.rows; }
  // The outputs of the last run, borrowed: prediction or loss, and the value of metric i.
  Tensor prediction() const { return memory_.output(0); }
  double loss() const { return memory_.output(0).at(0); }
  Tensor metric(std::size_t i) const { return memory_.output(static_cast<int>(i) + 1); }
  Index metric_elements(std::size_t i) const { return plan_->graph.metrics[i].shape().elements(); }
  // Weights for means over batches: the number of rows unless the graph has a weight. `penalty`: penalties in the loss,
  // whose weight is always the number of rows; 0 if the whole loss has that weight.
  double loss_weight() const { return number(loss_weight_, static_cast<double>(rows())); }
  double penalty() const { return number(penalty_, 0); }
  double metric_weight(std::size_t i) const { return number(metric_weights_[i], static_cast<double>(rows())); }

 private:
  double number(int output, double fallback) const { return output < 0 ? fallback : memory_.output(output).at(0); }
  // `memory(input)` returns the buffer of an input.
  template <class F>
  void fill(const BatchSource& source, std::span<const Index> rows, const Parallel& parallel, F memory);

  std::shared_ptr<const StepPlan> plan_;
  Workspace memory_;
  std::size_t bytes_;
  bool has_next_inputs_ = false;
  // Indices of outputs; -1 if there is none.
  int loss_weight_ = -1, penalty_ = -1;
  std::vector<int> metric_weights_;
};

// Weighted means of loss and metrics over the batches of an epoch.
class Means {
 public:
  Means() = default;
  // `step` determines the sizes of the metrics.
  Means(const std::vector<Metric>& metrics, const CompiledStep& step);
  void add(const CompiledStep& step);
  // The loss (i = 0) or metric i - 1; 0 if the total weight is 0.
  double operator[](std::size_t i) const;
  // Whether the total weight of the loss is above 0.
  bool counted() const { return sums_[1] > 0; }
  void clear();
  // The sums, for the checkpoint of an incomplete epoch.
  const std::vector<double>& state() const { return sums_; }
  // Restores the sums. Returns false if the size or a weight is invalid.
  bool set_state(std::span<const double> numbers);

 private:
  struct MetricSums {
    std::size_t first, count;  // range in `sums_`; the metric's weight is at first - 1
    Metric::Result result;     // if empty, the value is the mean
  };
  std::vector<MetricSums> metrics_;
  // Weighted sums: loss without penalties and its weight, penalties and the number of rows, then those of the metrics.
  std::vector<double> sums_;
};

}  // namespace xgrad::inline v0::nn
