#include <xgrad/nn/training/compiled_step.hpp>

#include <algorithm>
#include <utility>

namespace xgrad::nn {

std::vector<Value> CompiledStep::outputs(const ModelGraph& graph, bool judge) {
  if (!judge) return {graph.prediction};
  std::vector<Value> out{graph.loss};
  out.insert(out.end(), graph.metrics.begin(), graph.metrics.end());
  return out;
}

CompiledStep::CompiledStep(ModelGraph graph, bool judge)
    : graph_(std::move(graph)), plan_(outputs(graph_, judge), graph_.updates), memory_(plan_), judges_(judge) {}

void CompiledStep::load_next(const Tensor& x, const Tensor& y, std::span<const Index> rows) {
  if (const Buffer next = memory_.next_input(graph_.input); next.data != nullptr) gather_rows(x, rows, next.data);
  if (!judges_) return;
  if (const Buffer next = memory_.next_input(graph_.target); next.data != nullptr) gather_rows(y, rows, next.data);
}

void CompiledStep::load(const Tensor& x, const Tensor& y, std::span<const Index> rows, int threads) {
  const Parallel parallel(threads > 0 ? threads : default_threads());
  if (const Buffer now = memory_.input(graph_.input); now.data != nullptr) gather_rows(x, rows, now.data, parallel);
  if (!judges_) return;
  if (const Buffer now = memory_.input(graph_.target); now.data != nullptr) gather_rows(y, rows, now.data, parallel);
}

void Means::add(const CompiledStep& step) {
  for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += step.number(i) * static_cast<double>(step.rows());
  rows_ += step.rows();
}

void Means::clear() {
  std::fill(sums_.begin(), sums_.end(), 0.0);
  rows_ = 0;
}

}  // namespace xgrad::nn
