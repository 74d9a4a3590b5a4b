// The built-in operations and compositions, in one explicit list: the suites, the documentation and `apply` by name
// read it.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// All built-in operations, made once at the first call.
const OpRegistry& builtin_ops();
// The operation of that name; throws GraphError if there is none.
const OpDef& builtin_op(const char* name);

// A function of several operations that has samples of its own, so that the suites prove it like an operation.
struct Composite {
  std::string name;
  std::string doc;
  Value (*build)(std::span<const Value> inputs, const Attrs& attrs);
  std::vector<Sample> samples;
  std::vector<BadSample> bad_samples;
};
const std::vector<Composite>& builtin_composites();

}  // namespace xgrad::inline v0
