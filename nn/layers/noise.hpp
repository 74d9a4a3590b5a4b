// AlphaDropout and GaussianNoise: disturbances in training, nothing elsewhere. Dropout has a file of its own.
//
//   nn::Sequential{nn::Dense(64, nn::selu, {.kernel_initializer = nn::lecun_normal}), nn::AlphaDropout(0.1)}
//   nn::GaussianNoise(0.1)
#pragma once

#include <string>

#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

// In training each number becomes, with probability `rate`, what selu gives for minus infinity, and all are scaled and
// shifted so that mean 0 and variance 1 stay what they are (Klambauer, Unterthiner, Mayr and Hochreiter,
// "Self-normalizing neural networks", 2017). Throws UserError unless 0 <= rate < 1.
class AlphaDropout : public Layer {
 public:
  explicit AlphaDropout(double rate, const std::string& name = {}, SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;
  double rate() const { return rate_; }

 private:
  double rate_;
};

// In training a normal number of mean 0 and this deviation is added to each number. Throws UserError unless the
// deviation is finite and at least 0.
class GaussianNoise : public Layer {
 public:
  explicit GaussianNoise(double stddev, const std::string& name = {}, SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

 private:
  double stddev_;
};

}  // namespace xgrad::inline v0::nn
