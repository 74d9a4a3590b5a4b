// SVG text building blocks: escaping, text widths, number formats, colors.
#pragma once

#include <array>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace xgrad::inline v0::nn::plots {

// Escapes text for XML 1.0 content and attributes. Invalid UTF-8, control characters and characters that XML does not
// allow become question marks; line breaks and tabs become spaces.
std::string xml_text(std::string_view text);

// Appends formatted text and a line break.
template <class... Args>
void write_line(std::string& out, fmt::format_string<const Args&...> format, const Args&... args) {
  fmt::format_to(std::back_inserter(out), format, args...);
  out += '\n';
}

// A coordinate in pixels with at most one decimal, never "-0".
std::string coordinate(double pixels);

// The approximate width of text in pixels, for a wide font.
double width_of(std::string_view text, double font_size);

// Truncates text to a width in pixels, with an ellipsis.
std::string cut_to(std::string_view text, double pixels, double font_size);

// Wraps text at words to a width in pixels, in at most three lines.
std::vector<std::string> wrapped(std::string_view text, double pixels, double font_size);

// Formats a number with at most `digits` significant digits: "2.5·10⁻⁷", "300", "0.05".
std::string readable(double number, int digits = 3);
// Formats an exponent as superscript: "⁻⁷".
std::string superscript(int exponent);

// ---- colors

// Categorical palette by Okabe and Ito (2008), distinguishable with color blindness, without yellow, which is invisible
// on white. Colors for dark pages are lighter.
constexpr std::size_t palette_size = 7;
struct Shade {
  std::string_view light, dark;
};
extern const std::array<Shade, palette_size> palette;

// The viridis color of a value in [0, 1], such as "#440154".
std::string scale_color(double value);
// Whether black text is more readable than white on the viridis color of a value.
bool wants_black_text(double value);

// The beginning of an SVG file: background, style for dark pages, gradient of the color bar.
std::string svg_begin(double width, double height, std::string_view title);
constexpr std::string_view svg_end = "</svg>\n";

// Attributes of elements whose colors the style of svg_begin() changes on dark pages.
constexpr std::string_view ink = R"(class="ink" fill="#1f2328")";  // titles, names
constexpr std::string_view dim = R"(class="dim" fill="#59636e")";  // numbers on axes
constexpr std::string_view grid_line = R"(class="grid" stroke="#e4e8ec")";
constexpr std::string_view axis_line = R"(class="axis" stroke="#8c959f")";
constexpr std::string_view rule_line = R"(class="rule" stroke="#59636e")";
constexpr std::string_view halo = R"(class="halo" stroke="#ffffff")";  // outline of labels on lines

}  // namespace xgrad::inline v0::nn::plots
