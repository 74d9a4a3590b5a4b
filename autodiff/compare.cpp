#include <xgrad/autodiff/compare.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/sample_numbers.hpp>
#include <xgrad/graph/error.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad {
namespace {

// What a difference quotient says, and how much of it may be rounding.
struct Estimate {
  double value = 0;
  double noise = 0;
};

// The sum over `outputs` of weights * output, as a function of the numbers in `wrt`.
struct Weighted {
  std::vector<Value> outputs;
  std::vector<Tensor> weights;
};

// Without the sign of a NaN, which means nothing and differs between machines.
std::string text(double x) { return std::isnan(x) ? "nan" : fmt::format("{:.10g}", x); }

double flat(const Tensor& t, Index i) { return t.values<double>()[static_cast<std::size_t>(i)]; }

class Comparer {
 public:
  Comparer(const Comparison& comparison, const CheckOptions& options)
      : c_(comparison), options_(options), numbers_(seed_from(options.seed, comparison.subject)), feeds_(c_.feeds) {
    report_.subject = c_.subject;
    for (const Value w : c_.wrt) {
      const auto at = std::find_if(feeds_.begin(), feeds_.end(), [&](const Feed& f) { return f.input == w; });
      fed_at_.push_back(static_cast<std::size_t>(at - feeds_.begin()));
    }
  }

  CheckReport run() {
    const bool scalar = c_.y.shape().rank() == 0 && !c_.weigh_scalars;
    const Tensor u = scalar ? Tensor(1.0) : numbers_.weights(c_.y.shape());
    const Value seed = c_.y.graph().constant(u);
    const auto first = gradients(c_.y, c_.wrt, {.seed = seed, .unconnected = Unconnected::zeros});
    compare(1, {{c_.y}, {u}}, first);
    if (options_.order < 2 || !report_.passed) return report_;

    Weighted contracted{first, {}};
    Value total;
    for (const Value g : first) {
      contracted.weights.push_back(numbers_.weights(g.shape()));
      const Value part = sum(g * g.graph().constant(contracted.weights.back()));
      total = total.valid() ? total + part : part;
    }
    compare(2, contracted, gradients(total, c_.wrt, {.unconnected = Unconnected::zeros}));
    return report_;
  }

 private:
  std::vector<Tensor> run_at(const std::vector<Value>& values) const {
    return evaluate(values, feeds_, {.threads = 1, .step = options_.run_step});
  }

  void compare(int order, const Weighted& f, const std::vector<Value>& analytic) {
    const auto here = run_at(f.outputs);
    for (const Tensor& t : here) {
      const auto v = t.values<double>();
      const auto bad = std::find_if(v.begin(), v.end(), [](double x) { return !std::isfinite(x); });
      if (bad != v.end()) {
        const std::string number = std::isnan(*bad) ? "nan" : fmt::format("{}", *bad);  // fmt prints a sign before nan
        return fail(fmt::format("{} is not finite: {} at {}", order == 1 ? "the function" : "the first derivative",
                                number, bad - v.begin()));
      }
    }
    const auto gradient = run_at(analytic);
    bool all_zero = true;
    bool anything = false;
    for (std::size_t k = 0; k < c_.wrt.size(); ++k) {
      const Index before = report_.comparisons;
      largest_ = 0;
      compare_input(order, f, k, gradient[k]);
      if (report_.comparisons == before || here[0].elements() == 0) continue;
      anything = true;
      const bool zero = largest_ <= options_.absolute;
      all_zero = all_zero && zero;
      if (order == 1 && zero && !options_.allow_zero) {
        fail(fmt::format("the first derivative by {} is zero everywhere, analytic and numeric: 0 == 0 proves nothing",
                         c_.names[k]));
      }
    }
    if (order == 2 && anything && all_zero && !options_.allow_zero_second) {
      fail("the second derivative is zero everywhere, analytic and numeric: 0 == 0 proves nothing");
    }
  }

  void compare_input(int order, const Weighted& f, std::size_t k, const Tensor& gradient) {
    const Index n = gradient.elements();
    std::vector<Index> elements;
    for (Index i = 0; i < n; ++i) elements.push_back(i);
    if (n > options_.max_elements) {
      for (Index i = 0; i < options_.max_elements; ++i) {  // the first steps of a shuffle
        std::swap(elements[static_cast<std::size_t>(i)], elements[static_cast<std::size_t>(i + numbers_.below(n - i))]);
      }
      elements.resize(static_cast<std::size_t>(options_.max_elements));
    }
    Tensor direction(gradient.shape(), f64);
    for (const Index i : elements) {
      direction.mutable_values<double>()[static_cast<std::size_t>(i)] = 1;
      const double x = flat(feeds_[fed_at_[k]].value, i);
      judge(order, f, k, i, flat(gradient, i), direction, std::max(1.0, std::abs(x)));
      direction.mutable_values<double>()[static_cast<std::size_t>(i)] = 0;
    }
    if (n <= options_.max_elements) return;
    for (int d = 0; d < options_.directions; ++d) {
      direction = numbers_.weights(gradient.shape());
      double along = 0;
      for (Index i = 0; i < n; ++i) along += flat(direction, i) * flat(gradient, i);
      judge(order, f, k, -1, along, direction, 1);
    }
  }

