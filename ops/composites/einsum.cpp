// einsum: parses the equation, then applies transpositions, matrix products and sums.
#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// The name of an axis: a letter or, if "..." matches it, its position from the right, which is below Shape::max_rank.
using Label = int;
using Labels = std::vector<Label>;

std::string text(Label label) {
  return label < Shape::max_rank ? fmt::format("axis {} of \"...\"", -label - 1)
                                 : fmt::format("letter {}", static_cast<char>(label));
}

bool contains(const Labels& labels, Label label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

// `common` returns the labels of a that are in b, `without` those that are not, both in the order of a.
Labels common(const Labels& a, const Labels& b) {
  Labels out;
  std::copy_if(a.begin(), a.end(), std::back_inserter(out), [&](Label x) { return contains(b, x); });
  return out;
}
Labels without(const Labels& a, const Labels& b) {
  Labels out;
  std::copy_if(a.begin(), a.end(), std::back_inserter(out), [&](Label x) { return !contains(b, x); });
  return out;
}
Labels operator+(Labels a, const Labels& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// One term of the equation: letters, and the position of "..." among them, if any.
struct Term {
  Labels letters;
  std::optional<std::size_t> dots;

  // All labels, if "..." matches `axes` axes.
  Labels labels(int axes) const {
    Labels out = letters;
    for (Label i = 0; i < axes && dots; ++i) out.insert(out.begin() + static_cast<std::ptrdiff_t>(*dots), i);
    return out;
  }
};

struct Equation {
  std::vector<Term> terms;
  std::optional<Term> result;
};

[[noreturn]] void fail(const std::string& equation, const std::string& what) {
  throw UserError(fmt::format("einsum {:?}: {}", equation, what));
}

Equation read(const std::string& equation) {
  Equation out;
  Term term;
  bool after_arrow = false;
  const auto finish = [&] { out.terms.push_back(std::exchange(term, {})); };
  for (std::size_t i = 0; i < equation.size(); ++i) {
    const char c = equation[i];
    if (c == ' ') continue;
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      term.letters.push_back(c);
    } else if (equation.compare(i, 3, "...") == 0) {
      if (term.dots) fail(equation, "\"...\" occurs twice in one term");
      term.dots = term.letters.size();
      i += 2;
    } else if (c == ',' && !after_arrow) {
      finish();
    } else if (equation.compare(i, 2, "->") == 0 && !after_arrow) {
      finish();
      after_arrow = true;
      ++i;
    } else {
      fail(equation, fmt::format("{:?} at position {} is not a letter, \",\", \"...\" or \"->\"", c, i));
    }
  }
  if (after_arrow)
    out.result = term;
  else
    finish();
  return out;
}

// An operand or intermediate result, with the labels of its axes.
struct LabeledValue {
  Value value;
  Labels labels;

  Index at(Label label) const { return std::find(labels.begin(), labels.end(), label) - labels.begin(); }
  Index extent(Label label) const { return value.shape()[static_cast<int>(at(label))]; }

  Axes axes_of(const Labels& some) const {
    Axes out;
    for (Label label : some) out.push_back(at(label));
    return out;
  }
  void sum_over(const Labels& some) {
    if (some.empty()) return;
    value = sum(value, axes_of(some));
    labels = without(labels, some);
  }
  void arrange(const Labels& order) {
    if (order == labels) return;
    value = transpose(value, axes_of(order));
    labels = order;
  }
  // Replaces axes with the same label by their diagonal.
  void take_diagonals() {
    for (std::size_t i = 0; i < labels.size();) {
      const auto again = std::find(labels.begin() + static_cast<std::ptrdiff_t>(i) + 1, labels.end(), labels[i]);
      if (again == labels.end()) {
        ++i;
        continue;
      }
      const Index other = again - labels.begin();
      Axes order;
      Labels kept;
      for (Index axis = 0; axis < static_cast<Index>(labels.size()); ++axis) {
        if (axis == static_cast<Index>(i) || axis == other) continue;
        order.push_back(axis);
        kept.push_back(labels[static_cast<std::size_t>(axis)]);
      }
      order.push_back(static_cast<Index>(i));
      order.push_back(other);
      kept.push_back(labels[i]);
      value = diagonal(transpose(value, order));
      labels = kept;
      i = 0;
    }
  }
  // Merges `count` axes from `first` on; if count is 0, inserts an axis of extent 1.
  void join(std::size_t first, std::size_t count) {
    const auto axis = static_cast<Index>(first);
    if (count == 0) value = expand_dims(value, axis);
    if (count > 1) value = flatten(value, axis, axis + static_cast<Index>(count) - 1);
  }
};

// Reverse of LabeledValue::join. Infers the first extent where possible, so that it may change with the batch size.
Value part(Value x, Index axis, const std::vector<Index>& extents) {
  if (extents.empty()) return squeeze(x, {axis});
  if (extents.size() == 1) return x;
  std::vector<Index> out = extents;
  if (std::find(extents.begin() + 1, extents.end(), 0) == extents.end()) out[0] = -1;
  return unflatten(x, axis, out);
}

std::vector<Index> extents_of(const LabeledValue& operand, const Labels& labels) {
  std::vector<Index> out;
  for (Label label : labels) out.push_back(operand.extent(label));
  return out;
}

// Transposes x to [batch, rows, columns] and merges the axes of each of the last two. If x is [batch, columns, rows]
// already, keeps that order and returns true: matmul transposes for free.
bool arrange_matrix(LabeledValue& x, const Labels& batch, const Labels& rows, const Labels& columns) {
  const bool turned = x.labels == batch + columns + rows && x.labels != batch + rows + columns;
  if (!turned) x.arrange(batch + rows + columns);
  const Labels& second = turned ? rows : columns;
  const Labels& first = turned ? columns : rows;
  x.join(batch.size() + first.size(), second.size());
  x.join(batch.size(), first.size());
  return turned;
}

// Contracts two operands: sums over the labels that are not kept.
LabeledValue product(LabeledValue a, LabeledValue b, const Labels& kept) {
  a.sum_over(without(a.labels, kept + b.labels));
  b.sum_over(without(b.labels, kept + a.labels));
  const Labels shared = common(a.labels, b.labels);
  const Labels summed = without(shared, kept);
  const Labels batch = common(shared, kept);
  const Labels left = without(a.labels, shared);
  const Labels right = without(b.labels, shared);
  if (summed.empty() || !is_floating(a.value.dtype())) {
    // Give both operands an axis per label, of extent 1 where a label is missing.
    const Labels all = batch + left + right + summed;
    for (LabeledValue* x : {&a, &b}) {
      x->arrange(common(all, x->labels));
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (!contains(x->labels, all[i])) x->value = expand_dims(x->value, static_cast<Index>(i));
      }
    }
    LabeledValue out{a.value * b.value, all};
    out.sum_over(summed);
    return out;
  }
  const std::vector<Index> left_extents = extents_of(a, left);
  const std::vector<Index> right_extents = extents_of(b, right);
  const bool ta = arrange_matrix(a, batch, left, summed);
  const bool tb = arrange_matrix(b, batch, summed, right);
  const auto row = static_cast<Index>(batch.size());
  const Value matrices = matmul(a.value, b.value, ta, tb);
  return {part(part(matrices, row + 1, right_extents), row, left_extents), batch + left + right};
}

