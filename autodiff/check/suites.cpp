#include <xgrad/autodiff/check/suites.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include <xgrad/autodiff/check/internal/compare.hpp>
#include <xgrad/autodiff/check/internal/guarded_call.hpp>
#include <xgrad/autodiff/check/internal/sample_numbers.hpp>
#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

std::string title(const Subject& subject, const std::string& label) {
  return fmt::format("{:?}, sample {:?}", subject.name, label);
}

[[noreturn]] void fail(const Subject& subject, const std::string& label, const std::string& what) {
  throw UserError(fmt::format("check_op: {}: {}", title(subject, label), what));
}

// The inputs and attributes of a sample: reals exact in f32, cast to the requested dtype.
struct SampleInputs {
  std::vector<Tensor> inputs;
  Attrs attrs;
};

SampleInputs numbers_of(const Subject& subject, const Sample& sample, DType floating) {
  SampleSource source(seed_from(seed_from(0, subject.name), sample.label));
  SampleInputs out{{}, sample.attrs};
  for (const SampleInput& input : sample.inputs) {
    const Tensor t = source.tensor(input.shape, input.domain);
    out.inputs.push_back(is_floating(t.dtype()) ? t.cast(floating) : t);
  }
  for (const auto& [name, value] : sample.attrs.items()) {
    const auto* dtype = std::get_if<DType>(&value);
    if (dtype != nullptr && *dtype == f32 && floating == f64) out.attrs.set(name, f64);
  }
  return out;
}

std::vector<TensorType> types_of(const std::vector<Tensor>& tensors) {
  std::vector<TensorType> out;
  for (const Tensor& t : tensors) out.push_back(t.type());
  return out;
}

TensorType infer(const OpDef& op, const SampleInputs& numbers) {
  const auto types = types_of(numbers.inputs);
  return op.infer(Infer(op, types, numbers.attrs));
}

// A graph that computes the subject on one sample.
struct Built {
  Built(const Subject& subject, const SampleInputs& numbers, DType dtype) : graph({.dtype = dtype}) {
    for (std::size_t i = 0; i < numbers.inputs.size(); ++i) {
      const Tensor& t = numbers.inputs[i];
      inputs.push_back(graph.input(fmt::format("x{}", i), t.shape(), t.dtype()));
      feeds.push_back({inputs.back(), t});
    }
    y = subject.make(graph, inputs, numbers.attrs);
  }
  Graph graph;
  std::vector<Value> inputs;
  Feeds feeds;
  Value y;
};

std::vector<std::size_t> differentiable_inputs(const Subject& subject, const Built& built) {
  std::vector<std::size_t> out;
  if (!is_floating(built.y.dtype()) || (subject.op != nullptr && subject.op->vjp == nullptr)) return out;
  for (std::size_t i = 0; i < built.inputs.size(); ++i) {
    const bool shape_only = subject.op != nullptr && subject.op->shape_only(static_cast<int>(i));
    if (is_floating(built.inputs[i].dtype()) && !shape_only) out.push_back(i);
  }
  return out;
}

std::string describe_difference(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type()) return fmt::format("{} against {}", a.type().str(), b.type().str());
  for (Index i = 0; i < a.elements(); ++i) {
    if (!bitwise_equal(a.reshaped({a.elements()}).rows(i, 1), b.reshaped({b.elements()}).rows(i, 1))) {
      return fmt::format("{} against {} at element {} of {}", number_text(a.at(i), 0), number_text(b.at(i), 0), i,
                         a.type().str());
    }
  }
  return "";
}

// Bound of the magnitudes in a sum of products of the inputs, to which rounding errors are proportional.
double magnitude(const std::vector<Tensor>& inputs, const Tensor& output) {
  double largest = 0;
  for (Index i = 0; i < output.elements(); ++i) {
    if (std::isfinite(output.at(i))) largest = std::max(largest, std::abs(output.at(i)));
  }
  double terms = 1;
  double product = 1;
  for (const Tensor& t : inputs) {
    double most = 1;
    for (Index i = 0; i < t.elements(); ++i) {
      if (std::isfinite(t.at(i))) most = std::max(most, std::abs(t.at(i)));
    }
    product *= most;
    terms =
        std::max(terms, static_cast<double>(t.elements()) / static_cast<double>(std::max<Index>(1, output.elements())));
  }
  return std::max(largest, terms * product);
}

