#include <xgrad/graph/base/internal/number_text.hpp>

#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace xgrad::inline v0 {

double printable(double number) { return std::isnan(number) ? std::numeric_limits<double>::quiet_NaN() : number; }

std::string number_text(double number, int digits) {
  return digits > 0 ? fmt::format("{:.{}g}", printable(number), digits) : fmt::format("{}", printable(number));
}

std::string memory_text(std::size_t bytes) {
  const double kib = static_cast<double>(bytes) / 1024;
  if (kib < 1) return fmt::format("{} bytes", bytes);
  return kib < 1024 ? fmt::format("{:.1f} KiB", kib) : fmt::format("{:.1f} MiB", kib / 1024);
}

std::string thousands(std::uint64_t n) {
  std::string digits = fmt::format("{}", n);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

}  // namespace xgrad::inline v0
