#include <xgrad/graph/number_text.hpp>

#include <cmath>

#include <fmt/format.h>

namespace xgrad {

std::string number_text(double number, int digits) {
  if (std::isnan(number)) return "nan";
  return digits > 0 ? fmt::format("{:.{}g}", number, digits) : fmt::format("{}", number);
}

}  // namespace xgrad