  // Right or left of the point, by the sign of h: (4 f(h) - 3 f(0) - f(2h)) / 2h, whose error is of the order h^2.
  double one_sided(const Weighted& f, std::size_t k, const Tensor& direction, double h) {
    const std::array<std::vector<Tensor>, 3> y{run_moved(f, k, direction, 0), run_moved(f, k, direction, h),
                                               run_moved(f, k, direction, 2 * h)};
    double out = 0;
    for (std::size_t o = 0; o < f.outputs.size(); ++o) {
      for (Index i = 0; i < f.weights[o].elements(); ++i) {
        const double start = flat(y[0][o], i);
        out += flat(f.weights[o], i) * (4 * (flat(y[1][o], i) - start) - (flat(y[2][o], i) - start)) / (2 * h);
      }
    }
    return out;
  }

  // Whether the derivatives of the two sides differ, and the analytic one lies between them.
  void look_for_kink(CheckFinding& finding, const Weighted& f, std::size_t k, const Tensor& direction, double h) {
    finding.left = one_sided(f, k, direction, -h);
    finding.right = one_sided(f, k, direction, h);
    const auto [low, high] = std::minmax(finding.left, finding.right);
    const double margin = 10 * (finding.tolerance + options_.relative * std::max(std::abs(low), std::abs(high)));
    finding.kink = high - low > 10 * margin && low - margin <= finding.analytic && finding.analytic <= high + margin;
  }

  void judge(int order, const Weighted& f, std::size_t k, Index element, double analytic, const Tensor& direction,
             double scale) {
    ++report_.comparisons;
    CheckFinding finding;
    finding.op = c_.op;
    finding.sample = c_.sample;
    finding.order = order;
    finding.input = c_.names[k];
    finding.shape = c_.wrt[k].shape();
    finding.element = element;
    finding.analytic = analytic;
    double low = INFINITY;
    double high = -INFINITY;
    double before = NAN;
    bool accepted = false;
    bool settled = false;
    bool grows = true;  // with 1 / h, as across a jump
    double h = options_.step * scale;
    // Smaller and smaller steps: three, or as many as it takes until two estimates agree with each other, which near
    // the edge of a domain, or a pole, they do late.
    for (int level = 0; level < 7 && !accepted && (level < 3 || !settled); ++level, h /= 10) {
      const Estimate numeric = difference(f, k, direction, h);
      const double tolerance =
          options_.absolute + options_.relative * std::max(std::abs(analytic), std::abs(numeric.value)) + numeric.noise;
      if (std::isfinite(numeric.value)) {
        low = std::min(low, numeric.value);
        high = std::max(high, numeric.value);
      }
      accepted = std::abs(analytic - numeric.value) <= tolerance;  // false for NaN
      settled = std::abs(before - numeric.value) <= tolerance;
      grows = grows && (level == 0 || std::abs(numeric.value) > 5 * std::abs(before));
      before = numeric.value;
      if (level == 0 || accepted || !std::isfinite(finding.numeric)) {
        finding.numeric = numeric.value;
        finding.tolerance = tolerance;
      }
      if (accepted && level > 0) ++report_.near_kinks;
    }
    if (!accepted && std::isfinite(analytic)) {
      look_for_kink(finding, f, k, direction, options_.step * scale * 0.01);
      if (grows) {
        finding.kink = true;
        finding.left = finding.right = INFINITY;
      }
      if (finding.kink) report_.kinks.push_back(finding);
      accepted = finding.kink && options_.accept_kinks;
    }
    largest_ = std::max({largest_, std::abs(analytic), std::abs(finding.numeric)});
    report_.largest = std::max(report_.largest, largest_);
    finding.spread = high > low ? high - low : 0;
    const auto ratio = [](const CheckFinding& x) {
      return x.kink ? 1 : std::abs(x.analytic - x.numeric) / x.tolerance;  // that of a kink says nothing
    };
    if (!accepted) {
      report_.failures.push_back(finding);
      fail("analytic and numeric derivatives differ");
    }
    if (report_.worst.input.empty() || ratio(finding) > ratio(report_.worst)) report_.worst = finding;
  }