// Reads the equation: assigns labels to the axes of operands and result. Throws unless equation and operands fit each
// other. Does not append nodes.
class Reader {
 public:
  Reader(const std::string& equation, const std::vector<Value>& values) : equation_(equation), values_(values) {
    const Equation parsed = read(equation);
    if (parsed.terms.size() != values.size())
      fail(equation, fmt::format("{} terms for {} operands", parsed.terms.size(), values.size()));
    int most_dots = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      read_operand(i, parsed.terms[i]);
      if (parsed.terms[i].dots) most_dots = std::max(most_dots, dots_of(i, parsed.terms[i]));
    }
    for (std::size_t i = 0; i < values.size(); ++i) note_extents(i);
    result = parsed.result ? parsed.result->labels(most_dots) : implied_result(most_dots);
    for (std::size_t i = 0; i < result.size(); ++i) {
      if (!extents_.contains(result[i]))
        fail(equation, fmt::format("{} of the result is in no operand", text(result[i])));
      if (std::count(result.begin(), result.end(), result[i]) > 1)
        fail(equation, fmt::format("{} occurs twice in the result", text(result[i])));
    }
  }

  std::vector<LabeledValue> operands;
  Labels result;

  // Whether the axis is broadcast to that of another operand.
  bool stretched(const LabeledValue& x, Label label) const {
    return x.extent(label) == 1 && extents_.at(label).extent != 1;
  }

 private:
  struct Extent {
    Index extent;
    std::size_t operand;
  };

  int dots_of(std::size_t i, const Term& term) const {
    return values_[i].shape().rank() - static_cast<int>(term.letters.size());
  }

  void read_operand(std::size_t i, const Term& term) {
    values_[0].graph().require(values_[i], fmt::format("einsum {:?}: operand {}", equation_, i));
    if (values_[i].dtype() != values_[0].dtype()) {
      throw DTypeError(fmt::format("einsum {:?}: operands 0 and {} differ in dtype\n  operand 0: {}\n  operand {}: {}",
                                   equation_, i, values_[0].describe(), i, values_[i].describe()));
    }
    const int dots = dots_of(i, term);
    if (dots < 0 || (dots > 0 && !term.dots)) {
      throw ShapeError(fmt::format("einsum {:?}: {} letters for the axes of operand {} {}\n  operand {}: {}", equation_,
                                   term.letters.size(), i, values_[i].shape().str(), i, values_[i].describe()));
    }
    operands.push_back({values_[i], term.labels(dots)});
  }

  void note_extents(std::size_t i) {
    const LabeledValue& x = operands[i];
    std::map<Label, Index> own;
    for (std::size_t axis = 0; axis < x.labels.size(); ++axis) {
      const Label label = x.labels[axis];
      const Index extent = x.value.shape()[static_cast<int>(axis)];
      // Within one operand extents must be equal, between operands they may be 1.
      if (const auto [first, is_new] = own.emplace(label, extent); !is_new && first->second != extent)
        fail_extents(label, {first->second, i}, {extent, i});
      const auto [known, is_new] = extents_.emplace(label, Extent{extent, i});
      if (is_new || extent == 1 || extent == known->second.extent) continue;
      if (known->second.extent != 1) fail_extents(label, known->second, {extent, i});
      known->second = {extent, i};
    }
  }
  [[noreturn]] void fail_extents(Label label, Extent a, Extent b) const {
    throw ShapeError(fmt::format("einsum {:?}: {} is {} in operand {} {} and {} in operand {} {}", equation_,
                                 text(label), a.extent, a.operand, values_[a.operand].shape().str(), b.extent,
                                 b.operand, values_[b.operand].shape().str()));
  }

  // The result of an equation without "->": the axes of "...", then the letters that occur once, in alphabetical order.
  Labels implied_result(int dots) const {
    std::map<Label, int> count;
    for (const LabeledValue& x : operands) {
      for (Label label : x.labels) ++count[label];
    }
    Term out{{}, 0};
    for (const auto& [label, times] : count) {
      if (label >= Shape::max_rank && times == 1) out.letters.push_back(label);
    }
    return out.labels(dots);
  }

  const std::string& equation_;
  const std::vector<Value>& values_;
  std::map<Label, Extent> extents_;
};

