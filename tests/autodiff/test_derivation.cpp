// Derivations: forward and backward pass as formulas with numbers.
#include <algorithm>
#include <regex>
#include <string>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>

#include "support/text.hpp"

using namespace xgrad;
using testing::count;

namespace {

// The number at the end of the line of `name`.
double number_of(const std::string& text, const std::string& name) {
  const std::regex line("\n  " + name + " .*= ([-+.e0-9]+)\n");
  std::smatch found;
  REQUIRE(std::regex_search(text, found, line));
  return std::stod(found[1]);
}

// Checks LaTeX syntax: braces, environments, delimiters and special characters.
void check_latex(const std::string& text) {
  CAPTURE(text);
  int depth = 0;
  bool balanced = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      ++i;  // an escaped character, or the first letter of a command
    } else if (c == '{' || c == '}') {
      depth += c == '{' ? 1 : -1;
      balanced = balanced && depth >= 0;
    } else {
      balanced = balanced && c != '#' && c != '%' && c != '$' && c != '~' && static_cast<unsigned char>(c) < 0x7f &&
                 (c == '\n' || c >= 0x20);
      // Subscripts and superscripts must be groups.
      if (c == '_' || c == '^') balanced = balanced && i + 1 < text.size() && text[i + 1] == '{';
    }
  }
  CHECK(balanced);
  CHECK(depth == 0);
  CHECK(count(text, "\\left(") == count(text, "\\right)"));
  CHECK(text.starts_with("\\begin{aligned}\n"));
  CHECK(text.ends_with("\\end{aligned}\n"));
  const std::regex command("\\\\([a-zA-Z]+)");
  const std::string known =
      " begin end left right operatorname text bar overline frac partial cdot mathit equiv le ge ne land lor lnot "
      "oplus "
      "bmod infty mathrm textbackslash textasciitilde textasciicircum textless textgreater textbar ";
  for (std::sregex_iterator i(text.begin(), text.end(), command), end; i != end; ++i)
    CHECK_MESSAGE(known.find(" " + (*i)[1].str() + " ") != std::string::npos, (*i)[0].str());
}

}  // namespace

TEST_CASE("derivation: the text of a neuron") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {}), w = g.input("w", {}), b = g.input("b", {});
  const Value y = tanh(x * w + b).named("y");
  const Value loss = square(y - 1).named("loss");
  const NodeId size = g.size();
  const Derivation d = derivation(loss, {x, w, b}, {{x, Tensor(2.0)}, {w, Tensor(-3.0)}, {b, Tensor(6.8814)}});
  CHECK(g.size() == size);
  CHECK(d.str() == R"(forward
  x     = 2
  w     = -3
  b     = 6.881
  v1    = x * w                 = 2 * -3                          = -6
  v2    = v1 + b                = -6 + 6.881                      = 0.8814
  y     = tanh(v2)              = tanh(0.8814)                    = 0.7071
  v3    = y - 1                 = 0.7071 - 1                      = -0.2929
  loss  = square(v3)            = square(-0.2929)                 = 0.08578
backward: dv is the derivative of loss with respect to v
  dloss = 1
  dv3   = dloss * (2 * v3)      = 1 * (2 * -0.2929)               = -0.5858
  dy    = dv3                                                     = -0.5858
  dv2   = dy * (1 - square(y))  = -0.5858 * (1 - square(0.7071))  = -0.2929
  dv1   = dv2                                                     = -0.2929
  db    = dv2                                                     = -0.2929
  dw    = dv1 * x               = -0.2929 * 2                     = -0.5857
  dx    = dv1 * w               = -0.2929 * -3                    = 0.8786
)");
  CHECK(count(d.latex(), R"(\bar{v}_{2} &= \bar{y} \cdot \left(1 - \operatorname{square}\left(y\right)\right))") == 1);
  CHECK(count(d.latex(), R"(= -0.2929 \cdot \left(-3\right) &&= 0.8786 \\)") == 1);
  check_latex(d.latex());
}

TEST_CASE("derivation: contributions of several users are added") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {});
  const Value loss = (sin(x) * x + exp(x) / x).named("y");
  const Feeds feeds{{x, Tensor(0.7)}};
  const Derivation d = derivation(loss, {x}, feeds);
  CAPTURE(d.str());
  CHECK(number_of(d.str(), "dx") == doctest::Approx(evaluate(gradients(loss, x), feeds).item()).epsilon(1e-3));
  CHECK(count(d.str(), "\n  dx ") == 1);
  check_latex(d.latex());
}

TEST_CASE("derivation: only gradient paths to wrt are listed, and names are short") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2, 2});
  const Parameter w("dense/kernel", Tensor::from<double>({2, 2}, {1, 2, 3, 4})), b("dense/bias", Tensor({2}, f64));
  Value h;
  {
    const auto scope = g.scope("dense");
    h = relu(matmul(x, g.parameter(w)) + g.parameter(b));
  }
  const Value loss = sum(h, {0, 1});
  const Feeds feeds{{x, Tensor::from<double>({2, 2}, {1, 0, -1, 0.5})}};
  const Derivation d = derivation(loss, {g.parameter(w)}, feeds);
  CAPTURE(d.str());
  CHECK(count(d.str(), "\n  dkernel") == 1);
  CHECK(count(d.str(), "\n  dbias") == 0);
  CHECK(count(d.str(), "\n  dx") == 0);
  CHECK(count(d.str(), "transpose_b=false") == 0);
  CHECK(count(d.str(), "matmul(x, kernel)") == 1);
  CHECK(count(d.str(), "\n  kernel  = [[1, 2], [3, 4]]") == 1);
  check_latex(d.latex());
}

TEST_CASE("derivation: large tensors are shown by type and norm") {
  Graph g;
  const Value x = g.input("x", {3, 4});
  const Derivation d = derivation(sum(square(x)), {x}, {{x, Tensor::full({3, 4}, 1)}});
  CHECK(count(d.str(), "\n  x   = f32[3, 4], norm 3.464") == 1);
  check_latex(d.latex());
}

TEST_CASE("derivation: names are escaped, and equal names made distinct") {
  for (const std::string name :
       {"a b", "x_1", "{", "}", "\\", "%", "$#&~^", "\xce\xbb", "\n", "v1", "dx", "t1", "d\"", "-3"}) {
    CAPTURE(name);
    Graph g({.dtype = f64});
    const Value x = g.input("x", {});
    const Value y = g.input(name, {});
    const Value loss = (sin(x * y) + exp(x * y)).named(name);
    const Derivation d = derivation(loss, {x, y}, {{x, Tensor(0.5)}, {y, Tensor(-0.25)}});
    check_latex(d.latex());
    // Each name is defined once.
    std::vector<std::string> names;
    const std::regex line("\n  (.*?) += ");
    const std::string text = d.str();
    CHECK(count(text, "\n") > 8);
    for (std::sregex_iterator i(text.begin(), text.end(), line), end; i != end; ++i) names.push_back((*i)[1]);
    std::sort(names.begin(), names.end());
    CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  }
}

TEST_CASE("derivation: missing derivatives throw, and leave the graph unchanged") {
  Graph g;
  const Value x = g.input("x", {2}), y = g.input("y", {});
  const Value loss = sum(x);
  const NodeId size = g.size();
  CHECK_THROWS_AS(derivation(Value(), {x}), GraphError);
  CHECK_THROWS_AS(derivation(x, {x}), GradientError);
  CHECK_THROWS_AS(derivation(loss, {y}), GradientError);
  CHECK_THROWS_AS(derivation(loss, {x}), FeedError);
  CHECK(g.size() == size);
}
