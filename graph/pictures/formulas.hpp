// Prints values as formulas.
//
//   std::cout << to_formulas({{"dx", dx}}, {{"x", x}, {"dy", dy}});
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

// Prints values as formulas, one per line: operations as symbols or calls, with named attributes. A subexpression that
// is used more than once and is longer than a name gets a line of its own before its use. For example, for
// {{"da", da}, {"db", db}} with a, b, y = a / b and dy known:
//   da = dy / b
//   db = -(da * y)
// `known` values are printed by their names, other leaves by their own names or values. Throws GraphError if a value is
// not alive.
std::string to_formulas(const std::vector<std::pair<std::string, Value>>& wanted,
                        const std::vector<std::pair<std::string, Value>>& known = {});

}  // namespace xgrad::inline v0
