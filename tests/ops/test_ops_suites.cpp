// The suites over every built-in operation and composition. XGRAD_OP=name runs them for one of them only.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/check/suites.hpp>
#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

using namespace xgrad;

namespace {

bool chosen(const std::string& name) {
  const char* only = std::getenv("XGRAD_OP");
  return only == nullptr || name == only;
}

std::vector<Subject> operations() {
  std::vector<Subject> out;
  for (const auto& op : builtin_ops().all()) {
    if (op->traits.leaf == Leaf::none && chosen(op->name)) out.emplace_back(*op);
  }
  return out;
}

std::vector<Subject> subjects() {
  std::vector<Subject> out = operations();
  for (const Composite& c : builtin_composites()) {
    if (chosen(c.name)) out.emplace_back(c.name, c.build, c.samples, c.bad_samples);
  }
  return out;
}

// Runs `suite` and reports what it throws as a failure, so that one operation does not hide the others.
template <class F>
void expect_accepted(const std::string& operation, const std::string& sample, F suite) {
  CAPTURE(operation);
  CAPTURE(sample);
  std::string complaint;
  try {
    suite();
  } catch (const std::exception& error) {
    complaint = error.what();
  }
  CHECK_MESSAGE(complaint.empty(), complaint);
}

template <class F>
void over_all_samples(F suite) {
  for (const Subject& subject : subjects()) {
    for (const Sample& sample : subject.samples) {
      expect_accepted(subject.name, sample.label, [&] { suite(subject, sample); });
    }
  }
}

// Whether infer refuses some dtype in place of one that a sample has.
bool refuses_some_dtype(const OpDef& op) {
  for (const Sample& sample : op.samples) {
    for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
      for (const DType dtype : {f32, f64, i64, boolean}) {
        std::vector<TensorType> types;
        for (const SampleInput& input : sample.inputs) {
          const auto kind = input.domain.kind;
          types.push_back({kind == Domain::Kind::integer ? i64
                           : kind == Domain::Kind::mask  ? boolean
                                                         : f32,
                           input.shape});
        }
        types[i].dtype = dtype;
        try {
          op.infer(Infer(op, types, sample.attrs));
        } catch (const UserError&) {
          return true;
        }
      }
    }
  }
  return false;
}

// An operation that has a vjp, or a composition that gives floating numbers.
bool has_derivative(const Subject& subject) {
  if (subject.op != nullptr) return subject.op->vjp != nullptr;
  Graph g;
  std::vector<Value> inputs;
  for (const SampleInput& input : subject.samples[0].inputs) {
    const auto kind = input.domain.kind;
    const DType dtype = kind == Domain::Kind::integer ? i64 : kind == Domain::Kind::mask ? boolean : f32;
    inputs.push_back(g.input("x" + std::to_string(inputs.size()), input.shape, dtype));
  }
  return is_floating(subject.make(g, inputs, subject.samples[0].attrs).dtype());
}

}  // namespace

TEST_CASE("every operation is completely defined") {
  for (const Subject& subject : subjects()) {
    expect_accepted(subject.name, "", [&] { suite_definition(subject); });
  }
  for (const Composite& c : builtin_composites()) {
    CAPTURE(c.name);
    CHECK_FALSE(c.doc.empty());
  }
  if (std::getenv("XGRAD_OP") == nullptr) {
    CHECK(operations().size() >= 40);
    CHECK(builtin_composites().size() >= 10);
  }
}

// Operations themselves take axes from 0 on; what users call counts them from the end too.
TEST_CASE("every composition that takes axes is tried with negative ones") {
  const auto is_negative = [](Index axis) { return axis < 0; };
  int with_axes = 0;
  for (const Composite& c : builtin_composites()) {
    bool any = false, negative = false;
    for (const Sample& sample : c.samples) {
      for (const auto& [name, value] : sample.attrs.items()) {
        if (name != "axis" && name != "axes") continue;
        any = true;
        if (const auto* axis = std::get_if<std::int64_t>(&value)) negative = negative || is_negative(*axis);
        if (const auto* axes = std::get_if<std::vector<Index>>(&value)) {
          negative = negative || std::any_of(axes->begin(), axes->end(), is_negative);
        }
      }
    }
    CAPTURE(c.name);
    CHECK((negative || !any));
    with_axes += any ? 1 : 0;
  }
  CHECK(with_axes > 20);
}

