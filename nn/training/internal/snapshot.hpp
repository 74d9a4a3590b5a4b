// The numbers of parameters as they are now, to be put back unless all goes well.
#pragma once

#include <vector>

#include <xgrad/graph/parameter.hpp>

namespace xgrad::inline v0::nn {

class Snapshot {
 public:
  explicit Snapshot(std::vector<Parameter> parameters) : parameters_(std::move(parameters)) {
    for (const Parameter& p : parameters_) values_.push_back(p.value());
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot() {
    if (!kept_) return;
    for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].set(values_[i]);
  }
  void dismiss() { kept_ = false; }

 private:
  std::vector<Parameter> parameters_;
  std::vector<Tensor> values_;
  bool kept_ = true;
};

}  // namespace xgrad::inline v0::nn