// The position and values if `got` differs from `wanted` by more than the precision of `dtype`; empty otherwise.
std::string beyond_precision(const Tensor& got, const Tensor& wanted, double scale, DType dtype) {
  const double relative = dtype == f32 ? 1e-5 : 1e-12;
  const double absolute = scale * (dtype == f32 ? 5e-7 : 1e-15);
  if (got.shape() != wanted.shape()) return fmt::format("shape {} against {}", got.shape().str(), wanted.shape().str());
  for (Index i = 0; i < got.elements(); ++i) {
    const double a = got.at(i);
    const double b = wanted.at(i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const bool exact = !is_floating(got.dtype());
    if (!exact && std::abs(a - b) <= absolute + relative * std::abs(b)) continue;  // false for NaN and inf
    return fmt::format("{} against {} at element {} of {}", number_text(a, 10), number_text(b, 10), i,
                       got.type().str());
  }
  return "";
}

}  // namespace

Value Subject::make(Graph& graph, std::span<const Value> inputs, const Attrs& attrs) const {
  return op != nullptr ? graph.apply(*op, inputs, attrs) : build(inputs, attrs);
}

void suite_definition(const Subject& subject) {
  const auto wrong = [&](const std::string& what) {
    throw UserError(fmt::format("check_op: {:?}: {}", subject.name, what));
  };
  if (subject.op != nullptr) {
    check_definition(*subject.op);
    if (subject.op->traits.leaf != Leaf::none) wrong("a leaf cannot be checked");
    if (subject.op->doc.empty()) wrong("doc is empty");
  }
  if (subject.samples.empty()) wrong("samples is empty; give at least one");
  std::set<std::string> labels;
  for (const Sample& sample : subject.samples) {
    if (sample.label.empty()) wrong("a sample has an empty label");
    if (!labels.insert(sample.label).second) wrong(fmt::format("two samples have the label {:?}", sample.label));
    const auto count = static_cast<int>(sample.inputs.size());
    if (subject.op != nullptr && (count < subject.op->min_inputs || count > subject.op->max_inputs)) {
      fail(subject, sample.label,
           fmt::format("it has {} inputs, but the operation takes {} to {}", count, subject.op->min_inputs,
                       subject.op->max_inputs));
    }
  }
  for (const BadSample& bad : subject.bad_samples) {
    if (bad.message.empty()) fail(subject, bad.label, "the expected message of a bad sample must not be empty");
  }
}

namespace {

// Runs suite_kernel on one set of inputs.
class KernelSuite {
 public:
  KernelSuite(const Subject& subject, const Sample& sample, const SampleInputs& numbers)
      : subject_(subject), label_(sample.label), op_(*subject.op), numbers_(numbers), type_(infer(op_, numbers)) {}

  void run() {
    expected_ = trial({}, "");
    require_same(trial({.poison = 0x5A}, "with other poison"),
                 "an element is not written, or depends on uninitialized memory");
    for (const int threads : {1, 2, 3, 4, 8}) {
      require_same(trial({.threads = threads}, fmt::format("on {} threads", threads)),
                   fmt::format("the result differs on {} threads", threads));
    }
    if (!op_.traits.random) {
      require_same(trial({.random = {77, 5}}, "at another step"),
                   "the output depends on the seed or the step, but the traits do not say random");
    }
    if (op_.traits.elementwise || op_.traits.in_place) in_place();
    if (op_.traits.commutative) swapped();
    if (op_.traits.view && !bitwise_equal(expected_, numbers_.inputs[0].reshaped(type_.shape))) {
      complain("the traits say view, but the output is not input 0 byte for byte");
    }
  }

 private:
  [[noreturn]] void complain(const std::string& what) const { fail(subject_, label_, what); }

  Tensor trial(const GuardedCallOptions& options, const std::string& how) const {
    GuardedResult result;
    try {
      result = guarded_call(op_, numbers_.attrs, numbers_.inputs, type_, options);
    } catch (const Error& error) {
      complain(fmt::format("the kernel throws: {}", error.message()));
    }
    if (!result.violation.empty()) complain(result.violation + (how.empty() ? "" : ", " + how));
    return result.output;
  }

