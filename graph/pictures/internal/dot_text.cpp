#include <xgrad/graph/pictures/internal/dot_text.hpp>

#include <cstdint>

#include <fmt/format.h>

#include <xgrad/graph/base/internal/text_width.hpp>

namespace xgrad::inline v0::dot {
namespace {

constexpr char32_t replacement = 0xfffd;
constexpr const char* gray = "#6b7280";

// Removes one code point from the front of `text`. Malformed bytes and characters that XML forbids become U+FFFD.
char32_t next_code_point(std::string_view& text) {
  const Utf8Character c = first_character(text);
  const bool good = c.valid && (c.code & 0xfffe) != 0xfffe && c.code >= 0x20 && (c.code < 0x7f || c.code > 0x9f);
  text.remove_prefix(good ? c.bytes : 1);
  return good ? c.code : c.valid && c.code == '\n' ? U' ' : replacement;
}

}  // namespace

std::string escaped(std::string_view text, std::size_t limit) {
  std::string out;
  bool blank = true;
  for (std::size_t n = 0; !text.empty(); ++n) {
    if (n == limit) return out + "&#8230;";
    const char32_t code = next_code_point(text);
    blank = blank && code == ' ';
    // Graphviz expands \G, \N and others, even if the backslash is a character reference: double it. It drops a `]` at
    // the end of a text.
    const bool plain =
        code < 0x7f && std::string_view("&<>\"\\]").find(static_cast<char>(code)) == std::string_view::npos;
    out += code == '\\' ? "&#92;&#92;"
           : plain      ? std::string(1, static_cast<char>(code))
                        : fmt::format("&#{};", static_cast<std::uint32_t>(code));
  }
  return blank ? "&#160;" : out;  // Graphviz rejects a FONT element without text
}

std::string small_text(const std::string& escaped_text) {
  return fmt::format("<FONT POINT-SIZE=\"9\" COLOR=\"{}\">{}</FONT>", gray, escaped_text);
}

std::string on_color(std::string label, const std::string& text) {
  // Quotes in names are escaped, so this matches only attributes of tags.
  const std::string from = fmt::format("COLOR=\"{}\"", gray);
  const std::string to = text == dark ? "COLOR=\"#374151\"" : "COLOR=\"#f3f4f6\"";
  for (std::size_t at = label.find(from); at != std::string::npos; at = label.find(from, at + to.size()))
    label.replace(at, from.size(), to);
  return label;
}

}  // namespace xgrad::inline v0::dot
