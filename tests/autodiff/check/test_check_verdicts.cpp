// The three verdicts of the gradient checker: right, wrong, and not judged, with faults where finite differences are
// inaccurate: near poles and edges of domains, next to large values, and in second order.
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/check/check_table.hpp>
#include <xgrad/autodiff/custom_gradient.hpp>
#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/ops.hpp>

using namespace xgrad;

namespace {

using Function = Value (*)(Value);

Tensor row(const std::vector<double>& numbers) {
  Tensor out({static_cast<Index>(numbers.size())}, f64);
  for (std::size_t i = 0; i < numbers.size(); ++i) out.mutable_values<double>()[i] = numbers[i];
  return out;
}

CheckReport check_at(Function f, const std::vector<double>& at, const CheckOptions& options = {}) {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {static_cast<Index>(at.size())});
  return compare_gradients(sum(f(x)), {x}, {{x, row(at)}}, options);
}

// A function of one value and its derivative times a factor, which is 1 if correct. `bend` keeps the first derivative
// correct and makes the second wrong.
struct Rule {
  const char* name;
  Function f;
  Function derivative;
};

Value with_rule(const Rule& rule, Value x, double factor, double bend) {
  return custom_gradient(
      rule.name, {x}, [&rule](const std::vector<Value>& in) { return rule.f(in[0]); },
      [&rule, factor, bend](const std::vector<Value>& in, Value, Value c) {
        const Value slope = rule.derivative(in[0]);
        const Value held = stop_gradient(slope);
        return std::vector<Value>{c * factor * (slope + bend * (slope - held))};
      });
}

CheckReport check_rule(const Rule& rule, const std::vector<double>& at, double factor, double bend,
                       const CheckOptions& options) {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {static_cast<Index>(at.size())});
  return compare_gradients(sum(with_rule(rule, x, factor, bend)), {x}, {{x, row(at)}}, options);
}

const std::vector<Rule> rules{
    {"log", [](Value x) { return log(x); }, [](Value x) { return 1 / x; }},
    {"sqrt", [](Value x) { return sqrt(x); }, [](Value x) { return 0.5 / sqrt(x); }},
    {"reciprocal", [](Value x) { return 1 / x; }, [](Value x) { return -1 / square(x); }},
    {"log1p of -x", [](Value x) { return log1p(-x); }, [](Value x) { return -1 / (1 - x); }},
    {"tan", [](Value x) { return tan(x); }, [](Value x) { return 1 + square(tan(x)); }},
    {"lgamma", [](Value x) { return lgamma(x); }, [](Value x) { return digamma(x); }},
    {"exp", [](Value x) { return exp(x); }, [](Value x) { return exp(x); }},
    {"square", [](Value x) { return square(x); }, [](Value x) { return 2 * x; }},
    {"cube", [](Value x) { return x * square(x); }, [](Value x) { return 3 * square(x); }},
};

const Rule& rule_of(const std::string& name) {
  for (const Rule& rule : rules) {
    if (name == rule.name) return rule;
  }
  throw std::logic_error("unknown rule " + name);
}

// Points where a rule is hard to check. Every element must be judged.
struct Place {
  const char* rule;
  std::vector<double> at;
};
const std::vector<Place> places{{"log", {1e-4, 5e-4, 1e-3, 2e-3, 3e-3, 1}},
                                {"log", {1e-10, 1}},
                                {"sqrt", {1e-8, 1e-3, 2}},
                                {"reciprocal", {1e-3, -2e-3, 1e-5}},
                                {"log1p of -x", {1 - 1e-4, 1 - 1e-6, 0.999}},
                                {"tan", {std::numbers::pi / 2 - 1e-3, std::numbers::pi / 2 - 1e-5}},
                                {"lgamma", {1e-3, -1 + 1e-3, -2.001}},
                                {"exp", {0, 100}},
                                {"exp", {-3, 0.5, 300}},
                                {"square", {1e20, 1}},
                                {"square", {1e-3, 1e20, -1e10}},
                                {"cube", {1e20, 1, 0.1}}};

}  // namespace

TEST_CASE("check: correct rules are right near poles and next to large values") {
  for (const Place& place : places) {
    CAPTURE(place.rule);
    const CheckReport report = check_rule(rule_of(place.rule), place.at, 1, 0, {});
    CHECK_MESSAGE(report.passed, report.str());
    CHECK(report.comparisons == static_cast<Index>(2 * place.at.size()));
    CHECK(report.not_judged.empty());
  }
}

TEST_CASE("check: finds errors of 0.1% near poles and next to large values") {
  for (const Place& place : places) {
    CAPTURE(place.rule);
    for (const double factor : {1.001, 0.999, 7.0, -1.0}) {
      CAPTURE(factor);
      const CheckReport report = check_rule(rule_of(place.rule), place.at, factor, 0, {.order = 1});
      CHECK_FALSE(report.passed);
      CHECK_MESSAGE(report.failures.size() == place.at.size(), report.str());
    }
  }
}

