// What a report has to say of a graph's nodes, for pictures: lines of text on each, and a number that colors it.
//
//   Annotations slow{.note = [&](std::span<const NodeId> nodes) -> NodeNote {
//                      double ms = 0;
//                      for (const NodeId id : nodes) ms += times[id];
//                      return {{text_of(ms)}, ms};
//                    },
//                    .legend = "time, ms"};
//   save_graph(g, "time.svg", {.annotations = slow});
//
// A report gives one function; the picture asks it for each box that it draws, and makes colors and legend of the
// numbers it got. Nothing here knows what the numbers are.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

struct NodeNote {
  std::vector<std::string> lines{};             // below the label, in small letters, in this order
  std::optional<double> number = std::nullopt;  // colors the node, NaN and infinities as an alarm; none: no color
};

enum class ColorScale {
  heat,      // pale to dark red: how much, such as time or bytes
  cold_hot,  // blue over white to red: too small, as it should be, too large
};

struct Annotations {
  // Of the nodes that one box stands for: one, or all those of a layer that is drawn as one, in the order of the tape.
  // Must give the same for the same nodes.
  std::function<NodeNote(std::span<const NodeId> nodes)> note{};
  std::string legend{};  // what the number is, with its unit
  ColorScale colors = ColorScale::heat;
  bool logarithmic = false;  // zero and what is negative then have a color of their own
  // The numbers at the two ends of the colors; what lies outside has the color of the end. Those of the numbers drawn
  // if empty, rounded to whole decades if logarithmic.
  std::optional<double> low = std::nullopt;
  std::optional<double> high = std::nullopt;

  explicit operator bool() const { return note != nullptr; }
};

}  // namespace xgrad::inline v0
