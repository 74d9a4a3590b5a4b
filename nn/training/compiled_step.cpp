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
    : graph_(std::move(graph)), plan_(outputs(graph_, judge), graph_.updates), memory_(plan_) {
  x_ = memory_.input(graph_.input);
  if (judge) y_ = memory_.input(graph_.target);
}

void CompiledStep::load(const Tensor& x, const Tensor& y, std::span<const Index> rows, int threads) {
  const Parallel parallel(threads > 0 ? threads : default_threads());
  if (x_.data != nullptr) gather_rows(x, rows, x_.data, parallel);
  if (y_.data != nullptr) gather_rows(y, rows, y_.data, parallel);
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
