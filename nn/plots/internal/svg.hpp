// Pieces of SVG text.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad::inline v0::nn::plots {

// Text as it may stand in XML 1.0, between tags and in attributes: markup escaped, whatever is no UTF-8, a control
// character or not allowed in XML replaced by a question mark, line breaks and tabs by blanks.
std::string xml_text(std::string_view text);

// A coordinate in pixels: one decimal at most, and never "-0".
std::string coordinate(double pixels);

// About how wide text is in pixels. Fonts differ; this is nearer to the wide ones.
double width_of(std::string_view text, double font_size);

// The longest beginning that is no wider, with three dots if something is left out.
std::string cut_to(std::string_view text, double pixels, double font_size);

// Broken between words into lines no wider than that, three lines at most.
std::vector<std::string> wrapped(std::string_view text, double pixels, double font_size);

// "2.5·10⁻⁷", "300", "0.05": a number as people write it, with so many significant digits at most.
std::string readable(double number, int digits = 3);
// The digits of an exponent: "⁻⁷".
std::string superscript(int exponent);

// ---- colors

// Of things with names: after Okabe and Ito (2008), whose colors people with any kind of color blindness can tell
// apart, without their yellow, which is not seen on white. On dark pages they are lighter.
constexpr std::size_t palette_size = 7;
struct Shade {
  std::string_view light, dark;
};
extern const std::array<Shade, palette_size> palette;

// Of numbers from 0 to 1: viridis, which gets lighter evenly, as "#440154".
std::string scale_color(double share);
// Whether black is read better than white on that color of the scale.
bool wants_black_text(double share);

// The beginning of a picture, up to what is drawn: page, style for dark pages, the scale of colors.
std::string svg_begin(double width, double height, std::string_view title);
constexpr std::string_view svg_end = "</svg>\n";

// Colors that svg_begin()'s style changes on dark pages: attributes for elements and groups.
constexpr std::string_view ink = R"(class="ink" fill="#1f2328")";  // titles, names
constexpr std::string_view dim = R"(class="dim" fill="#59636e")";  // numbers on axes
constexpr std::string_view grid_line = R"(class="grid" stroke="#e4e8ec")";
constexpr std::string_view axis_line = R"(class="axis" stroke="#8c959f")";
constexpr std::string_view rule_line = R"(class="rule" stroke="#59636e")";
constexpr std::string_view halo = R"(class="halo" stroke="#ffffff")";  // round letters on lines

}  // namespace xgrad::inline v0::nn::plots