TEST_CASE("every operation that can refuse something has bad samples") {
  for (const Subject& subject : operations()) {
    CAPTURE(subject.name);
    CHECK((!subject.bad_samples.empty() || !refuses_some_dtype(*subject.op)));
  }
}

TEST_CASE("every kernel writes what infer promises, the same bits on any number of threads") {
  over_all_samples([](const Subject& subject, const Sample& sample) { suite_kernel(subject, sample); });
}

TEST_CASE("every kernel agrees with its reference, and f32 with f64") {
  over_all_samples([](const Subject& subject, const Sample& sample) { suite_numbers(subject, sample); });
}

TEST_CASE("every operation and its gradients give the interpreter's bits in a plan") {
  over_all_samples([](const Subject& subject, const Sample& sample) { suite_plan(subject, sample); });
}

TEST_CASE("every first and second derivative agrees with finite differences") {
  for (const Subject& subject : subjects()) {
    Index comparisons = 0;
    for (const Sample& sample : subject.samples) {
      expect_accepted(subject.name, sample.label, [&] { comparisons += suite_derivatives(subject, sample); });
    }
    CAPTURE(subject.name);
    CHECK((comparisons > 0 || !has_derivative(subject)));
  }
}

TEST_CASE("every Jacobian is the same by rows, by rows at once and by columns") {
  Index at_once = 0;
  Index all = 0;
  over_all_samples([&](const Subject& subject, const Sample& sample) {
    at_once += suite_transforms(subject, sample);
    ++all;
  });
  if (std::getenv("XGRAD_OP") == nullptr) CHECK(at_once > all / 2);
}

TEST_CASE("every random operation depends on step, seed and stream") {
  for (const Subject& subject : operations()) {
    expect_accepted(subject.name, "", [&] { suite_random(subject); });
  }
}

TEST_CASE("every bad sample is refused with its message") {
  for (const Subject& subject : subjects()) {
    for (const BadSample& bad : subject.bad_samples) {
      expect_accepted(subject.name, bad.label, [&] { suite_bad_sample(subject, bad); });
    }
  }
}

TEST_CASE("composed functions: errors begin with the name of the function, not of an operation it is made of") {
  int refused = 0;
  for (const Composite& c : builtin_composites()) {
    if (!chosen(c.name)) continue;
    for (const BadSample& bad : c.bad_samples) {
      CAPTURE(c.name);
      CAPTURE(bad.label);
      Graph g;
      std::vector<Value> inputs;
      for (const Tensor& t : bad.inputs)
        inputs.push_back(g.input("x" + std::to_string(inputs.size()), t.shape(), t.dtype()));
      std::string got;
      try {
        (void)c.build(inputs, bad.attrs);
        continue;  // it is refused when it runs
      } catch (const UserError& error) {
        got = error.message();
      }
      ++refused;
      const std::string letters = "abcdefghijklmnopqrstuvwxyz_0123456789";
      const auto first_word = [&](const std::string& text) { return text.substr(0, text.find_first_not_of(letters)); };
      // These two hand on to a function of another name, which says what it refuses.
      const bool hands_on = first_word(c.name) == "truncated_normal_like" || c.name == "matmul of vectors";
      CHECK_MESSAGE((hands_on || first_word(got) == first_word(c.name)), got);
    }
  }
  CHECK((refused > 50 || std::getenv("XGRAD_OP") != nullptr));
  Graph g;
  const Value flat = g.input("flat", {4, 4});
  CHECK_THROWS_WITH_AS((void)max_pool2d(g.input("narrow", {1, 4, 1, 1}), 2),
                       doctest::Contains("max_pool2d: a window of width 2 does not fit into 1"), ShapeError);
  CHECK_THROWS_WITH_AS((void)softmax(flat, 2), doctest::Contains("softmax: axis 2 is out of range"), ShapeError);
  CHECK_THROWS_WITH_AS((void)mean(g.input("i", {3}, i64)), doctest::Contains("mean: "), DTypeError);
  CHECK_THROWS_WITH_AS((void)(flat + g.input("x", {3})), doctest::Contains("add: shapes do not broadcast"), ShapeError);
}

