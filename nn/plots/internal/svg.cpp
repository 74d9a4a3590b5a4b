#include <xgrad/nn/plots/internal/svg.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/internal/text_width.hpp>

namespace xgrad::inline v0::nn::plots {
namespace {

// The first character of the text. Each byte of an invalid sequence is one character, of code 0.
Utf8Character first_of(std::string_view text) {
  const Utf8Character c = first_character(text);
  return c.valid ? c : Utf8Character{0, 1, false};
}

bool is_allowed(char32_t code) {
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  // Exclude characters that change the direction of the following text.
  const bool direction = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return !control && !direction && (code & 0xFFFEU) != 0xFFFE;
}

// The width of a character relative to the font size.
double width_of(char32_t code) {
  if (code >= 0x1100 && (code < 0x2000 || code >= 0x2E80)) return 1.05;
  if (std::u32string_view(U"iljtfrI.,:;|!'()[] ·").find(code) != std::u32string_view::npos) return 0.36;
  if (std::u32string_view(U"mwMW%@").find(code) != std::u32string_view::npos) return 0.92;
  return code >= 'A' && code <= 'Z' ? 0.68 : 0.59;
}

struct Rgb {
  double r, g, b;
};
constexpr Rgb viridis[] = {{0x44, 0x01, 0x54}, {0x47, 0x2D, 0x7B}, {0x3B, 0x52, 0x8B},
                           {0x2C, 0x72, 0x8E}, {0x21, 0x91, 0x8C}, {0x28, 0xAE, 0x80},
                           {0x5E, 0xC9, 0x62}, {0xAD, 0xDC, 0x30}, {0xFD, 0xE7, 0x25}};
constexpr std::size_t viridis_steps = std::size(viridis) - 1;

Rgb viridis_at(double value) {
  const double at = std::clamp(value, 0.0, 1.0) * static_cast<double>(viridis_steps);
  const std::size_t i = std::min(static_cast<std::size_t>(at), viridis_steps - 1);
  const double t = at - static_cast<double>(i);
  const Rgb &a = viridis[i], &b = viridis[i + 1];
  return {a.r + t * (b.r - a.r), a.g + t * (b.g - a.g), a.b + t * (b.b - a.b)};
}

constexpr std::string_view minus = "\u2212";

}  // namespace

const std::array<Shade, palette_size> palette{{{"#0072b2", "#4aa3e8"},
                                               {"#d55e00", "#f57f3a"},
                                               {"#009e73", "#2fc79b"},
                                               {"#cc79a7", "#e29ac4"},
                                               {"#e69f00", "#f2bd45"},
                                               {"#56b4e9", "#a5dcff"},
                                               {"#4d5560", "#c9d1d9"}}};

std::string xml_text(std::string_view text) {
  constexpr std::pair<char32_t, std::string_view> escapes[] = {{'&', "&amp;"},  {'<', "&lt;"},   {'>', "&gt;"},
                                                               {'"', "&quot;"}, {'\'', "&#39;"}, {'\n', " "},
                                                               {'\r', " "},     {'\t', " "}};
  std::string out;
  while (!text.empty()) {
    const Utf8Character c = first_of(text);
    const auto* escape =
        std::find_if(std::begin(escapes), std::end(escapes), [&](const auto& e) { return e.first == c.code; });
    if (escape != std::end(escapes))
      out += escape->second;
    else
      out += is_allowed(c.code) ? text.substr(0, c.bytes) : "?";
    text.remove_prefix(c.bytes);
  }
  return out;
}

std::string coordinate(double pixels) {
  const double tenths = std::round(pixels * 10);
  if (tenths == 0) return "0";
  std::string out = fmt::format("{:.1f}", tenths / 10);
  if (out.ends_with(".0")) out.resize(out.size() - 2);
  return out;
}

double width_of(std::string_view text, double font_size) {
  double width = 0;
  while (!text.empty()) {
    const Utf8Character c = first_of(text);
    width += width_of(c.code);
    text.remove_prefix(c.bytes);
  }
  return width * font_size;
}

std::string cut_to(std::string_view text, double pixels, double font_size) {
  if (width_of(text, font_size) <= pixels) return std::string(text);
  constexpr std::string_view dots = "\u2026";
  double width = width_of(dots, font_size);
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const Utf8Character c = first_of(text.substr(bytes));
    width += width_of(c.code) * font_size;
    if (width > pixels) break;
    bytes += c.bytes;
  }
  return std::string(text.substr(0, bytes)).append(dots);
}