TEST_CASE("check: finds wrong second derivatives near poles and next to large values") {
  for (const Place& place : places) {
    CAPTURE(place.rule);
    for (const double bend : {0.001, -1.0}) {
      CAPTURE(bend);
      CHECK(check_rule(rule_of(place.rule), place.at, 1, bend, {.order = 1}).passed);
      const CheckReport report = check_rule(rule_of(place.rule), place.at, 1, bend, {});
      CHECK_FALSE(report.passed);
      CHECK_MESSAGE(report.failures.size() == place.at.size(), report.str());
      for (const CheckFinding& f : report.failures) CHECK(f.order == 2);
    }
  }
}

TEST_CASE("check: finds one wrong element near a pole among many") {
  std::vector<double> at(64, 1.0);
  at[17] = 1e-3;
  const CheckReport right = check_rule(rule_of("log"), at, 1, 0, {});
  CHECK_MESSAGE(right.passed, right.str());
  Graph g({.dtype = f64});
  const Value x = g.input("x", {64});
  const Value y = sum(custom_gradient(
      "log", {x}, [](const std::vector<Value>& in) { return log(in[0]); },
      [](const std::vector<Value>& in, Value, Value c) {
        return std::vector<Value>{c / in[0] * where(in[0] < 0.5, 1.001 * ones_like(in[0]), 1)};
      }));
  const CheckReport wrong = compare_gradients(y, {x}, {{x, row(at)}}, {.order = 1});
  REQUIRE(wrong.failures.size() == 1);
  CHECK(wrong.failures[0].element == 17);
}

TEST_CASE("check: a direction perturbs each element relative to its magnitude") {
  std::vector<double> at(200, 1.0);
  at[3] = 1e20;
  at[4] = 1e-6;
  for (const char* name : {"square", "cube"}) {
    CAPTURE(name);
    const CheckReport report = check_rule(rule_of(name), at, 1, 0, {.max_elements = 0});
    CHECK_MESSAGE(report.passed, report.str());
    CHECK_FALSE(check_rule(rule_of(name), at, 1.001, 0, {.order = 1, .max_elements = 0}).passed);
  }
}

TEST_CASE("check: a derivative hidden by rounding is not judged") {
  const auto shifted = [](double slope) {
    Graph g({.dtype = f64});
    const Value x = g.input("x", {2});
    const Value y = custom_gradient(
        "shifted", {x}, [](const std::vector<Value>& in) { return square(in[0] + 1e20) * 1e-20; },
        [slope](const std::vector<Value>&, Value, Value c) { return std::vector<Value>{c * slope}; });
    return compare_gradients(y, {x}, {{x, row({1, 2})}}, {.order = 1, .allow_zero = true});
  };
  for (const double slope : {2.0, 2.002, 0.0}) {
    CAPTURE(slope);
    const CheckReport report = shifted(slope);
    CHECK_FALSE(report.passed);
    CHECK(report.failures.empty());
    CHECK(report.not_judged.size() == 2);
    for (const CheckFinding& f : report.not_judged) {
      CHECK(f.verdict == Verdict::not_judged);
      CHECK(f.reason.find("rounding hides the difference") == 0);
    }
    CHECK(report.str().find("2 of 2 comparisons (0 right, 0 wrong, 2 not judged)") != std::string::npos);
  }
}

TEST_CASE("check: not judged fails unless allow_not_judged is set") {
  const Function f = [](Value x) { return sqrt(x); };  // at 0 it has no derivative
  const CheckReport strict = check_at(f, {0, 1}, {.order = 1});
  CHECK_FALSE(strict.passed);
  CHECK(strict.failures.empty());
  REQUIRE(strict.not_judged.size() == 1);
  CHECK(strict.not_judged[0].element == 0);
  CHECK(strict.counts() == "1 right, 0 wrong, 1 not judged");
  CHECK(strict.str().find("some derivatives are not judged, which allow_not_judged would accept: 1 of 2 "
                          "comparisons (1 right, 0 wrong, 1 not judged)\n  order 1, wrt ") != std::string::npos);
  CHECK(strict.str().find(": not judged: the analytic derivative is inf") != std::string::npos);
  const CheckReport lenient = check_at(f, {0, 1}, {.order = 1, .allow_not_judged = true});
  CHECK(lenient.passed);
  CHECK(lenient.not_judged.size() == 1);
  CHECK(lenient.str().find("passed 2 comparisons (1 right, 0 wrong, 1 not judged)") != std::string::npos);
  CHECK(lenient.str().find(": not judged: ") != std::string::npos);
  // A wrong derivative still fails.
  CHECK_FALSE(check_rule(rule_of("sqrt"), {0, 1}, 1.001, 0, {.order = 1, .allow_not_judged = true}).passed);
}

