// Annotations: text and colors for the nodes of a diagram.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

// The annotation of one box of a diagram.
struct NodeNote {
  std::vector<std::string> lines{};             // below the label, in small print, in this order
  std::optional<double> number = std::nullopt;  // colors the node, NaN and infinities in an alarm color; none: no color
};

// How values map to colors.
enum class ColorScale {
  heat,      // pale to dark red: for amounts, such as time or bytes
  cold_hot,  // blue over white to red: for too small, right, too large
};

// Lines of text on the nodes of a diagram, and a value per node that colors it. The diagram calls `note` for each box
// that it draws and derives the color scale and the legend from the values.
//
//   Annotations slow{.note = [&](std::span<const NodeId> nodes) -> NodeNote {
//                      double ms = 0;
//                      for (const NodeId id : nodes) ms += times[id];
//                      return {{text_of(ms)}, ms};
//                    },
//                    .legend = "time, ms"};
//   save_graph(g, "time.svg", {.annotations = slow});
struct Annotations {
  // Called with the nodes of one box: a single node, or all nodes of a folded layer, in tape order. Must return equal
  // notes for equal nodes.
  std::function<NodeNote(std::span<const NodeId> nodes)> note{};
  std::string legend{};  // name of the value, with its physical unit
  ColorScale colors = ColorScale::heat;
  bool logarithmic = false;  // zero and negative values then have a separate color
  // Values at the two ends of the color scale; values beyond have the color of the end. If empty: the range of the
  // values drawn, rounded to decades if logarithmic.
  std::optional<double> low = std::nullopt;
  std::optional<double> high = std::nullopt;

  explicit operator bool() const { return note != nullptr; }
};

}  // namespace xgrad::inline v0
