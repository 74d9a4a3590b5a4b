#include <xgrad/graph/pictures/internal/dot_text.hpp>

#include <array>
#include <cstdint>

#include <fmt/format.h>

namespace xgrad::inline v0::dot {
namespace {

constexpr std::uint32_t replacement = 0xfffd;
constexpr const char* gray = "#6b7280";

// Removes one code point from the front of `text`. Malformed bytes and characters that XML forbids become U+FFFD.
std::uint32_t next_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  const std::size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
  bool good = length > 0 && length <= text.size();
  std::uint32_t code = length == 1 ? lead : good ? lead & (0xffU >> (length + 1)) : replacement;
  for (std::size_t i = 1; good && i < length; ++i) {
    good = byte(i) >> 6 == 2;
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  good = good && code >= smallest[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) &&
         (code & 0xfffe) != 0xfffe && code >= 0x20 && (code < 0x7f || code > 0x9f);
  const bool control = length == 1 && lead < 0x80;
  text.remove_prefix(good || control ? length : 1);
  return good ? code : control && lead == '\n' ? ' ' : replacement;
}

}  // namespace

std::string escaped(std::string_view text, std::size_t limit) {
  std::string out;
  bool blank = true;
  for (std::size_t n = 0; !text.empty(); ++n) {
    if (n == limit) return out + "&#8230;";
    const std::uint32_t code = next_code_point(text);
    blank = blank && code == ' ';
    // Graphviz expands \G, \N and others, even if the backslash is a character reference: double it. It drops a `]` at
    // the end of a text.
    const bool plain =
        code < 0x7f && std::string_view("&<>\"\\]").find(static_cast<char>(code)) == std::string_view::npos;
    out += code == '\\' ? "&#92;&#92;" : plain ? std::string(1, static_cast<char>(code)) : fmt::format("&#{};", code);
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