  void require_same(const Tensor& got, const std::string& what) const {
    if (!bitwise_equal(got, expected_)) complain(fmt::format("{}: {}", what, describe_difference(got, expected_)));
  }

  void in_place() {
    const std::size_t inputs = op_.traits.in_place ? 1 : numbers_.inputs.size();
    for (std::size_t i = 0; i < inputs; ++i) {
      if (numbers_.inputs[i].type() != type_ || op_.shape_only(static_cast<int>(i))) continue;
      GuardedCallOptions options;
      options.over.assign(numbers_.inputs.size(), false);
      options.over[i] = true;
      require_same(trial(options, "in place"),
                   fmt::format("the result differs when computed in place over input {}", i));
    }
  }

  void swapped() {
    SampleInputs other = numbers_;
    std::swap(other.inputs[0], other.inputs[1]);
    if (infer(op_, other) != type_) complain("the traits say commutative, but infer gives another type when swapped");
    require_same(guarded_call(op_, other.attrs, other.inputs, type_).output,
                 "the traits say commutative, but the result differs when the inputs are swapped");
  }

  const Subject& subject_;
  const std::string& label_;
  const OpDef& op_;
  const SampleInputs& numbers_;
  TensorType type_;
  Tensor expected_;
};

}  // namespace

void suite_kernel(const Subject& subject, const Sample& sample) {
  if (subject.op == nullptr) return;
  for (const DType dtype : {f32, f64}) {
    const SampleInputs numbers = numbers_of(subject, sample, dtype);
    if (infer(*subject.op, numbers).shape.elements() == 0) continue;  // kernels are not called for empty results
    KernelSuite(subject, sample, numbers).run();
  }
}

void suite_numbers(const Subject& subject, const Sample& sample) {
  const SampleInputs narrow = numbers_of(subject, sample, f32);
  const SampleInputs wide = numbers_of(subject, sample, f64);
  Built in_f32(subject, narrow, f32);
  Built in_f64(subject, wide, f64);
  const Tensor y32 = evaluate(in_f32.y, in_f32.feeds);
  const Tensor y64 = evaluate(in_f64.y, in_f64.feeds);
  if (y32.shape() != y64.shape()) {
    fail(subject, sample.label, fmt::format("f32 gives {}, f64 gives {}", y32.type().str(), y64.type().str()));
  }
  if (y64.elements() == 0) return;
  const double scale = magnitude(wide.inputs, y64);
  if (subject.op != nullptr && subject.op->reference != nullptr) {
    TensorType type = y64.type();
    if (is_floating(type.dtype)) type.dtype = f64;
    const auto [wanted, violation] = guarded_call(*subject.op, wide.attrs, wide.inputs, type,
                                                  {.random = {in_f64.graph.options().seed, 0}, .reference = true});
    if (!violation.empty()) fail(subject, sample.label, "reference: " + violation);
    if (const auto difference = beyond_precision(y64, wanted, scale, y64.dtype()); !difference.empty()) {
      fail(subject, sample.label, "the kernel in f64 disagrees with the reference: " + difference);
    }
  }
  if (subject.op != nullptr && subject.op->traits.random) return;  // random values differ between dtypes
  if (const auto difference = beyond_precision(y32, y64, scale, f32); !difference.empty()) {
    fail(subject, sample.label, "f32 disagrees with f64: " + difference);
  }
}

