// Values as formulas, line by line, in plain text or LaTeX.
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
  std::string name;  // as it is written
  std::string formula;
  NodeId node = 0;
};

using Names = std::map<NodeId, std::string>;

// What `to_formulas` prints. Names of known and wanted values stand as they are given: see `name` and `number`. Parts
// that get lines of their own are called t1, t2 ..., beginning after `parts`, which goes on to the last. `brief` leaves
// out flags that are off. Takes time for what the formulas show, however much else is known.
std::vector<Line> lines(const std::vector<std::pair<std::string, Value>>& wanted, const Names& known, Style style,
                        int& parts, bool brief = false);

// A name as it can stand in a formula: in quotes, or escaped, if need be.
std::string name(std::string_view text, Style style);
// Four digits of it.
std::string number(double number, Style style);
// Any text within a LaTeX formula.
std::string latex_text(std::string_view text);

}  // namespace xgrad::inline v0::formula
