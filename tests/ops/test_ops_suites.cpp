// The test suites, for every built-in operation and composition. XGRAD_OP=name selects one of them.
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

bool selected(const std::string& name) {
  const char* only = std::getenv("XGRAD_OP");
  return only == nullptr || name == only;
}

std::vector<Subject> operations() {
  std::vector<Subject> out;
  for (const auto& op : builtin_ops().all()) {
    if (op->traits.leaf == Leaf::none && selected(op->name)) out.emplace_back(*op);
  }
  return out;
}

std::vector<Subject> subjects() {
  std::vector<Subject> out = operations();
  for (const Composite& c : builtin_composites()) {
    if (selected(c.name)) out.emplace_back(c.name, c.build, c.samples, c.bad_samples);
  }
  return out;
}

// Runs `suite` and reports an exception as a failure, so that the other operations are still tested.
template <class F>
void expect_no_throw(const std::string& operation, const std::string& sample, F suite) {
  CAPTURE(operation);
  CAPTURE(sample);
  std::string message;
  try {
    suite();
  } catch (const std::exception& error) {
    message = error.what();
  }
  CHECK_MESSAGE(message.empty(), message);
}

template <class F>
void for_all_samples(F suite) {
  for (const Subject& subject : subjects()) {
    for (const Sample& sample : subject.samples) {
      expect_no_throw(subject.name, sample.label, [&] { suite(subject, sample); });
    }
  }
}

