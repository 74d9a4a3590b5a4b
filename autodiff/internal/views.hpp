// Defines operations that return their first input unchanged and exist for their vjp.
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
