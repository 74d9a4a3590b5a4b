// view_op: defines an operation that returns its first input unchanged, and differs from it only in its vjp.
#pragma once

#include <algorithm>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

inline OpDef view_op(const char* name, const char* doc) {
  OpDef op;
  op.name = name;
  op.doc = doc;
  op.traits.view = true;
  op.infer = same_type;
  op.kernel = [](const KernelCall& call) {
    std::copy_n(call.inputs[0].as<char>(), call.output.type.bytes(), call.output.as<char>());
  };
  return op;
}

}  // namespace xgrad::inline v0
