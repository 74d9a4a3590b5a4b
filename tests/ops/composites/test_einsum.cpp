// matmul, diagonals and einsum against results computed by hand; einsum also against a reference loop over all labels.
#include <algorithm>
#include <map>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/plan.hpp>

#include "support/dice.hpp"
#include "support/known_answers.hpp"

using namespace xgrad;
using testing::check_answer;
using testing::counting;
using testing::Dice;
using testing::numbers;

namespace {

// The definition: sums the product of the operands over every combination of index values.
Tensor naive_einsum(const std::vector<std::string>& terms, const std::string& result,
                    const std::vector<Tensor>& operands) {
  std::map<char, Index> extents;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    for (std::size_t axis = 0; axis < terms[i].size(); ++axis) {
      const Index extent = operands[i].shape()[static_cast<int>(axis)];
      const auto known = extents.emplace(terms[i][axis], extent).first;
      if (known->second == 1) known->second = extent;
    }
  }
  Index total = 1;
  for (const auto& [letter, extent] : extents) total *= extent;
  Shape shape;
  for (const char letter : result) shape.push_back(extents.at(letter));
  Tensor out(shape, f64);
  for (Index i = 0; i < total; ++i) {
    std::map<char, Index> at;
    Index rest = i;
    for (const auto& [letter, extent] : extents) {
      at[letter] = rest % extent;
      rest /= extent;
    }
    const auto flat = [&](const std::string& term, const Shape& s) {
      Index sum = 0;
      for (std::size_t axis = 0; axis < term.size(); ++axis) {
        const Index extent = s[static_cast<int>(axis)];
        sum = sum * extent + (extent == 1 ? 0 : at[term[axis]]);
      }
      return static_cast<std::size_t>(sum);
    };
    double product = 1;
    for (std::size_t k = 0; k < terms.size(); ++k)
      product *= operands[k].values<double>()[flat(terms[k], operands[k].shape())];
    out.mutable_values<double>()[flat(result, shape)] += product;
  }
  return out;
}

}  // namespace

TEST_CASE("matmul: every pair of ranks") {
  Graph g({.dtype = f64});
  const Value v = numbers(g, {1, 2});
  const Value m = numbers(g, {2, 2}, {1, 2, 3, 4});
  const Value b = numbers(g, {2, 2, 2}, {1, 2, 3, 4, 0, 1, 1, 0});
  check_answer(matmul(v, v), {}, {5});
  check_answer(matmul(v, m), {2}, {7, 10});
  check_answer(matmul(m, v), {2}, {5, 11});
  check_answer(matmul(v, m, false, true), {2}, {5, 11});
  check_answer(matmul(m, v, true), {2}, {7, 10});
  check_answer(matmul(m, m), {2, 2}, {7, 10, 15, 22});
  check_answer(matmul(v, b), {2, 2}, {7, 10, 2, 1});
  check_answer(matmul(b, v), {2, 2}, {5, 11, 2, 1});
  check_answer(matmul(b, m), {2, 2, 2}, {7, 10, 15, 22, 3, 4, 1, 2});
  check_answer(matmul(m, b), {2, 2, 2}, {7, 10, 15, 22, 2, 1, 4, 3});
  check_answer(matmul(b, b), {2, 2, 2}, {7, 10, 15, 22, 1, 0, 0, 1});
  check_answer(dot(v, numbers(g, {3, -1})), {}, {1});
  check_answer(dot(numbers(g, {2, 3}, i64), numbers(g, {4, 5}, i64)), {}, {23});
  check_answer(outer(v, numbers(g, {3, 4, 5})), {2, 3}, {3, 4, 5, 6, 8, 10});
  // A call that throws leaves no nodes behind.
  const Value narrow = numbers(g, {2, 2}, {1, 2, 3, 4}, f32);
  const NodeId size = g.size();
  CHECK_THROWS_AS(matmul(v, narrow), DTypeError);
  CHECK(g.size() == size);
}

