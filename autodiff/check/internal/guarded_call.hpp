// One kernel call in memory that betrays mistakes: guards around the output, poison in everything that the kernel has
// no business to read.
//
//   GuardedCall t(op, attrs, {a, b}, type);
//   Tensor out = t.run({.poison = 0xA5});
//   t.violation();   // empty if the kernel kept to its own memory
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

struct GuardedCallOptions {
  unsigned char poison = 0xA5;
  int threads = 1;
  RandomState random{};
  Index first = 0;           // see KernelCall
  std::vector<bool> over{};  // inputs that lie in the output's own buffer; all of them have the same numbers
};

class GuardedCall {
 public:
  GuardedCall(const OpDef& op, const Attrs& attrs, std::vector<Tensor> inputs, const TensorType& type,
              bool reference = false)
      : op_(op), attrs_(attrs), inputs_(std::move(inputs)), type_(type), reference_(reference) {}

  Tensor run(const GuardedCallOptions& options);
  // What the last run did that a kernel must not do.
  const std::string& violation() const { return violation_; }

 private:
  const OpDef& op_;
  const Attrs& attrs_;
  std::vector<Tensor> inputs_;
  TensorType type_;
  bool reference_;
  std::string violation_;
};

}  // namespace xgrad::inline v0