void suite_plan(const Subject& subject, const Sample& sample) {
  const SampleInputs numbers = numbers_of(subject, sample, f32);
  Built built(subject, numbers, f32);
  std::vector<Value> outputs{built.y};
  std::vector<Value> temporaries;  // values with no later use, which a plan may overwrite in place
  for (const Value x : built.inputs) temporaries.push_back(is_floating(x.dtype()) ? x * 1 : x);
  outputs.push_back(subject.make(built.graph, temporaries, numbers.attrs));
  const auto wrt_at = differentiable_inputs(subject, built);
  if (!wrt_at.empty()) {
    std::vector<Value> wrt;
    for (const std::size_t i : wrt_at) wrt.push_back(built.inputs[i]);
    SampleSource source(1);
    const Value seed = built.graph.constant(source.weights(built.y.shape()).cast(built.y.dtype()));
    for (const Value dx : gradients(built.y, wrt, {.cotangent = seed, .unconnected = Unconnected::zeros})) {
      outputs.push_back(dx);
    }
  }
  const auto expected = evaluate(outputs, built.feeds, {.threads = 1, .step = 3});
  for (int options = 0; options < 16; ++options) {
    PlanOptions how;
    how.fold_constants = (options & 1) != 0;
    how.in_place = (options & 2) != 0;
    how.reuse = (options & 4) != 0;
    how.fuse = (options & 8) != 0;
    const Plan plan(outputs, {}, how);
    for (const int threads : options == 7 ? std::vector<int>{1, 2, 3, 4, 8} : std::vector<int>{1}) {
      const auto got = plan.run(built.feeds, {.threads = threads, .step = 3});
      for (std::size_t i = 0; i < got.size(); ++i) {
        if (bitwise_equal(got[i], expected[i])) continue;
        fail(subject, sample.label,
             fmt::format(
                 "{} of the plan differs from the interpreter's: {} (fold_constants {}, in_place {}, reuse {}, {} "
                 "threads)",
                 i < 2 ? "the output" : fmt::format("the derivative with respect to input {}", wrt_at[i - 2]),
                 describe_difference(got[i], expected[i]), how.fold_constants, how.in_place, how.reuse, threads));
      }
    }
  }
}

Index suite_derivatives(const Subject& subject, const Sample& sample, const CheckOptions& options) {
  const SampleInputs numbers = numbers_of(subject, sample, f64);
  Built built(subject, numbers, f64);
  Comparison comparison{.y = built.y,
                        .wrt = {},
                        .feeds = built.feeds,
                        .names = {},
                        .subject = title(subject, sample.label),
                        .weigh_scalars = true};
  for (const std::size_t i : differentiable_inputs(subject, built)) {
    comparison.wrt.push_back(built.inputs[i]);
    comparison.names.push_back(fmt::format("input {} {}", i, built.inputs[i].type().str()));
  }
  if (comparison.wrt.empty()) return 0;
  CheckOptions own = options;
  if (sample.tolerance > 0) own.relative = sample.tolerance;
  own.allow_zero = sample.zero_gradient;
  own.allow_zero_second = sample.zero_gradient || sample.zero_second;
  const CheckReport report = [&] {
    try {
      return compare_in_f64(comparison, own);
    } catch (const GradientError& error) {
      throw GradientError(fmt::format("check_op: {}: {}", comparison.subject, error.message()));
    }
  }();
  if (!report.passed) throw GradientError(report.str());
  return report.comparisons;
}

Index suite_transforms(const Subject& subject, const Sample& sample) {
  constexpr Index largest = 40;  // elements of input and output
  const SampleInputs numbers = numbers_of(subject, sample, f64);
  Built built(subject, numbers, f64);
  Index at_once = 0;
  for (const std::size_t i : differentiable_inputs(subject, built)) {
    const Value x = built.inputs[i];
    const bool small = x.shape().elements() <= largest && built.y.shape().elements() <= largest;
    if (!small || x.shape().rank() + built.y.shape().rank() >= Shape::max_rank) continue;
    const auto by = [&](Rows rows, Direction direction) {
      return jacobian(built.y, x, {.rows = rows, .direction = direction, .unconnected = Unconnected::zeros});
    };
    const auto found = evaluate({by(Rows::one_by_one, Direction::reverse), by(Rows::automatic, Direction::reverse),
                                 by(Rows::automatic, Direction::forward)},
                                built.feeds, {.threads = 1});
    const double scale = magnitude({}, found[0]);
    for (const std::size_t other : {std::size_t{1}, std::size_t{2}}) {
      const auto difference = beyond_precision(found[other], found[0], scale * 100, f64);
      if (difference.empty()) continue;
      throw GradientError(
          fmt::format("check_op: {}: the Jacobian by input {}, {}, disagrees with its rows one by one: {}",
                      title(subject, sample.label), i, other == 1 ? "rows at once" : "forward", difference));
    }
    const JacobianOptions reverse{.direction = Direction::reverse, .unconnected = Unconnected::zeros};
    at_once += batching_obstacle(built.y, x, reverse).empty() ? 1 : 0;
  }
  return at_once;
}

