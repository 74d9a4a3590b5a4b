// Dropout: in training, sets each element to 0 with probability `rate` and scales the others by 1 / (1 - rate), which
// keeps the expectation; the identity in inference (Srivastava et al., "Dropout", 2014, inverted form).
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
