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
  Index rows() const { return graph_.input.shape()[0]; }
  // Loss and metrics of the last run, or the prediction.
  double number(std::size_t i) const { return memory_.output(static_cast<int>(i)).at(0); }
  Tensor prediction() const { return memory_.output(0); }
  std::size_t numbers() const { return 1 + graph_.metrics.size(); }

 private:
  static std::vector<Value> outputs(const ModelGraph& graph, bool judge);
  // `memory` gives the buffer of an input.
  template <class F>
  void fill(const BatchSource& source, std::span<const Index> rows, const Parallel& parallel, F memory);

  ModelGraph graph_;
  Plan plan_;
  Workspace memory_;
  bool judges_;
};

// Means over rows of what steps report.
class Means {
 public:
  explicit Means(std::size_t numbers) : sums_(numbers) {}
  void add(const CompiledStep& step);
  double operator[](std::size_t i) const { return sums_[i] / static_cast<double>(rows_); }
  void clear();
  // All there is to it, as numbers: what a checkpoint keeps of an epoch that is not complete.
  std::vector<double> state() const;
  // False if these cannot be such numbers.
  bool set_state(std::span<const double> numbers);

 private:
  std::vector<double> sums_;
  Index rows_ = 0;
};

}  // namespace xgrad::nn