void suite_bad_sample(const Subject& subject, const BadSample& bad) {
  std::string got;
  try {
    const Built built(subject, {bad.inputs, bad.attrs}, f32);
    evaluate(built.y, built.feeds);
  } catch (const UserError& error) {
    got = error.message();
  } catch (const std::exception& error) {
    fail(subject, bad.label, fmt::format("it throws, but not a UserError: {}", error.what()));
  }
  if (got.empty()) fail(subject, bad.label, "a bad sample does not throw");
  if (got.find(bad.message) == std::string::npos) {
    fail(subject, bad.label, fmt::format("the message lacks {:?}: {}", bad.message, got));
  }
  if (subject.op != nullptr && got.find(subject.name) == std::string::npos) {
    fail(subject, bad.label, fmt::format("the message does not name the operation: {}", got));
  }
}

void suite_random(const Subject& subject) {
  if (subject.op == nullptr || !subject.op->traits.random) return;
  bool by_step = false;
  bool by_seed = false;
  bool by_stream = false;
  bool has_stream = false;
  for (const Sample& sample : subject.samples) {
    const SampleInputs numbers = numbers_of(subject, sample, f32);
    const TensorType type = infer(*subject.op, numbers);
    if (type.shape.elements() < 16) continue;
    const auto draw = [&](const Attrs& attrs, RandomState random, Index from = 0) {
      return guarded_call(*subject.op, attrs, numbers.inputs, type, {.random = random, .first = from}).output;
    };
    const Tensor first = draw(numbers.attrs, {1, 1});
    by_step = by_step || !bitwise_equal(first, draw(numbers.attrs, {1, 2}));
    by_seed = by_seed || !bitwise_equal(first, draw(numbers.attrs, {2, 1}));
    if (subject.op->random_block[static_cast<std::size_t>(type.dtype)] != nullptr) {
      constexpr Index from = 5;
      const Index left = type.shape.elements() - from;
      const Tensor all = first.reshaped({left + from}),
                   later = draw(numbers.attrs, {1, 1}, from).reshaped({left + from});
      if (!bitwise_equal(later.rows(0, left), all.rows(from, left))) {
        throw UserError(fmt::format(
            "check_op: {:?}: with KernelCall::first = {}, the kernel does not draw the elements from element {} on",
            subject.name, from, from - 1));
      }
    }
    if (!numbers.attrs.has("stream")) continue;
    has_stream = true;
    Attrs other = numbers.attrs;
    other.set("stream", numbers.attrs.integer("stream") + 1);
    by_stream = by_stream || !bitwise_equal(first, draw(other, {1, 1}));
  }
  const auto wrong = [&](const char* what) {
    throw UserError(fmt::format("check_op: {:?}: it is random, but draws the same values {}", subject.name, what));
  };
  if (!by_step) wrong("at every step (no sample of 16 elements or more shows a difference)");
  if (!by_seed) wrong("from every seed");
  if (has_stream && !by_stream) wrong("from every stream");
}

namespace {

void check_subject(const Subject& subject, const CheckOptions& options) {
  suite_definition(subject);
  for (const Sample& sample : subject.samples) {
    suite_kernel(subject, sample);
    suite_numbers(subject, sample);
    suite_plan(subject, sample);
  }
  suite_random(subject);
  Index comparisons = 0;
  for (const Sample& sample : subject.samples) {
    comparisons += suite_derivatives(subject, sample, options);
    suite_transforms(subject, sample);
  }
  if (subject.op != nullptr && subject.op->vjp != nullptr && comparisons == 0) {
    throw GradientError(fmt::format("check_op: {:?}: it has a vjp, but no sample compares a derivative", subject.name));
  }
  for (const BadSample& bad : subject.bad_samples) suite_bad_sample(subject, bad);
}

}  // namespace

void check_op(const OpDef& op, const CheckOptions& options) { check_subject(Subject(op), options); }

void check_function(const std::string& name, BuildFn build, const std::vector<Sample>& samples,
                    const std::vector<BadSample>& bad_samples, const CheckOptions& options) {
  check_subject(Subject(name, build, samples, bad_samples), options);
}

}  // namespace xgrad::inline v0