TEST_CASE("check: a function that is finite only at the point is not judged") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {1});
  const Value y = sum(where(equal(x, 1), x, std::numeric_limits<double>::quiet_NaN()));
  const CheckReport report = compare_gradients(y, {x}, {{x, row({1})}}, {.order = 1});
  CHECK_FALSE(report.passed);
  REQUIRE(report.not_judged.size() == 1);
  CHECK(report.not_judged[0].reason.find("the function is not finite, or throws, around the point") == 0);
}

TEST_CASE("check: a function that oscillates at every scale is not judged") {
  // It oscillates between 1 and 1 + 1e-15 too, so no step is small enough.
  Graph g({.dtype = f64});
  const Value x = g.input("x", {1});
  const Value y = sum(custom_gradient(
      "wild", {x}, [](const std::vector<Value>& in) { return sin(1e17 * in[0]); },
      [](const std::vector<Value>& in, Value, Value c) { return std::vector<Value>{c * 1e17 * cos(1e17 * in[0])}; }));
  const CheckReport report = compare_gradients(y, {x}, {{x, row({1.1})}}, {.order = 1});
  CHECK_FALSE(report.passed);
  CHECK(report.failures.empty());
  CHECK(report.not_judged.size() == 1);
}

TEST_CASE("check: accept_kinks does not accept a pole within the precision of x") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {1});
  const auto with_slope = [&](double factor) {
    return sum(custom_gradient(
        "pole", {x}, [](const std::vector<Value>& in) { return 1 / (in[0] - 1); },
        [factor](const std::vector<Value>& in, Value, Value c) {
          return std::vector<Value>{-factor * c / square(in[0] - 1)};
        }));
  };
  for (const double factor : {1.0, 7.0}) {
    const CheckReport report =
        compare_gradients(with_slope(factor), {x}, {{x, row({1 + 0x1p-48})}}, {.order = 1, .accept_kinks = true});
    CHECK_FALSE(report.passed);
    CHECK(report.not_judged.size() == 1);
  }
}

TEST_CASE("check: an infinite analytic derivative of a smooth function is wrong") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const double slope : {inf, -inf, std::numeric_limits<double>::quiet_NaN()}) {
    Graph g({.dtype = f64});
    const Value x = g.input("x", {1});
    const Value y = sum(custom_gradient(
        "sine", {x}, [](const std::vector<Value>& in) { return sin(in[0]); },
        [slope](const std::vector<Value>& in, Value, Value c) { return std::vector<Value>{c * slope + in[0] * 0}; }));
    const CheckReport report = compare_gradients(y, {x}, {{x, row({1})}}, {.order = 1});
    CHECK_FALSE(report.passed);
    CHECK(report.failures.size() == 1);
  }
}

TEST_CASE("check: finds a kink much nearer than the first step") {
  // With a step of 1e-3, |x| looks constant at 1e-12.
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2});
  const auto with_slope = [&](double slope) {
    return sum(custom_gradient(
        "size", {x}, [](const std::vector<Value>& in) { return abs(in[0]); },
        [slope](const std::vector<Value>& in, Value, Value c) { return std::vector<Value>{c * slope * sign(in[0])}; }));
  };
  const Feeds feeds{{x, row({1e-12, -1e-12})}};
  CHECK(compare_gradients(with_slope(1), {x}, feeds, {.order = 1}).passed);
  const CheckReport wrong = compare_gradients(with_slope(0), {x}, feeds, {.order = 1, .allow_zero = true});
  CHECK_FALSE(wrong.passed);
  CHECK(wrong.failures.size() == 2);
}

TEST_CASE("check: sums do not hide small terms") {
  const std::vector<Function> sums{[](Value x) { return sum(exp(x)); }, [](Value x) { return mean(exp(x)); },
                                   [](Value x) { return -(sum(exp(x)) * 0.5 - 3) / 7 + 1e30; },
                                   [](Value x) {
                                     return sum(reshape(exp(x), {1, 2}) + exp(x));
                                   }};
  for (std::size_t i = 0; i < sums.size(); ++i) {
    CAPTURE(i);
    Graph g({.dtype = f64});
    const Value x = g.input("x", {2});
    const CheckReport report = compare_gradients(sums[i](x), {x}, {{x, row({0, 100})}});
    CHECK_MESSAGE(report.passed, report.str());
  }
}

TEST_CASE("check: the table shows the three verdicts") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2});
  const Value y = sum(sqrt(x)).named("y");
  const CheckTable strict = check_graph(y, {x}, {{x, row({0, 1})}}, {.order = 1});
  CHECK_FALSE(strict.passed());
  CHECK(strict.str().find("NOT JUDGED") != std::string::npos);
  CHECK(strict.str().find("right, 0 wrong, 2 not judged): 2 of 3 rows are NOT JUDGED") != std::string::npos);
  const CheckTable lenient = check_graph(y, {x}, {{x, row({0, 1})}}, {.order = 1, .allow_not_judged = true});
  CHECK(lenient.passed());
  CHECK(lenient.str().find("not judged") != std::string::npos);
  CHECK(lenient.str().find("all agree") == std::string::npos);
}