TEST_CASE("diag, diagonal, trace, tril, triu: known results") {
  Graph g({.dtype = f64});
  const Value m = counting(g, {3, 4});
  check_answer(diagonal(m), {3}, {0, 5, 10});
  check_answer(diagonal(m, 1), {3}, {1, 6, 11});
  check_answer(diagonal(m, 3), {1}, {3});
  check_answer(diagonal(m, -2), {1}, {8});
  check_answer(diagonal(m, 4), {0}, {});
  check_answer(diagonal(m, -3), {0}, {});
  check_answer(diagonal(counting(g, {2, 2, 2}, i64)), {2, 2}, {0, 3, 4, 7});
  check_answer(diag(m, -1), {2}, {4, 9});
  check_answer(diag(numbers(g, {1, 2})), {2, 2}, {1, 0, 0, 2});
  check_answer(diag(numbers(g, {1, 2}), 1), {3, 3}, {0, 1, 0, 0, 0, 2, 0, 0, 0});
  check_answer(diag(numbers(g, {7}), -1), {2, 2}, {0, 0, 7, 0});
  check_answer(trace(m), {}, {15});
  check_answer(trace(counting(g, {2, 2, 2}, i64)), {2}, {3, 11});
  check_answer(tril(m), {3, 4}, {0, 0, 0, 0, 4, 5, 0, 0, 8, 9, 10, 0});
  check_answer(tril(m, 1), {3, 4}, {0, 1, 0, 0, 4, 5, 6, 0, 8, 9, 10, 11});
  check_answer(tril(m, -2), {3, 4}, {0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0});
  check_answer(triu(m), {3, 4}, {0, 1, 2, 3, 0, 5, 6, 7, 0, 0, 10, 11});
  check_answer(triu(m, 2), {3, 4}, {0, 0, 2, 3, 0, 0, 0, 7, 0, 0, 0, 0});
  check_answer(triu(m, -1), {3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11});
  constexpr Index huge = std::numeric_limits<Index>::max();
  check_answer(tril(m, huge), {3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  check_answer(sum(triu(m, huge)), {}, {0});
  check_answer(tril(numbers(g, {2, 2}, {1, 1, 1, 1}, boolean)), {2, 2}, {1, 0, 1, 1});
  // Excluded elements may be infinite or NaN.
  check_answer(triu(numbers(g, {2, 2}, {1, 2, INFINITY, NAN})), {2, 2}, {1, 2, 0, NAN});
}

TEST_CASE("einsum: known results") {
  Graph g({.dtype = f64});
  const Value a = numbers(g, {2, 2}, {1, 2, 3, 4});
  const Value b = numbers(g, {2, 2}, {5, 6, 7, 8});
  check_answer(einsum("ij,jk->ik", {a, b}), {2, 2}, {19, 22, 43, 50});
  check_answer(einsum("ij,jk", {a, b}), {2, 2}, {19, 22, 43, 50});
  check_answer(einsum(" i j , j k -> k i ", {a, b}), {2, 2}, {19, 43, 22, 50});
  check_answer(einsum("ij->ji", {a}), {2, 2}, {1, 3, 2, 4});
  check_answer(einsum("ba", {a}), {2, 2}, {1, 3, 2, 4});  // without an arrow: labels in alphabetical order
  check_answer(einsum("ii", {a}), {}, {5});
  check_answer(einsum("ii->i", {a}), {2}, {1, 4});
  check_answer(einsum("ij->j", {a}), {2}, {4, 6});
  check_answer(einsum("ij,ij->", {a, b}), {}, {70});
  check_answer(einsum("i,j->ij", {numbers(g, {1, 2}), numbers(g, {3, 4})}), {2, 2}, {3, 4, 6, 8});
  check_answer(einsum(",ij->ij", {numbers(g, {}, {2}), a}), {2, 2}, {2, 4, 6, 8});
  check_answer(einsum("->", {numbers(g, {}, {2})}), {}, {2});
  check_answer(einsum("...j->j...", {a}), {2, 2}, {1, 3, 2, 4});
  check_answer(einsum("...j,...j", {counting(g, {2, 2, 2}), a}), {2, 2}, {2, 18, 14, 46});
  check_answer(einsum("ij,jk->ik", {numbers(g, {2, 2}, {1, 2, 3, 4}, i64), numbers(g, {2, 2}, {5, 6, 7, 8}, i64)}),
               {2, 2}, {19, 22, 43, 50});
  CHECK(einsum("ij->ij", {a}) == a);
  // A matrix product is one node, for either layout of the operands.
  NodeId before = g.size();
  einsum("ij,kj->ik", {b, a});
  CHECK(g.size() == before + 1);
  // A call that throws leaves no nodes behind.
  before = g.size();
  CHECK_THROWS_AS(einsum("abcde,fghij->abcdefghij", {counting(g, {1, 1, 1, 1, 2}), counting(g, {1, 1, 1, 1, 2})}),
                  ShapeError);
  CHECK(g.size() == before + 2);
}

TEST_CASE("einsum: agrees with a reference loop over all labels") {
  struct Case {
    std::vector<std::string> terms;
    std::string result;
  };
  const Case cases[] = {
      {{"ij", "jk"}, "ik"},       {{"ij", "kj"}, "ki"},
      {{"ji", "kj"}, "ik"},       {{"aij", "ajk"}, "aik"},
      {{"iaj", "jak"}, "kai"},    {{"abc", "cd", "db"}, "a"},
      {{"abcd", "cbe"}, "aed"},   {{"ab", "cd"}, "dbca"},
      {{"aab", "bc"}, "ac"},      {{"abab", "ca"}, "bc"},
      {{"a", "a", "a"}, "a"},     {{"abc", "abd", "acd"}, "bcd"},
      {{"abcde", "bdf"}, "face"}, {{"abc"}, "b"},
      {{"ab", "bc", "ca"}, ""},   {{"hwio", "bhwi"}, "bo"},
      {{"abcd", "abcd"}, "dc"},   {{"aaa"}, "a"},
      {{"ab", "a", "b"}, "ba"},   {{"abc", "d", "bdc"}, "dac"},
      {{"ab", ""}, "b"},
  };
  Dice dice(5);
  for (const Case& c : cases) {
    for (int round = 0; round < 4; ++round) {
      std::map<char, Index> extents;
      for (const std::string& term : c.terms) {
        for (const char letter : term) extents.emplace(letter, dice.between(round == 3 ? 0 : 1, 4));
      }
      Graph g({.dtype = f64});
      std::string equation;
      std::vector<Value> values;
      std::vector<Tensor> tensors;
      for (const std::string& term : c.terms) {
        Shape shape;
        for (const char letter : term) {
          // Give some axes extent 1 to test broadcasting, unless the term repeats the label.
          const bool once = std::count(term.begin(), term.end(), letter) == 1;
          const bool elsewhere = std::any_of(c.terms.begin(), c.terms.end(), [&](const std::string& other) {
            return &other != &term && other.find(letter) != std::string::npos;
          });
          shape.push_back(
              round == 2 && once && elsewhere && &term == &c.terms[0] && dice.chance(0.4) ? 1 : extents[letter]);
        }
        Tensor t(shape, f64);
        for (double& x : t.mutable_values<double>()) x = dice.real(-1, 1);
        tensors.push_back(t);
        values.push_back(g.constant(t));
        equation += (equation.empty() && values.size() == 1 ? "" : ",") + term;
      }
      equation += "->" + c.result;
      CAPTURE(equation);
      CAPTURE(round);
      const Tensor expected = naive_einsum(c.terms, c.result, tensors);
      const Tensor got = evaluate(einsum(equation, values), {});
      REQUIRE(got.shape() == expected.shape());
      for (Index i = 0; i < got.elements(); ++i) CHECK(got.at(i) == doctest::Approx(expected.at(i)).epsilon(1e-12));
    }
  }
}

TEST_CASE("einsum: a plan runs for another batch size") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2, 3, 4});
  const Value w = counting(g, {4, 2, 3});
  const Value y = einsum("bij,jkl->bikl", {x, w});
  const Plan plan({y}, {}, {.shapes = {{x, {5, 3, 4}}}});
  Tensor at({5, 3, 4}, f64);
  for (std::size_t i = 0; i < 60; ++i) at.mutable_values<double>()[i] = static_cast<double>(i % 7);
  const Tensor whole = plan.run({{x, at}})[0];
  CHECK(bitwise_equal(whole.rows(3, 2).clone(), evaluate(y, {{x, at.rows(3, 2).clone()}})));
}
