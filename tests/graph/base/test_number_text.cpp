#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/nn/training/history.hpp>

using namespace xgrad;

TEST_CASE("number_text: NaN is printed without a sign, infinity with its sign") {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double x : {nan, std::copysign(nan, -1)}) {
    CHECK(number_text(x) == "nan");
    CHECK(number_text(x, 0) == "nan");
    CHECK_FALSE(std::signbit(printable(x)));
  }
  CHECK(number_text(inf) == "inf");
  CHECK(number_text(-inf, 3) == "-inf");
  CHECK(std::signbit(printable(-0.0)));
}

TEST_CASE("number_text: prints the given number of digits, or the shortest text that parses back") {
  CHECK(number_text(1.0 / 3) == "0.333333");
  CHECK(number_text(1.0 / 3, 3) == "0.333");
  CHECK(number_text(0.1, 0) == "0.1");
  CHECK(number_text(1.0 / 3, 0) == "0.3333333333333333");
}

TEST_CASE("number_text: a NaN loss is reported without a sign") {
  nn::Logs logs;
  logs.add("loss", -std::numeric_limits<double>::quiet_NaN());
  logs.add("accuracy", 0.5);
  CHECK(logs.str() == "loss: nan - accuracy: 0.5000");
}
