// Calls a kernel on poisoned buffers between guard bytes, to catch out-of-bounds writes and uninitialized reads.
//
//   GuardedCall t(op, attrs, {a, b}, type);
//   Tensor out = t.run({.poison = 0xA5});
//   t.violation();   // empty if the kernel accessed only its own memory
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
  std::vector<bool> over{};  // inputs that share the output's buffer; their values are equal
};

class GuardedCall {
 public:
  GuardedCall(const OpDef& op, const Attrs& attrs, std::vector<Tensor> inputs, const TensorType& type,
              bool reference = false)
      : op_(op), attrs_(attrs), inputs_(std::move(inputs)), type_(type), reference_(reference) {}

  Tensor run(const GuardedCallOptions& options);
  // The rule that the kernel broke in the last run; empty if none.
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
