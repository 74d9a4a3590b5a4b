// Compares both implementations with each other and with known values.
#include <bit>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include <doctest/doctest.h>

#include <xgrad/graph/base/internal/parse_number.hpp>

using namespace xgrad;

namespace {

struct Parsed {
  std::ptrdiff_t length = 0;
  std::errc error{};
  double value = -7;  // initial value, kept on failure
};

template <class Parse>
Parsed parsed(Parse parse, const std::string& text) {
  Parsed out;
  const auto [end, error] = parse(text.data(), text.data() + text.size(), out.value);
  out.length = end - text.data();
  out.error = error;
  return out;
}

struct Case {
  const char* text;
  std::ptrdiff_t length;
  double value;
};

}  // namespace

TEST_CASE("parse_number: accepts and stops like std::from_chars") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto parse : {parse_number, parse_number_by_strtod}) {
    for (const Case& c :
         {Case{"1", 1, 1}, Case{"-2.5e3,", 6, -2500}, Case{".5", 2, 0.5}, Case{"5.", 2, 5}, Case{"1e", 1, 1},
          Case{"1e+", 1, 1}, Case{"1E-2x", 4, 0.01}, Case{"0x10", 1, 0}, Case{"1,5", 1, 1}, Case{"-0", 2, -0.0},
          Case{"inf", 3, infinity}, Case{"-INFINITY", 9, -infinity}, Case{"infinit", 3, infinity},
          Case{"4.9406564584124654e-324", 23, 5e-324}, Case{"1.7976931348623157e308", 22, 1.7976931348623157e308},
          Case{"1.2.3", 3, 1.2}}) {
      CAPTURE(c.text);
      const Parsed got = parsed(parse, c.text);
      CHECK(got.error == std::errc());
      CHECK(got.length == c.length);
      CHECK(std::bit_cast<std::uint64_t>(got.value) == std::bit_cast<std::uint64_t>(c.value));
    }
    for (const Case& c : {Case{"nan", 3, 0}, Case{"-NaN", 4, 0}, Case{"nan(a_1)b", 8, 0}, Case{"nan(", 3, 0}}) {
      CAPTURE(c.text);
      const Parsed got = parsed(parse, c.text);
      CHECK(got.error == std::errc());
      CHECK(got.length == c.length);
      CHECK(std::isnan(got.value));
    }
    for (const char* text : {"", "-", "+1", " 1", ".", "e5", "-.e1", "x", "--1", "in"}) {
      CAPTURE(text);
      const Parsed got = parsed(parse, text);
      CHECK(got.error == std::errc::invalid_argument);
      CHECK(got.length == 0);
      CHECK(got.value == -7);
    }
    for (const char* text : {"1e400", "-1e400"}) {
      CAPTURE(text);
      const Parsed got = parsed(parse, text);
      CHECK(got.error == std::errc::result_out_of_range);
      CHECK(got.length == std::ptrdiff_t(std::string(text).size()));
      CHECK(got.value == -7);
    }
  }
}

TEST_CASE("parse_number: both implementations are bit-identical for random values of all magnitudes") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const double number = std::bit_cast<double>(random());
    if (!std::isfinite(number)) continue;
    char text[64];
    const int digits = 1 + static_cast<int>(random() % 20);
    std::snprintf(text, sizeof text, "%.*g", digits, number);
    const Parsed a = parsed(parse_number, text), b = parsed(parse_number_by_strtod, text);
    CAPTURE(text);
    CHECK(a.length == b.length);
    CHECK(a.error == b.error);
    CHECK(std::bit_cast<std::uint64_t>(a.value) == std::bit_cast<std::uint64_t>(b.value));
  }
}

TEST_CASE("parse_number: the result does not depend on the locale") {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C"}) {
    if (std::setlocale(LC_NUMERIC, name) == nullptr) continue;
    CAPTURE(name);
    CHECK(parsed(parse_number_by_strtod, "1.5").value == 1.5);
    CHECK(parsed(parse_number_by_strtod, "1,5").value == 1);
    break;
  }
  std::setlocale(LC_NUMERIC, before.c_str());
}
