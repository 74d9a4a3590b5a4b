// Text as Graphviz' HTML-like labels take it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace xgrad::inline v0::dot {

// For text between tags: ASCII, on one line, at most `limit` characters.
std::string escaped(std::string_view text, std::size_t limit = 80);
std::string small_text(const std::string& escaped_text);

constexpr const char* dark = "#1f2937";  // letters on light ground
// A label on a ground of a color, whose letters are of `text`: what is gray in it becomes nearly as light or as dark.
std::string on_color(std::string label, const std::string& text);

}  // namespace xgrad::inline v0::dot