Value joined(Reader& reader) {
  std::vector<LabeledValue>& operands = reader.operands;
  for (LabeledValue& x : operands) {
    x.take_diagonals();
    // Remove broadcast axes: the product broadcasts along them.
    Labels stretched;
    for (Label label : x.labels) {
      if (reader.stretched(x, label)) stretched.push_back(label);
    }
    if (stretched.empty()) continue;
    x.value = squeeze(x.value, x.axes_of(stretched));
    x.labels = without(x.labels, stretched);
  }
  LabeledValue out = operands[0];
  for (std::size_t i = 1; i < operands.size(); ++i) {
    Labels kept = reader.result;
    for (std::size_t later = i + 1; later < operands.size(); ++later) kept = kept + operands[later].labels;
    out = product(out, operands[i], kept);
  }
  out.sum_over(without(out.labels, reader.result));
  out.arrange(reader.result);
  return out.value;
}

}  // namespace

Value einsum(const std::string& equation, const std::vector<Value>& values, SourceLocation at) {
  return composite(at, values, [&] {
    if (values.empty() || !values[0].valid()) fail(equation, "operand 0 is missing");
    Reader reader(equation, values);
    return joined(reader);
  });
}

// ---- samples

namespace {

Attrs equation(const char* text) { return {{"equation", std::string(text)}}; }
// A sample of einsum. The function is linear, with a zero second derivative, only if it has one operand.
Sample sums(const char* text, const std::vector<Shape>& shapes) {
  Sample out{.label = text, .inputs = {}, .attrs = equation(text), .zero_second = shapes.size() == 1};
  for (const Shape& s : shapes) {
    out.inputs.push_back({s});
    if (s.elements() == 0) out.zero_gradient = true;
  }
  return out;
}
BadSample refused(const char* label, const char* text, std::vector<Tensor> operands, const char* message) {
  return {label, std::move(operands), equation(text), message};
}

}  // namespace

