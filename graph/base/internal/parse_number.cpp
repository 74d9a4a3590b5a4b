#include <xgrad/graph/base/internal/parse_number.hpp>

#include <locale.h>
#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>

namespace xgrad::inline v0 {
namespace {

bool is_digit(char c) { return '0' <= c && c <= '9'; }

const char* skip_digits(const char* at, const char* last) { return std::find_if_not(at, last, is_digit); }

bool skip_word(const char*& at, const char* last, std::string_view word) {
  const bool found = static_cast<std::size_t>(last - at) >= word.size() &&
                     std::equal(word.begin(), word.end(), at, [](char lower, char c) { return (c | 0x20) == lower; });
  if (found) at += word.size();
  return found;
}

// End of the number that starts at `first`; `first` if there is none.
const char* end_of_number(const char* first, const char* last) {
  const char* at = first;
  if (at != last && *at == '-') ++at;
  if (skip_word(at, last, "inf")) {
    skip_word(at, last, "inity");
    return at;
  }
  if (skip_word(at, last, "nan")) {
    if (at == last || *at != '(') return at;
    const char* end = std::find_if_not(
        at + 1, last, [](char c) { return is_digit(c) || ('a' <= (c | 0x20) && (c | 0x20) <= 'z') || c == '_'; });
    return end != last && *end == ')' ? end + 1 : at;
  }
  const char* end = skip_digits(at, last);
  auto digits = end - at;
  if (end != last && *end == '.') {
    const char* after = skip_digits(end + 1, last);
    digits += after - (end + 1);
    end = after;
  }
  if (digits == 0) return first;
  if (end == last || (*end != 'e' && *end != 'E')) return end;
  const char* exponent = end + 1;
  if (exponent != last && (*exponent == '+' || *exponent == '-')) ++exponent;
  const char* after = skip_digits(exponent, last);
  return after == exponent ? end : after;
}

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
  const char* end = end_of_number(first, last);
  if (end == first) return {first, std::errc::invalid_argument};
  // The global locale may use a decimal comma.
  static const ::locale_t c_locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
  const int before = errno;
  errno = 0;
  const double number = ::strtod_l(std::string(first, end).c_str(), nullptr, c_locale);
  const bool out_of_range = errno == ERANGE && (number == 0 || std::isinf(number));  // denormal results also set ERANGE
  errno = before;
  if (out_of_range) return {end, std::errc::result_out_of_range};
  value = number;
  return {end, std::errc()};
}

}  // namespace xgrad::inline v0
