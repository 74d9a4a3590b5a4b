#include <xgrad/graph/base/internal/text_width.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include <fmt/format.h>

namespace xgrad::inline v0 {
namespace {

struct Range {
  char32_t first, last;
};

// The relevant blocks of EastAsianWidth.txt (W and F) and DerivedGeneralCategory.txt (Mn, Me, Cf) of Unicode 15.
constexpr Range wide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},
                          {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xA960, 0xA97C},   {0xAC00, 0xD7A3},
                          {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF01, 0xFF60},   {0xFFE0, 0xFFE6},
                          {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
constexpr Range zero_width[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0900, 0x0902},
    {0x093C, 0x093C}, {0x0941, 0x0948}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
    {0x200B, 0x200F}, {0x2060, 0x2064}, {0x20D0, 0x20F0}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}};

template <std::size_t N>
bool in(const Range (&ranges)[N], char32_t code) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const Range& r) { return r.first <= code && code <= r.last; });
}

int width_of(const Utf8Character& c) {
  if (c.bytes == 1) return 1;
  return in(wide, c.code) ? 2 : in(zero_width, c.code) ? 0 : 1;
}

// Replaces control characters and stray bytes, which terminals show in different ways, by replacement(bytes).
template <class Replacement>
std::string replace_controls(std::string_view text, Replacement replacement) {
  std::string out;
  while (!text.empty()) {
    const Utf8Character c = first_character(text);
    const bool control = c.code < 0x20 || (c.code >= 0x7F && c.code < 0xA0);
    const std::string_view bytes = text.substr(0, c.bytes);
    out += control || (c.bytes == 1 && c.code >= 0x80) ? replacement(bytes) : std::string(bytes);
    text.remove_prefix(c.bytes);
  }
  return out;
}

}  // namespace

// A byte that starts no sequence of UTF-8 is one character. Overlong sequences, surrogates and codes beyond Unicode are
// whole characters, which are not valid.
Utf8Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead >= 0xF8 || bytes > text.size()) return {lead, 1, false};
  char32_t code = lead & (0x7FU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {lead, 1, false};
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  const char32_t smallest = bytes == 4 ? 0x10000 : bytes == 3 ? 0x800 : 0x80;
  return {code, bytes, code >= smallest && (code < 0xD800 || code >= 0xE000) && code <= 0x10FFFF};
}

int text_width(std::string_view text) {
  int columns = 0;
  while (!text.empty()) {
    const Utf8Character c = first_character(text);
    columns += width_of(c);
    text.remove_prefix(c.bytes);
  }
  return columns;
}

std::string_view cut_to_width(std::string_view text, int width) {
  std::size_t bytes = 0;
  int columns = 0;
  while (bytes < text.size()) {
    const Utf8Character c = first_character(text.substr(bytes));
    columns += width_of(c);
    if (columns > width) break;
    bytes += c.bytes;
  }
  return text.substr(0, bytes);
}

std::string without_controls(std::string_view text) {
  return replace_controls(text, [](std::string_view) { return std::string("?"); });
}

std::string in_quotes(std::string_view text) {
  const std::string_view part = cut_to_width(text, 40);
  const std::string shown = replace_controls(part, [](std::string_view bytes) {
    std::string out;
    for (const char byte : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    return out;
  });
  return '"' + shown + (part.size() < text.size() ? "...\"" : "\"");
}

std::string name_list(const std::vector<std::string>& names) {
  constexpr std::size_t most = 20;
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i)
    out += (i == 0 ? "" : ", ") + without_controls(names[i]);
  if (names.size() > most) out += fmt::format(", and {} more", names.size() - most);
  return out;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Character c = first_character(text);
    if (!c.valid) return false;
    text.remove_prefix(c.bytes);
  }
  return true;
}

}  // namespace xgrad::inline v0
