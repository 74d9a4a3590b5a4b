// Restores a model's state if training throws.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <xgrad/graph/parameter.hpp>

namespace xgrad::inline v0::nn {

// Scope guard: copies parameter values and two counts, and restores them unless `dismiss()` was called.
class Snapshot {
 public:
  Snapshot(std::vector<Parameter> parameters, std::uint64_t& steps, std::uint64_t& epochs)
      : parameters_(std::move(parameters)), counts_{{&steps, steps}, {&epochs, epochs}} {
    for (const Parameter& p : parameters_) values_.push_back(p.value());
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot() {
    if (!active_) return;
    for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].set(values_[i]);
    for (const auto& [count, before] : counts_) *count = before;
  }
  void dismiss() { active_ = false; }

 private:
  std::vector<Parameter> parameters_;
  std::vector<Tensor> values_;
  std::pair<std::uint64_t*, std::uint64_t> counts_[2];
  bool active_ = true;
};

}  // namespace xgrad::inline v0::nn
