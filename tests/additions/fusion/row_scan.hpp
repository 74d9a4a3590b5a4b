// An operation that scans rows, and the kind of fusion that runs it within block programs.
#pragma once

#include <xgrad/graph/graph.hpp>

namespace additions {

const xgrad::OpDef& running_max_op();
xgrad::Value running_max(xgrad::Operand x);

}  // namespace additions