std::vector<Composite> einsum_composites() {
  const Tensor m({2, 3});
  return {{"einsum",
           "Einstein summation.",
           [](Inputs x, const Attrs& a) {
             return einsum(a.text("equation"), {x.begin(), x.end()});
           },
           {sums("ij,jk->ik", {{2, 3}, {3, 4}}),
            sums("a,a->", {{1}, {1}}),
            sums("ij,kj->ik", {{2, 3}, {4, 3}}),
            sums("ji,jk->ki", {{3, 2}, {3, 4}}),
            sums("bij,bjk->bik", {{2, 3, 4}, {2, 4, 2}}),
            sums("bhqd,bhkd->bhqk", {{2, 2, 3, 2}, {2, 2, 4, 2}}),
            sums("abcd,cdef->abef", {{2, 1, 2, 3}, {2, 3, 3, 2}}),
            sums("i,j->ij", {{3}, {4}}),
            sums("i,i->", {{9}, {9}}),
            sums("ij,ij->i", {{3, 4}, {3, 4}}),
            sums("ij,j", {{3, 4}, {4}}),
            sums("ba", {{2, 3}}),
            sums("ij->", {{2, 3}}),
            sums("ii->i", {{3, 3}}),
            sums("ii", {{3, 3}}),
            sums("iji->j", {{2, 3, 2}}),
            sums("i,ij,j->", {{3}, {3, 4}, {4}}),
            sums("ij,jk,kl->il", {{2, 3}, {3, 2}, {2, 4}}),
            sums("...ij,...jk->...ik", {{2, 2, 3}, {1, 3, 2}}),
            sums("...i->i", {{2, 3, 4}}),
            sums("ij,ij->ij", {{1, 4}, {3, 4}}),
            sums("ij,jk->ki", {{2, 0}, {0, 3}})},
           {refused("extents", "ij,jk->ik", {m, Tensor({4, 5})},
                    "letter j is 3 in operand 0 [2, 3] and 4 in operand 1 [4, 5]"),
            refused("diagonal", "ii->i", {m}, "letter i is 2 in operand 0 [2, 3] and 3 in operand 0"),
            refused("dots", "...,...", {m, Tensor({2, 4})}, "axis -1 of \"...\" is 3"),
            refused("count", "ij,jk->ik", {m}, "2 terms for 1 operands"),
            refused("too few letters", "i->i", {m}, "1 letters for the axes of operand 0 [2, 3]"),
            refused("too many letters", "ijk->i", {m}, "3 letters for the axes of operand 0 [2, 3]"),
            refused("unknown letter", "ij->ik", {m}, "letter k of the result is in no operand"),
            refused("letter twice", "ij->ii", {m}, "letter i occurs twice in the result"),
            refused("sign", "ij;jk", {m, m}, "';' at position 2"),
            refused("two arrows", "ij->i->j", {m}, "'-' at position 5"),
            refused("dots twice", "...i...", {m}, "\"...\" occurs twice"),
            refused("two dtypes", "ij,ij", {m, Tensor({2, 3}, f64)}, "operands 0 and 1 differ in dtype")}}};
}

}  // namespace xgrad::inline v0
