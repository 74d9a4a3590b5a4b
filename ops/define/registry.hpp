// The built-in operations and composites, read by the test suites, the documentation and `apply`.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// All built-in operations, made once at the first call.
const OpRegistry& builtin_ops();
// The built-in operation `name`. Throws GraphError for an unknown name.
const OpDef& builtin_op(const char* name);

// A function that builds several nodes. Its samples let the suites check it like an operation.
struct Composite {
  std::string name;
  std::string doc;
  Value (*build)(std::span<const Value> inputs, const Attrs& attrs);
  std::vector<Sample> samples;
  std::vector<BadSample> bad_samples{};
};
// All built-in composites, made once at the first call.
const std::vector<Composite>& builtin_composites();

}  // namespace xgrad::inline v0
