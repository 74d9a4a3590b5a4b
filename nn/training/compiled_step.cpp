#include <xgrad/nn/training/compiled_step.hpp>

#include <algorithm>
#include <utility>

#include <xgrad/nn/training/data_checks.hpp>

namespace xgrad::nn {

std::vector<Value> CompiledStep::outputs(const ModelGraph& graph, bool judge) {
  if (!judge) return {graph.prediction};
  std::vector<Value> out{graph.loss};
  out.insert(out.end(), graph.metrics.begin(), graph.metrics.end());
  return out;
}

CompiledStep::CompiledStep(ModelGraph graph, bool judge)
    : graph_(std::move(graph)), plan_(outputs(graph_, judge), graph_.updates), memory_(plan_), judges_(judge) {}

template <class F>
void CompiledStep::fill(const BatchSource& source, std::span<const Index> rows, const Parallel& parallel, F memory) {
  const Dataset& data = *source.data;
  const auto gather = [&](Value input, const Tensor& from) {
    const Buffer to = memory(input);
    if (to.data != nullptr) gather_rows(from, rows, to.data, parallel);
    return to;
  };
  const Buffer x = gather(graph_.input, data.x);
  if (source.augment != nullptr && x.data != nullptr) {
    source.augment->apply(x.data, x.type.dtype, row_of(x.type.shape), rows, source.seed, source.epoch, parallel);
  }
  if (!judges_) return;
  gather(graph_.target, data.y);
  if (graph_.weights.valid()) gather(graph_.weights, data.weights);
}

void CompiledStep::load_next(const BatchSource& source, std::span<const Index> rows) {
  fill(source, rows, Parallel(1), [&](Value input) { return memory_.next_input(input); });
}

void CompiledStep::load(const BatchSource& source, std::span<const Index> rows, int threads) {
  fill(source, rows, Parallel(threads > 0 ? threads : default_threads()),
       [&](Value input) { return memory_.input(input); });
}

Means::Means(const std::vector<Metric>& metrics, const CompiledStep& step) : sums_(1) {
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const auto count = static_cast<std::size_t>(step.numbers_of_metric(i));
    parts_.push_back({sums_.size(), count, metrics[i].result});
    sums_.resize(sums_.size() + count);
  }
}

void Means::add(const CompiledStep& step) {
  const auto rows = static_cast<double>(step.rows());
  sums_[0] += step.loss() * rows;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    const Tensor numbers = step.metric(i);
    const double weight = part.result ? 1 : rows;
    for (std::size_t j = 0; j < part.count; ++j) sums_[part.first + j] += numbers.at(static_cast<Index>(j)) * weight;
  }
  rows_ += step.rows();
}

double Means::operator[](std::size_t i) const {
  if (i == 0) return sums_[0] / static_cast<double>(rows_);
  const Part& part = parts_[i - 1];
  if (!part.result) return sums_[part.first] / static_cast<double>(rows_);
  return part.result(std::span(sums_).subspan(part.first, part.count));
}

std::vector<double> Means::state() const {
  std::vector<double> out = sums_;
  out.push_back(static_cast<double>(rows_));
  return out;
}

bool Means::set_state(std::span<const double> numbers) {
  if (numbers.size() != sums_.size() + 1 || !(numbers.back() >= 0 && numbers.back() < 0x1p53)) return false;
  std::copy(numbers.begin(), numbers.end() - 1, sums_.begin());
  rows_ = static_cast<Index>(numbers.back());
  return true;
}

void Means::clear() {
  std::fill(sums_.begin(), sums_.end(), 0.0);
  rows_ = 0;
}

}  // namespace xgrad::nn