TEST_CASE("the samples of every elementwise operation surround the vector width and include nothing and one") {
  for (const Subject& subject : operations()) {
    if (!subject.op->traits.elementwise) continue;
    std::set<Index> sizes;
    for (const Sample& sample : subject.samples) {
      Shape shape;
      for (const SampleInput& input : sample.inputs) shape = broadcast(shape, input.shape).value_or(shape);
      sizes.insert(shape.elements());
    }
    CAPTURE(subject.name);
    CHECK(sizes.contains(0));
    CHECK(sizes.contains(1));
    CHECK(sizes.upper_bound(1) != sizes.end());
    CHECK(std::any_of(sizes.begin(), sizes.end(), [](Index n) { return n > 1 && n < 8; }));
    CHECK(std::any_of(sizes.begin(), sizes.end(), [](Index n) { return n > 8 && n % 8 != 0; }));
  }
}

TEST_CASE("the samples of every function include nothing, one element, and more than a vector that fill no vector") {
  // By the first word: "norm, p = 2" and "norm, p = 3" are one function, and so are "pad" and "pad of several axes".
  std::map<std::string, std::set<Index>> sizes;
  for (const Subject& subject : subjects()) {
    auto& of_function = sizes[subject.name.substr(0, subject.name.find_first_of(" ,"))];
    for (const Sample& sample : subject.samples) {
      Graph g;
      std::vector<Value> inputs;
      for (const SampleInput& input : sample.inputs) {
        const auto kind = input.domain.kind;
        const DType dtype = kind == Domain::Kind::integer ? i64 : kind == Domain::Kind::mask ? boolean : f32;
        inputs.push_back(g.input("x" + std::to_string(inputs.size()), input.shape, dtype));
        of_function.insert(input.shape.elements());
      }
      of_function.insert(subject.make(g, inputs, sample.attrs).shape().elements());
    }
  }
  for (const auto& entry : sizes) {
    const std::set<Index>& seen = entry.second;
    CAPTURE(entry.first);
    CHECK(seen.contains(0));
    CHECK(seen.contains(1));
    CHECK(std::any_of(seen.begin(), seen.end(), [](Index n) { return n > 8 && n % 8 != 0; }));
  }
}

TEST_CASE("rules use registered operations, each differentiable or saying why not") {
  std::set<const OpDef*> registered;
  for (const auto& op : builtin_ops().all()) registered.insert(op.get());
  for (const Subject& subject : subjects()) {
    for (const Sample& sample : subject.samples) {
      expect_accepted(subject.name, sample.label, [&] {
        Graph g({.dtype = f64});
        std::vector<Value> inputs;
        std::vector<Value> wrt;
        for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
          const auto kind = sample.inputs[i].domain.kind;
          const DType dtype = kind == Domain::Kind::integer ? i64 : kind == Domain::Kind::mask ? boolean : f64;
          inputs.push_back(g.input("x" + std::to_string(i), sample.inputs[i].shape, dtype));
          if (is_floating(dtype)) wrt.push_back(inputs.back());
        }
        const Value y = subject.make(g, inputs, sample.attrs);
        if (wrt.empty() || !is_floating(y.dtype())) return;
        GradientOptions zeros{.unconnected = Unconnected::zeros};
        zeros.cotangent = ones_like(y);
        const auto first = gradients(y, wrt, zeros);
        for (const Value d : first) {
          zeros.cotangent = ones_like(d);
          gradients(d, wrt, zeros);
        }
        for (NodeId id = 0; id < g.size(); ++id) {
          const OpDef& op = *g.node(id).op;
          if (op.traits.leaf != Leaf::none) continue;
          CAPTURE(g.describe(id));
          CHECK(registered.contains(&op));
          CHECK((op.vjp != nullptr) == op.no_gradient.empty());
        }
      });
    }
  }
}