std::vector<std::string> wrapped(std::string_view text, double pixels, double font_size) {
  std::vector<std::string> lines;
  while (!text.empty() && lines.size() < 2 && width_of(text, font_size) > pixels) {
    std::size_t end = 0;
    for (std::size_t blank = text.find(' '); blank != std::string_view::npos; blank = text.find(' ', blank + 1)) {
      if (width_of(text.substr(0, blank), font_size) > pixels) break;
      end = blank;
    }
    if (end == 0) break;
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  if (!text.empty()) lines.push_back(cut_to(text, pixels, font_size));
  return lines;
}

std::string superscript(int exponent) {
  constexpr std::string_view digits[] = {"\u2070", "\u00b9", "\u00b2", "\u00b3", "\u2074",
                                         "\u2075", "\u2076", "\u2077", "\u2078", "\u2079"};
  std::string out;
  for (const char c : std::to_string(std::abs(exponent))) out += digits[c - '0'];
  return exponent < 0 ? "\u207b" + out : out;
}

std::string readable(double number, int digits) {
  if (number == 0) return "0";
  // Round first: 9.9996 with three digits is 10.0.
  const std::string rounded = fmt::format("{:.{}e}", std::abs(number), digits - 1);
  const std::size_t e = rounded.find('e');
  const int exponent = std::atoi(rounded.c_str() + e + 1);
  const auto trimmed = [](std::string text) {
    if (text.find('.') == std::string::npos) return text;
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
  };
  std::string out(number < 0 ? minus : "");
  if (exponent >= -4 && exponent < 6)
    return out + trimmed(fmt::format("{:.{}f}", std::abs(number), std::max(0, digits - 1 - exponent)));
  const std::string mantissa = trimmed(rounded.substr(0, e));
  return out + (mantissa == "1" ? "10" : mantissa + "\u00b710") + superscript(exponent);
}

std::string scale_color(double value) {
  const Rgb c = viridis_at(value);
  return fmt::format("#{:02x}{:02x}{:02x}", std::lround(c.r), std::lround(c.g), std::lround(c.b));
}

bool wants_black_text(double value) {
  const Rgb c = viridis_at(value);
  return 0.299 * c.r + 0.587 * c.g + 0.114 * c.b > 130;
}

std::string svg_begin(double width, double height, std::string_view title) {
  std::string out = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" )"
      R"(font-family="system-ui, 'Segoe UI', Roboto, Helvetica, Arial, 'DejaVu Sans', sans-serif">)"
      "\n",
      coordinate(width), coordinate(height));
  if (!title.empty()) out += fmt::format("<title>{}</title>\n", xml_text(title));
  // Viewers without support for media queries use the attributes, which have the light colors.
  out +=
      "<style>@media (prefers-color-scheme:dark){.page{fill:#0d1117}.ink{fill:#e6edf3}.dim{fill:#a3adb8}"
      ".grid{stroke:#21262d}.axis{stroke:#6e7681}.rule{stroke:#a3adb8}.halo{stroke:#0d1117}.level{stroke:#9fb3c8}";
  for (std::size_t i = 0; i < palette.size(); ++i) out += fmt::format(".c{}{{color:{}}}", i, palette[i].dark);
  out += "}</style>\n<defs><linearGradient id=\"xgrad-scale\" x1=\"0\" y1=\"1\" x2=\"0\" y2=\"0\">";
  for (std::size_t i = 0; i <= viridis_steps; ++i) {
    const double value = static_cast<double>(i) / static_cast<double>(viridis_steps);
    out += fmt::format(R"(<stop offset="{}" stop-color="{}"/>)", value, scale_color(value));
  }
  out += "</linearGradient></defs>\n<rect class=\"page\" width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
  return out;
}

}  // namespace xgrad::inline v0::nn::plots
