// Lists in messages, shortened. Internal: not installed.
#pragma once

#include <cstddef>
#include <string>

#include <fmt/format.h>

namespace xgrad {

inline constexpr std::size_t listed_at_most = 16;

// text(0) ... text(count - 1) one after the other, `separator` between them; of a long list the first ones, how many
// are left out, and the last. Without a separator, each text is a line and begins with "\n  ".
template <class Text>
std::string list_text(std::size_t count, const std::string& separator, Text text) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += separator;
    if (count > listed_at_most && i + 2 == listed_at_most) {
      // A list of lines goes on in lines.
      out += fmt::format("{}... {} more ...", separator.empty() ? "\n  " : "", count - listed_at_most + 1);
      i = count - 2;
    } else {
      out += text(i);
    }
  }
  return out;
}

// The elements of a range, as fmt writes them.
template <class Range>
std::string list_text(const Range& range, const std::string& separator = ", ") {
  return list_text(range.size(), separator, [&](std::size_t i) { return fmt::format("{}", range[i]); });
}

}  // namespace xgrad
