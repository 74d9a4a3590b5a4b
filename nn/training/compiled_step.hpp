// One graph of a model, planned for a number of rows, with the memory it runs in. Internal: not installed.
#pragma once

#include <span>
#include <vector>

#include <xgrad/graph/plan.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::nn {

// Rows of data from which batches are taken, and what is done to their images on the way.
struct BatchSource {
  const Dataset* data;
  const Augment* augment = nullptr;   // none: the rows as they are
  std::uint64_t seed = 0, epoch = 0;  // of the augmentation
};

class CompiledStep {
 public:
  // Runs to the loss and the metrics if `judge`, otherwise to the prediction; in both cases with the graph's updates.
  CompiledStep(ModelGraph graph, bool judge);

  // Takes the named rows as the next batch. Does not allocate.
  void load(const BatchSource& source, std::span<const Index> rows, int threads);
  // The same into other memory, which `take_next` makes that of the next run: may go on while a run does.
  void load_next(const BatchSource& source, std::span<const Index> rows);
  void take_next() { memory_.swap_inputs(); }
  void run(const RunOptions& options) { plan_.run(memory_, options); }
  const Graph& graph() const { return *graph_.graph; }
  Index rows() const { return graph_.input.shape()[0]; }
  // Of the last run, in place: the prediction or the loss, and what metric i says of the batch.
  Tensor prediction() const { return memory_.output(0); }
  double loss() const { return memory_.output(0).at(0); }
  Tensor metric(std::size_t i) const { return memory_.output(static_cast<int>(i) + 1); }
  Index numbers_of_metric(std::size_t i) const { return graph_.metrics[i].shape().elements(); }
  // What these weigh beside those of other batches: the number of rows, unless the graph says otherwise. Of the loss,
  // the penalties weigh the number of rows; they are 0 where all of it does.
  double loss_weight() const { return number(loss_weight_, static_cast<double>(rows())); }
  double penalty() const { return number(penalty_, 0); }
  double metric_weight(std::size_t i) const { return number(metric_weights_[i], static_cast<double>(rows())); }

 private:
  static std::vector<Value> outputs(const ModelGraph& graph, bool judge);
  double number(int output, double otherwise) const { return output < 0 ? otherwise : memory_.output(output).at(0); }
  // `memory` gives the buffer of an input.
  template <class F>
  void fill(const BatchSource& source, std::span<const Index> rows, const Parallel& parallel, F memory);

  ModelGraph graph_;
  Plan plan_;
  Workspace memory_;
  bool judges_;
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

}  // namespace xgrad::nn
