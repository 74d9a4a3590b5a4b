#include <xgrad/graph/base/internal/number_text.hpp>

#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace xgrad::inline v0 {

double printable(double number) { return std::isnan(number) ? std::numeric_limits<double>::quiet_NaN() : number; }

std::string number_text(double number, int digits) {
  return digits > 0 ? fmt::format("{:.{}g}", printable(number), digits) : fmt::format("{}", printable(number));
}

}  // namespace xgrad::inline v0
