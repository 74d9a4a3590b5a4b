// Shortened lists for messages.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>

namespace xgrad::inline v0 {

inline constexpr std::size_t listed_at_most = 16;

// Joins text(0) ... text(count - 1) by `separator`. A long list is shortened to its first texts, the number omitted and
// its last text. If the separator is empty, each text must be a line that begins with "\n  ".
template <class Text>
std::string list_text(std::size_t count, const std::string& separator, Text text) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += separator;
    if (count > listed_at_most && i + 2 == listed_at_most) {
      // In a list of lines the ellipsis is a line as well.
      out += (separator.empty() ? "\n  ... " : "... ") + std::to_string(count - listed_at_most + 1) + " more ...";
      i = count - 2;
    } else {
      out += text(i);
    }
  }
  return out;
}

// Joins the integers or strings of a range.
template <class Range>
std::string list_text(const Range& range, const std::string& separator = ", ") {
  using Element = std::decay_t<decltype(range[0])>;
  return list_text(range.size(), separator, [&](std::size_t i) {
    if constexpr (std::is_integral_v<Element>)
      return std::to_string(range[i]);
    else
      return std::string(range[i]);
  });
}

}  // namespace xgrad::inline v0
