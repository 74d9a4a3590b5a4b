#include <xgrad/nn/training/internal/compiled_step.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <xgrad/nn/training/internal/data_checks.hpp>

namespace xgrad::inline v0::nn {

namespace {

std::vector<Value> outputs(Mode mode, const ModelGraph& graph) {
  if (mode == Mode::predict) return {graph.prediction};
  std::vector<Value> out{graph.loss};
  out.insert(out.end(), graph.metrics.begin(), graph.metrics.end());
  for (const Value weight : {graph.loss_weight, graph.penalty}) {
    if (weight.valid()) out.push_back(weight);
  }
  for (const Value weight : graph.metric_weights) {
    if (weight.valid()) out.push_back(weight);
  }
  return out;
}

}  // namespace

StepPlan::StepPlan(const StepKey& k, ModelGraph g, Rewrites rewrites, bool random_by_row)
    : key(k),
      graph(std::move(g)),
      plan(outputs(k.mode, graph), graph.updates, {.rewrites = rewrites}),
      separable(random_by_row) {}

CompiledStep::CompiledStep(std::shared_ptr<const StepPlan> plan)
    : plan_(std::move(plan)), memory_(plan_->plan), bytes_(plan_->plan.peak_bytes()) {
  const ModelGraph& graph = plan_->graph;
  int next = 1 + static_cast<int>(graph.metrics.size());
  const auto output_of = [&](Value weight) { return plan_->key.mode != Mode::predict && weight.valid() ? next++ : -1; };
  loss_weight_ = output_of(graph.loss_weight);
  penalty_ = output_of(graph.penalty);
  for (const Value weight : graph.metric_weights) metric_weights_.push_back(output_of(weight));
}

template <class F>
void CompiledStep::fill(const BatchSource& source, std::span<const Index> rows, const Parallel& parallel, F memory) {
  const Dataset& data = *source.data;
  const ModelGraph& graph = plan_->graph;
  const auto gather = [&](Value input, const Tensor& from) {
    const Buffer to = memory(input);
    if (to.data != nullptr) gather_rows(from, rows, to.data, parallel);
    return to;
  };
  const Buffer x = gather(graph.input, data.x);
  if (source.augment != nullptr && x.data != nullptr) {
    source.augment->apply(x.data, x.type.dtype, row_of(x.type.shape), rows, source.seed, source.epoch, parallel);
  }
  if (plan_->key.mode == Mode::predict) return;
  gather(graph.target, data.y);
  if (graph.weights.valid()) gather(graph.weights, data.weights);
}

void CompiledStep::load_next(const BatchSource& source, std::span<const Index> rows) {
  fill(source, rows, Parallel(1), [&](Value input) {
    const Buffer next = memory_.next_input(input);
    if (!has_next_inputs_ && next.data != nullptr) bytes_ += next.type.bytes();
    return next;
  });
  has_next_inputs_ = true;
}

void CompiledStep::load(const BatchSource& source, std::span<const Index> rows, int threads) {
  fill(source, rows, Parallel(threads > 0 ? threads : default_threads()),
       [&](Value input) { return memory_.feed_in_place(input); });
}

Means::Means(const std::vector<Metric>& metrics, const CompiledStep& step) : sums_(4) {
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const auto count = static_cast<std::size_t>(step.metric_elements(i));
    metrics_.push_back({sums_.size() + 1, count, metrics[i].result});
    sums_.resize(sums_.size() + 1 + count);
  }
}

void Means::add(const CompiledStep& step) {
  const auto rows = static_cast<double>(step.rows());
  const double weight = step.loss_weight(), penalty = step.penalty();
  sums_[0] += (step.loss() - penalty) * weight;
  sums_[1] += weight;
  sums_[2] += penalty * rows;
  sums_[3] += rows;
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    const MetricSums& metric = metrics_[i];
    const Tensor numbers = step.metric(i);
    const double metric_weight = step.metric_weight(i);
    const double factor = metric.result ? 1 : metric_weight;
    sums_[metric.first - 1] += metric_weight;
    for (std::size_t j = 0; j < metric.count; ++j)
      sums_[metric.first + j] += numbers.at(static_cast<Index>(j)) * factor;
  }
}

double Means::operator[](std::size_t i) const {
  const auto mean = [](double sum, double weight) { return weight == 0 ? 0 : sum / weight; };
  if (i == 0) return mean(sums_[0], sums_[1]) + mean(sums_[2], sums_[3]);
  const MetricSums& metric = metrics_[i - 1];
  const double weight = sums_[metric.first - 1];
  if (weight == 0 || !metric.result) return mean(sums_[metric.first], weight);
  return metric.result(std::span(sums_).subspan(metric.first, metric.count));
}

bool Means::set_state(std::span<const double> numbers) {
  if (numbers.size() != sums_.size()) return false;
  const auto possible = [&](std::size_t weight) { return numbers[weight] >= 0 && std::isfinite(numbers[weight]); };
  if (!possible(1) || !possible(3)) return false;
  for (const MetricSums& metric : metrics_) {
    if (!possible(metric.first - 1)) return false;
  }
  std::copy(numbers.begin(), numbers.end(), sums_.begin());
  return true;
}

void Means::clear() { std::fill(sums_.begin(), sums_.end(), 0.0); }

}  // namespace xgrad::inline v0::nn
