// Dropout: in training, each number is zero with probability `rate`, and those that stay are scaled up so that the
// expectation is unchanged; elsewhere nothing happens (Srivastava et al., "Dropout", 2014, in its inverted form).
//
//   nn::Dropout(0.2)
#pragma once

#include <string>

#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

class Dropout : public Layer {
 public:
  // Throws UserError unless 0 <= rate <= 1.
  explicit Dropout(double rate, const std::string& name = {}, SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;
  double rate() const { return rate_; }

 private:
  double rate_;
};

}  // namespace xgrad::inline v0::nn
