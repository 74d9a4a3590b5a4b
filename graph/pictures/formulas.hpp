// Values as formulas.
//
//   std::cout << to_formulas({{"dx", dx}}, {{"x", x}, {"dy", dy}});
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

// Values as formulas, one a line: operations by their symbols or as calls, attributes named. A part that is used more
// than once and is longer than a name has a line of its own before. For instance, for {{"da", da}, {"db", db}} with a,
// b, y = a / b and dy known:
//   da = dy / b
//   db = -(da * y)
// `known` values are written by their names, other leaves by their own names or numbers. Throws GraphError if a value
// is not alive.
std::string to_formulas(const std::vector<std::pair<std::string, Value>>& wanted,
                        const std::vector<std::pair<std::string, Value>>& known = {});

}  // namespace xgrad::inline v0
