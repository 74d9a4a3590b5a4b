// Compositions of simple operations that equal the operations with a kernel of their own for several steps, such as
// attention: references for their values and derivatives.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <xgrad/graph/attrs.hpp>
#include <xgrad/graph/value.hpp>

namespace xgrad::testing {

using Composition = std::function<Value(const std::vector<Value>& inputs, const Attrs& attrs)>;

// By the name of the operation.
const std::map<std::string, Composition>& compositions();

}  // namespace xgrad::testing
