// Text helpers for tests.
#pragma once

#include <cstddef>
#include <string_view>

namespace xgrad::testing {

// Number of occurrences of the part in the text.
inline std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace xgrad::testing
