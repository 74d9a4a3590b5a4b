// Dropout, AlphaDropout and GaussianNoise: random noise in training, the identity in inference.
//
//   nn::Dropout(0.2)
//   nn::Sequential{nn::Dense(64, nn::selu, {.kernel_initializer = nn::lecun_normal}), nn::AlphaDropout(0.1)}
//   nn::GaussianNoise(0.1)
#pragma once

#include <string>

#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

// In training sets each element to 0 with probability `rate` and scales the others by 1 / (1 - rate), which keeps the
// expectation (Srivastava et al., "Dropout", 2014, inverted form).
class Dropout : public Layer {
 public:
  // Throws UserError unless 0 <= rate <= 1.
  explicit Dropout(double rate, const std::string& name = {}, SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;
  double rate() const { return rate_; }

 private:
  double rate_;
};

// In training sets each element to selu(-infinity) with probability `rate`, then scales and shifts all elements to
// preserve mean 0 and variance 1 (Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks",
// 2017). Throws UserError unless 0 <= rate < 1.
class AlphaDropout : public Layer {
 public:
  explicit AlphaDropout(double rate, const std::string& name = {}, SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;
  double rate() const { return rate_; }

 private:
  double rate_;
};

// In training adds normal noise of mean 0 and the given standard deviation. Throws UserError unless stddev is finite
// and at least 0.
class GaussianNoise : public Layer {
 public:
  explicit GaussianNoise(double stddev, const std::string& name = {}, SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

 private:
  double stddev_;
};

}  // namespace xgrad::inline v0::nn
