// Prints values as formulas, line by line, as plain text or LaTeX.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0::formula {

enum class Style { text, latex };

struct Line {
  std::string name;  // as printed
  std::string formula;
  NodeId node = 0;
};

using Names = std::map<NodeId, std::string>;

// Implements `to_formulas`. Names of known and wanted values are printed verbatim: see `name` and `number`. Shared
// subexpressions are named t1, t2 ..., starting after `parts`, which is advanced. `brief` omits flags that are off.
// Takes time proportional to the size of the formulas, whatever the number of known values.
std::vector<Line> lines(const std::vector<std::pair<std::string, Value>>& wanted, const Names& known, Style style,
                        int& parts, bool brief = false);

// A name as it may appear in a formula: quoted or escaped if necessary.
std::string name(std::string_view text, Style style);
// The number with four digits.
std::string number(double number, Style style);
// Any text, escaped for a LaTeX formula.
std::string latex_text(std::string_view text);

}  // namespace xgrad::inline v0::formula
