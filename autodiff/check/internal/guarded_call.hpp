// Calls a kernel on poisoned buffers between guard bytes, to catch out-of-bounds writes and uninitialized reads.
//
//   GuardedResult r = guarded_call(op, attrs, {a, b}, type, {.poison = 0xA5});
//   r.violation;   // empty if the kernel accessed only its own memory
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
  bool reference = false;    // calls OpDef::reference
};

struct GuardedResult {
  Tensor output;
  std::string violation;  // the rule that the kernel broke; empty if none
};

// `type`: of the output.
GuardedResult guarded_call(const OpDef& op, const Attrs& attrs, const std::vector<Tensor>& inputs,
                           const TensorType& type, const GuardedCallOptions& options = {});

}  // namespace xgrad::inline v0