  // The derivative of f along `direction`: Richardson's extrapolation of central differences,
  // (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h, whose error is of the order h^4. Outputs are subtracted element by
  // element, so large ones that do not change add no rounding.
  Estimate difference(const Weighted& f, std::size_t k, const Tensor& direction, double h) {
    const std::array<std::vector<Tensor>, 4> y{run_moved(f, k, direction, h), run_moved(f, k, direction, -h),
                                               run_moved(f, k, direction, 2 * h), run_moved(f, k, direction, -2 * h)};
    Estimate out;
    for (std::size_t o = 0; o < f.outputs.size(); ++o) {
      for (Index i = 0; i < f.weights[o].elements(); ++i) {
        const double w = flat(f.weights[o], i);
        const double near = flat(y[0][o], i) - flat(y[1][o], i);
        const double far = flat(y[2][o], i) - flat(y[3][o], i);
        if (near == 0 && far == 0) continue;
        out.value += w * (8 * near - far) / (12 * h);
        out.noise += std::abs(w) * (std::abs(flat(y[0][o], i)) + std::abs(flat(y[1][o], i))) * 1e-15 / h;
      }
    }
    return out;
  }

  // The outputs at `step` along the direction.
  std::vector<Tensor> run_moved(const Weighted& f, std::size_t k, const Tensor& direction, double step) {
    Feed& feed = feeds_[fed_at_[k]];
    const Tensor x = feed.value;
    Tensor moved = x.clone();
    const auto numbers = moved.mutable_values<double>();
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] += step * direction.values<double>()[i];
    feed.value = moved;
    std::vector<Tensor> out = run_at(f.outputs);
    feed.value = x;
    return out;
  }

  void fail(const std::string& why) {
    if (report_.passed) report_.why = why;
    report_.passed = false;
  }

  const Comparison& c_;
  const CheckOptions& options_;
  NumberSource numbers_;
  Feeds feeds_;
  std::vector<std::size_t> fed_at_;  // where in feeds_ the numbers of wrt[k] are
  double largest_ = 0;               // derivative seen of the input under test
  CheckReport report_;
};

std::string position(const CheckFinding& f) {
  if (f.element < 0) return "along a random direction";
  if (f.shape.rank() == 0) return "";
  return fmt::format("at {} (element {})", position_text(f.shape, f.element), f.element);
}

void check_options(const CheckOptions& o) {
  const auto fail = [](const std::string& what) { throw UserError("check_gradients: " + what); };
  if (o.order != 1 && o.order != 2) fail(fmt::format("order {} is neither 1 nor 2", o.order));
  if (!(o.step > 0) || !std::isfinite(o.step)) fail(fmt::format("a step of {} has no meaning", o.step));
  if (!(o.relative >= 0) || !(o.absolute >= 0)) {
    fail(fmt::format("tolerances of {} relative and {} absolute have no meaning", o.relative, o.absolute));
  }
  if (o.max_elements < 0 || o.directions < 0 || o.max_elements + o.directions == 0) {
    fail(fmt::format("{} elements and {} directions are nothing to compare", o.max_elements, o.directions));
  }
}

}  // namespace

std::string position_text(const Shape& shape, Index element) {
  std::string out;
  const auto strides = shape.strides();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const Index stride = strides[static_cast<std::size_t>(axis)];
    out += fmt::format("{}{}", axis == 0 ? "" : ", ", element / stride);
    element %= stride;
  }
  return "[" + out + "]";
}

CheckReport compare_in_f64(const Comparison& comparison, const CheckOptions& options) {
  check_options(options);
  return Comparer(comparison, options).run();
}

std::string CheckFinding::str() const {
  std::string out = fmt::format("order {}, by {}", order, input);
  if (const std::string at = position(*this); !at.empty()) out += " " + at;
  out += fmt::format(": analytic {}, numeric {}", text(analytic), text(numeric));
  if (std::isfinite(analytic - numeric)) {
    out += fmt::format(", difference {:.3g}, accepted {:.3g}", std::abs(analytic - numeric), tolerance);
  }
  if (kink && std::isinf(left))
    out += " (it jumps here)";
  else if (kink)
    out += fmt::format(" (a kink: {:.6g} from the left, {:.6g} from the right)", left, right);
  else if (spread > 100 * tolerance)
    out += fmt::format(" (at smaller h numeric differs by {:.3g}: not smooth here?)", spread);
  return out;
}

std::string CheckReport::str() const {
  std::string out = "check_gradients: " + subject + ": ";
  if (passed) {
    out += fmt::format("passed {} comparisons", comparisons);
    if (!kinks.empty()) out += fmt::format(", {} of them at kinks, such as\n  {}", kinks.size(), kinks[0].str());
    if (comparisons > 0) out += "\n  closest to failing: " + worst.str();
    return out;
  }
  out += why;
  if (!failures.empty()) out += fmt::format(": {} of {} comparisons", failures.size(), comparisons);
  constexpr std::size_t shown = 8;
  for (std::size_t i = 0; i < std::min(shown, failures.size()); ++i) out += "\n  " + failures[i].str();
  if (failures.size() > shown) out += fmt::format("\n  and {} more", failures.size() - shown);
  return out;
}

}  // namespace xgrad
