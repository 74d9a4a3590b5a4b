#include <xgrad/graph/base/internal/parse_number.hpp>

#include <locale.h>
#include <cctype>
#include <cerrno>
#include <clocale>
#include <cmath>
#include <cstdlib>
#include <string>

namespace xgrad::inline v0 {
namespace {

// A template, so that the call is not compiled where the overload is missing.
template <class T>
std::from_chars_result parse(const char* first, const char* last, T& value) {
  if constexpr (requires { std::from_chars(first, last, value); }) {
    return std::from_chars(first, last, value);
  } else {
    return parse_number_by_strtod(first, last, value);
  }
}

}  // namespace

std::from_chars_result parse_number(const char* first, const char* last, double& value) {
  return parse(first, last, value);
}

std::from_chars_result parse_number_by_strtod(const char* first, const char* last, double& value) {
  std::string text(first, last);
  // strtod also takes white space, a plus sign and hexadecimal digits.
  if (std::isspace(static_cast<unsigned char>(text[0])) != 0 || text[0] == '+')
    return {first, std::errc::invalid_argument};
  const std::size_t sign = text[0] == '-' ? 1 : 0;
  if (text[sign] == '0' && (text[sign + 1] == 'x' || text[sign + 1] == 'X')) text.resize(sign + 1);
  // The global locale may use a decimal comma.
  static const ::locale_t c_locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
  const int before = errno;
  errno = 0;
  char* stop = nullptr;
  const double number = ::strtod_l(text.c_str(), &stop, c_locale);
  const char* end = first + (stop - text.c_str());
  const bool out_of_range = errno == ERANGE && (number == 0 || std::isinf(number));  // denormal results also set ERANGE
  errno = before;
  if (end == first) return {first, std::errc::invalid_argument};
  if (out_of_range) return {end, std::errc::result_out_of_range};
  value = number;
  return {end, std::errc()};
}

}  // namespace xgrad::inline v0