// Whether infer throws if one input of a sample gets another dtype.
bool rejects_some_dtype(const OpDef& op) {
  for (const Sample& sample : op.samples) {
    for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
      for (const DType dtype : {f32, f64, i64, boolean}) {
        std::vector<TensorType> types;
        for (const SampleInput& input : sample.inputs) types.push_back({input.domain.dtype(), input.shape});
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

// Whether an operation has a vjp, or a composition returns floating-point values.
bool has_derivative(const Subject& subject) {
  if (subject.op != nullptr) return subject.op->vjp != nullptr;
  Graph g;
  std::vector<Value> inputs;
  for (const SampleInput& input : subject.samples[0].inputs) {
    inputs.push_back(g.input("x" + std::to_string(inputs.size()), input.shape, input.domain.dtype()));
  }
  return is_floating(subject.make(g, inputs, subject.samples[0].attrs).dtype());
}

}  // namespace

TEST_CASE("operations: every definition is complete") {
  for (const Subject& subject : subjects()) {
    expect_no_throw(subject.name, "", [&] { suite_definition(subject); });
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

// Only compositions accept negative axes; operations get normalized ones.
TEST_CASE("compositions: samples of every one that takes axes include negative axes") {
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

TEST_CASE("operations: every one whose infer can throw has bad samples") {
  for (const Subject& subject : operations()) {
    CAPTURE(subject.name);
    CHECK((!subject.bad_samples.empty() || !rejects_some_dtype(*subject.op)));
  }
}

TEST_CASE("kernels: write all of the inferred output, bit-identical on any number of threads") {
  for_all_samples([](const Subject& subject, const Sample& sample) { suite_kernel(subject, sample); });
}

TEST_CASE("kernels: agree with the reference, and f32 with f64") {
  for_all_samples([](const Subject& subject, const Sample& sample) { suite_numbers(subject, sample); });
}

TEST_CASE("plan: every operation and its gradients are bit-identical to the interpreter") {
  for_all_samples([](const Subject& subject, const Sample& sample) { suite_plan(subject, sample); });
}

TEST_CASE("gradients: first and second derivatives agree with finite differences") {
  for (const Subject& subject : subjects()) {
    Index comparisons = 0;
    for (const Sample& sample : subject.samples) {
      expect_no_throw(subject.name, sample.label, [&] { comparisons += suite_derivatives(subject, sample); });
    }
    CAPTURE(subject.name);
    CHECK((comparisons > 0 || !has_derivative(subject)));
  }
}

TEST_CASE("jacobian: the same by rows one by one, by rows at once and by columns") {
  Index at_once = 0;
  Index all = 0;
  for_all_samples([&](const Subject& subject, const Sample& sample) {
    at_once += suite_transforms(subject, sample);
    ++all;
  });
  if (std::getenv("XGRAD_OP") == nullptr) CHECK(at_once > all / 2);
}

TEST_CASE("random: every operation depends on step, seed and stream") {
  for (const Subject& subject : operations()) {
    expect_no_throw(subject.name, "", [&] { suite_random(subject); });
  }
}

TEST_CASE("operations: every bad sample throws its message") {
  for (const Subject& subject : subjects()) {
    for (const BadSample& bad : subject.bad_samples) {
      expect_no_throw(subject.name, bad.label, [&] { suite_bad_sample(subject, bad); });
    }
  }
}

TEST_CASE("compositions: errors begin with the name of the called function and leave no nodes") {
  int rejected = 0;
  for (const Composite& c : builtin_composites()) {
    if (!selected(c.name)) continue;
    for (const BadSample& bad : c.bad_samples) {
      CAPTURE(c.name);
      CAPTURE(bad.label);
      Graph g;
      std::vector<Value> inputs;
      for (const Tensor& t : bad.inputs)
        inputs.push_back(g.input("x" + std::to_string(inputs.size()), t.shape(), t.dtype()));
      const NodeId before = g.mark();
      std::string got;
      try {
        (void)c.build(inputs, bad.attrs);
        continue;  // throws when it runs
      } catch (const UserError& error) {
        got = error.message();
      }
      if (c.name != "cosine_embedding") CHECK(g.mark() == before);  // whose samples first make targets of labels
      ++rejected;
      const std::string letters = "abcdefghijklmnopqrstuvwxyz_0123456789";
      const auto first_word = [&](const std::string& text) { return text.substr(0, text.find_first_not_of(letters)); };
      // These two call a function of another name, which throws.
      const bool delegates = first_word(c.name) == "truncated_normal_like" || c.name == "matmul of vectors";
      CHECK_MESSAGE((delegates || first_word(got) == first_word(c.name)), got);
    }
  }
  CHECK((rejected > 50 || std::getenv("XGRAD_OP") != nullptr));
  Graph g;
  const Value flat = g.input("flat", {4, 4});
  CHECK_THROWS_WITH_AS((void)max_pool2d(g.input("narrow", {1, 4, 1, 1}), 2),
                       doctest::Contains("max_pool2d: a window of width 2 does not fit into 1"), ShapeError);
  CHECK_THROWS_WITH_AS((void)softmax(flat, 2), doctest::Contains("softmax: axis 2 is out of range"), ShapeError);
  CHECK_THROWS_WITH_AS((void)mean(g.input("i", {3}, i64)), doctest::Contains("mean: "), DTypeError);
  CHECK_THROWS_WITH_AS((void)(flat + g.input("x", {3})), doctest::Contains("add: shapes do not broadcast"), ShapeError);
}

TEST_CASE("operations: samples of elementwise ones have 0, 1, fewer and more elements than a vector") {
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

TEST_CASE("operations: samples have 0, 1, and more elements than a vector with a remainder") {
  // Grouped by first word: "norm, p = 2" and "norm, p = 3" are one function, as are "pad" and "pad of several axes".
  std::map<std::string, std::set<Index>> sizes;
  for (const Subject& subject : subjects()) {
    auto& of_function = sizes[subject.name.substr(0, subject.name.find_first_of(" ,"))];
    for (const Sample& sample : subject.samples) {
      Graph g;
      std::vector<Value> inputs;
      for (const SampleInput& input : sample.inputs) {
        inputs.push_back(g.input("x" + std::to_string(inputs.size()), input.shape, input.domain.dtype()));
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

TEST_CASE("gradients: use only registered operations, each with a vjp or a no_gradient reason") {
  std::set<const OpDef*> registered;
  for (const auto& op : builtin_ops().all()) registered.insert(op.get());
  for (const Subject& subject : subjects()) {
    for (const Sample& sample : subject.samples) {
      expect_no_throw(subject.name, sample.label, [&] {
        Graph g({.dtype = f64});
        std::vector<Value> inputs;
        std::vector<Value> wrt;
        for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
          const DType dtype = sample.inputs[i].domain.dtype(f64);
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
