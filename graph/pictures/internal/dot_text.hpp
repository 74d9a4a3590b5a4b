// Text for Graphviz HTML-like labels.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace xgrad::inline v0::dot {

// Escapes text for use between tags: ASCII, on one line, at most `limit` characters.
std::string escaped(std::string_view text, std::size_t limit = 80);
std::string small_text(const std::string& escaped_text);

constexpr const char* dark = "#1f2937";  // text color on a light background
// Adapts a label to a colored background with text color `text`: gray text becomes nearly as light or as dark.
std::string on_color(std::string label, const std::string& text);

}  // namespace xgrad::inline v0::dot
