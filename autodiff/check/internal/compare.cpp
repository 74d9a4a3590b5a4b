#include <xgrad/autodiff/check/internal/compare.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xgrad/autodiff/check/internal/difference.hpp>
#include <xgrad/autodiff/check/internal/sample_numbers.hpp>
#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// A numeric derivative is usable if rounding changes it by at most this fraction.
constexpr double blur = 1e-4;

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
    const auto first = gradients(c_.y, c_.wrt, {.cotangent = seed, .unconnected = Unconnected::zeros});
    compare(1, {c_.y}, {u}, first);
    if (options_.order > 1 && report_.passed) {
      std::vector<Tensor> weights;
      Value total;
      for (const Value g : first) {
        weights.push_back(numbers_.weights(g.shape()));
        const Value part = sum(g * g.graph().constant(weights.back()));
        total = total.valid() ? total + part : part;
      }
      compare(2, first, weights, gradients(total, c_.wrt, {.unconnected = Unconnected::zeros}));
    }
    return report_;
  }

 private:
  std::vector<Tensor> run_at(const std::vector<Value>& values) const {
    return evaluate(values, feeds_, {.threads = 1, .step = options_.run_step});
  }

  void compare(int order, const std::vector<Value>& outputs, const std::vector<Tensor>& weights,
               const std::vector<Value>& analytic) {
    const auto here = run_at(outputs);
    for (const Tensor& t : here) {
      const auto v = t.values<double>();
      const auto bad = std::find_if(v.begin(), v.end(), [](double x) { return !std::isfinite(x); });
      if (bad != v.end()) {
        return fail(fmt::format("{} is not finite: {} at {}", order == 1 ? "the function" : "the first derivative",
                                number_text(*bad), bad - v.begin()));
      }
    }
    const auto gradient = run_at(analytic);
    DifferenceQuotients quotients(outputs, weights, c_.wrt, feeds_, options_.run_step);
    bool all_zero = true;
    bool anything = false;
    for (std::size_t k = 0; k < c_.wrt.size(); ++k) {
      const auto judged = [&] { return report_.comparisons - static_cast<Index>(report_.not_judged.size()); };
      const Index before = judged();
      largest_ = 0;
      compare_input(order, quotients, k, gradient[k]);
      if (judged() == before || here[0].elements() == 0) continue;
      anything = true;
      const bool zero = largest_ <= options_.absolute;
      all_zero = all_zero && zero;
      if (order == 1 && zero && !options_.allow_zero) {
        fail(fmt::format("the first derivative with respect to {} is zero everywhere, which allow_zero would accept",
                         c_.names[k]));
      }
    }
    if (order == 2 && anything && all_zero && !options_.allow_zero_second) {
      fail("the second derivative is zero everywhere, which allow_zero_second would accept");
    }
    if (!report_.not_judged.empty() && !options_.allow_not_judged) {
      fail("some derivatives are not judged, which allow_not_judged would accept");
    }
  }

  void compare_input(int order, DifferenceQuotients& quotients, std::size_t k, const Tensor& gradient) {
    const Index n = gradient.elements();
    const Tensor& numbers = feeds_[fed_at_[k]].value;
    std::vector<Index> elements;
    for (Index i = 0; i < n; ++i) elements.push_back(i);
    if (n > options_.max_elements) {
      for (Index i = 0; i < options_.max_elements; ++i) {  // partial Fisher-Yates shuffle
        std::swap(elements[static_cast<std::size_t>(i)], elements[static_cast<std::size_t>(i + numbers_.below(n - i))]);
      }
      elements.resize(static_cast<std::size_t>(options_.max_elements));
    }
    CheckFinding finding;
    finding.order = order;
    finding.input = c_.names[k];
    finding.shape = c_.wrt[k].shape();
    Probe probe{quotients, c_.wrt[k], Tensor(gradient.shape(), f64)};
    for (const Index i : elements) {
      probe.direction.mutable_values<double>()[static_cast<std::size_t>(i)] = 1;
      probe.x = std::abs(flat(numbers, i));
      probe.scale = std::max(1.0, probe.x);
      finding.element = i;
      finding.analytic = flat(gradient, i);
      judge(finding, probe);
      probe.direction.mutable_values<double>()[static_cast<std::size_t>(i)] = 0;
    }
    if (n <= options_.max_elements) return;
    probe.x = 0;
    probe.scale = 1;
    finding.element = -1;
    for (int d = 0; d < options_.directions; ++d) {
      probe.direction = numbers_.weights(gradient.shape());
      finding.analytic = 0;
      probe.terms = 0;
      for (Index i = 0; i < n; ++i) {
        double& along = probe.direction.mutable_values<double>()[static_cast<std::size_t>(i)];
        along *= std::max(1.0, std::abs(flat(numbers, i)));  // perturb each element relative to its magnitude
        finding.analytic += along * flat(gradient, i);
        probe.terms += std::abs(along * flat(gradient, i));
      }
      judge(finding, probe);
    }
  }

  // The arguments of a numeric derivative.
  struct Probe {
    DifferenceQuotients& quotients;
    Value input;
    Tensor direction;
    double x = 0;      // magnitude of the perturbed element, or 0
    double scale = 1;  // factor of the first step
    double terms = 0;  // for a direction: sum of |gradient * direction| over the elements, otherwise 0
  };
  struct Level {
    double h = 0;
    Estimate numeric;
    double tolerance = 0;
    bool finite = false;
    bool usable = false;  // finite, and rounding leaves enough digits
    bool agrees = false;  // usable, and within the tolerance
    bool smooth = false;
  };

  Level measure(const CheckFinding& finding, const Probe& probe, double h) const {
    Level out{.h = h, .numeric = probe.quotients.central(probe.input, probe.direction, h, options_.absolute)};
    Estimate& numeric = out.numeric;
    numeric.noise += 5e-16 / h * probe.terms;  // the perturbed values are rounded too
    out.finite = std::isfinite(numeric.value) && std::isfinite(numeric.noise);
    const double analytic = std::isfinite(finding.analytic) ? std::abs(finding.analytic) : 0;
    const double largest = std::max(analytic, std::abs(numeric.value));
    out.tolerance = options_.absolute + options_.relative * largest + numeric.noise;
    out.usable = out.finite && numeric.noise <= std::max(options_.absolute, blur * largest);
    out.agrees = out.usable && std::abs(finding.analytic - numeric.value) <= out.tolerance;  // false for NaN
    out.smooth = out.usable && numeric.bend <= 0.1 * std::abs(numeric.value) + options_.absolute + numeric.noise;
    return out;
  }

  // Whether two numeric derivatives agree with each other, regardless of the analytic one.
  bool settled(const Level& a, const Level& b) const {
    const double x = a.numeric.value;
    const double y = b.numeric.value;
    const double tolerance = options_.absolute + options_.relative * std::max(std::abs(x), std::abs(y));
    return a.usable && b.usable && std::abs(x - y) <= tolerance + a.numeric.noise + b.numeric.noise;
  }

  // Reduces the step size until two estimates agree with the analytic derivative, or three agree with each other but
  // not with it. One estimate is enough if the function is smooth at its scale. Appends to `levels`, from large steps
  // to small ones, and returns whether the derivative is right.
  bool find_agreement(const CheckFinding& finding, const Probe& probe, std::vector<Level>& levels) const {
    // Agreement at a step that crosses 0 proves nothing for a function such as |x|: it must hold near x, too.
    const auto crosses_zero = [&](double h) { return probe.x > 0 && 2 * h >= probe.x; };
    const auto near_disagrees = [&] {
      const Level a = measure(finding, probe, probe.x / 16);
      const Level b = measure(finding, probe, probe.x / 160);
      return settled(a, b) && !a.agrees && !b.agrees;
    };
    const double first = options_.step * probe.scale;
    constexpr double smallest = 1e-15;  // relative to x: the precision of f64
    std::vector<double> steps;
    for (double h = first; h >= smallest * probe.scale && steps.size() < 13; h /= 10) steps.push_back(h);
    if (probe.x > 0) {
      for (double h = probe.x / 100; h < steps.back() && h >= probe.x * 1e-6; h /= 10) steps.push_back(h);
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const Level now = measure(finding, probe, steps[i]);
      const bool twice = !levels.empty() && levels.back().agrees && now.agrees;
      if (i == 0 && now.finite && !now.usable) {
        for (const double factor : {1e3, 1e2, 1e1}) {
          levels.push_back(measure(finding, probe, first * factor));
          if (levels.back().agrees && levels.back().smooth && !crosses_zero(first * factor)) return true;
        }
      }
      levels.push_back(now);
      if (twice || (now.agrees && now.smooth)) {
        if (!crosses_zero(now.h)) return true;
        if (!near_disagrees()) return true;
        levels.back().agrees = false;
      }
      const std::size_t n = levels.size();
      if (i >= 2 && settled(levels[n - 3], levels[n - 2]) && settled(levels[n - 2], now) && !crosses_zero(first) &&
          !now.agrees && !levels[n - 2].agrees) {
        return false;
      }
    }
    // Accept agreement at the last step before rounding dominates.
    for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
      if (levels[i].agrees && levels[i + 1].finite && !levels[i + 1].usable && !crosses_zero(levels[i].h)) return true;
    }
    return false;
  }

  // Detects a kink, where the one-sided derivatives differ and the analytic one lies between them, or a jump, where
  // estimates are proportional to 1 / h. Near a pole they grow faster.
  void look_for_kink(CheckFinding& finding, const Probe& probe, const std::vector<Level>& levels) const {
    const double h = options_.step * probe.scale * 0.01;
    finding.left = probe.quotients.one_sided(probe.input, probe.direction, -h);
    finding.right = probe.quotients.one_sided(probe.input, probe.direction, h);
    const auto [low, high] = std::minmax(finding.left, finding.right);
    const double margin = 10 * (finding.tolerance + options_.relative * std::max(std::abs(low), std::abs(high)));
    finding.kink = high - low > 10 * margin && low - margin <= finding.analytic && finding.analytic <= high + margin;
    bool grows = levels.size() > 2 && levels[0].usable;
    for (std::size_t i = 1; i < levels.size() && levels[i].usable; ++i) {
      const double ratio = std::abs(levels[i].numeric.value / levels[i - 1].numeric.value);
      grows = grows && ratio > 5 && ratio < 20;
    }
    if (!grows || !levels[2].usable) return;
    finding.kink = true;
    finding.left = finding.right = INFINITY;
  }

  // Sets the reported values: from the level that agrees with the analytic derivative, or from the two levels that
  // agree best with each other.
  void show(CheckFinding& finding, const std::vector<Level>& levels, bool right) const {
    const Level* best = &levels[0];
    double apart = INFINITY;
    double low = INFINITY;
    double high = -INFINITY;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const Level& level = levels[i];
      if (!level.usable) {
        if (!best->finite && level.finite) best = &level;
        continue;
      }
      low = std::min(low, level.numeric.value);
      high = std::max(high, level.numeric.value);
      if (right || level.agrees || i + 1 == levels.size() || !settled(level, levels[i + 1])) continue;
      const double distance = std::abs(level.numeric.value - levels[i + 1].numeric.value) + level.numeric.noise;
      if (distance < apart) {
        apart = distance;
        best = &level;
      }
    }
    if (right) {
      best = &*std::find_if(levels.rbegin(), levels.rend(), [](const Level& level) { return level.agrees; });
    }
    finding.numeric = best->numeric.value;
    finding.tolerance = best->tolerance;
    finding.spread = high > low ? high - low : 0;
    finding.verdict = right ? Verdict::right : std::isfinite(apart) ? Verdict::wrong : Verdict::not_judged;
  }

  static std::string why_not(const CheckFinding& finding, const std::vector<Level>& levels) {
    const auto usable = [](const Level& level) { return level.usable; };
    if (std::isinf(finding.analytic)) return fmt::format("the analytic derivative is {}", finding.analytic);
    if (std::any_of(levels.begin(), levels.end(), usable)) {
      return fmt::format("numeric derivatives at steps from {:.1g} to {:.1g} disagree", levels.front().h,
                         levels.back().h);
    }
    const auto finite = std::find_if(levels.begin(), levels.end(), [](const Level& level) { return level.finite; });
    if (finite == levels.end()) return "the function is not finite, or throws, around the point";
    return fmt::format("rounding hides the difference: an error of up to {:.1g} after subtracting values of {:.3g}",
                       finite->numeric.noise, finite->numeric.size);
  }

  void judge(CheckFinding finding, const Probe& probe) {
    ++report_.comparisons;
    std::vector<Level> levels;
    const bool right = find_agreement(finding, probe, levels);
    show(finding, levels, right);
    if (right && !levels[0].agrees && (levels[0].usable || !levels[0].finite)) ++report_.near_kinks;
    if (!right && std::isfinite(finding.analytic)) {
      look_for_kink(finding, probe, levels);
      if (finding.kink) {
        report_.kinks.push_back(finding);
        finding.verdict = options_.accept_kinks ? Verdict::right : Verdict::wrong;
      }
    }
    largest_ = std::max({largest_, std::abs(finding.analytic), std::abs(finding.numeric)});
    report_.largest = std::max(report_.largest, largest_);
    if (finding.verdict == Verdict::not_judged) {
      finding.reason = why_not(finding, levels);
      report_.not_judged.push_back(finding);
      return;
    }
    if (finding.verdict == Verdict::wrong) {
      report_.failures.push_back(finding);
      fail("analytic and numeric derivatives differ");
    }
    if (report_.worst.input.empty() || finding.ratio() > report_.worst.ratio()) report_.worst = finding;
  }

  void fail(const std::string& why) {
    if (report_.passed) report_.why = why;
    report_.passed = false;
  }

  const Comparison& c_;
  const CheckOptions& options_;
  SampleSource numbers_;
  Feeds feeds_;
  std::vector<std::size_t> fed_at_;  // index of wrt[k] in feeds_
  double largest_ = 0;               // largest derivative of the input under test
  CheckReport report_;
};

std::string position(const CheckFinding& f) {
  if (f.element < 0) return "along a random direction";
  if (f.shape.rank() == 0) return "";
  return fmt::format("at {} (element {})", position_text(f.shape, f.element), f.element);
}

void check_options(const CheckOptions& o) {
  const auto fail = [](const std::string& what) { throw UserError("check_gradients: " + what); };
  if (o.order != 1 && o.order != 2) fail(fmt::format("order must be 1 or 2, got {}", o.order));
  if (!(o.step > 0) || !std::isfinite(o.step)) fail(fmt::format("step must be positive and finite, got {}", o.step));
  if (!(o.relative >= 0) || !(o.absolute >= 0)) {
    fail(fmt::format("relative and absolute must not be negative, got {} and {}", o.relative, o.absolute));
  }
  if (o.max_elements < 0 || o.directions < 0 || o.max_elements + o.directions == 0) {
    fail(fmt::format("max_elements and directions must not be negative or both 0, got {} and {}", o.max_elements,
                     o.directions));
  }
}

}  // namespace

CheckReport compare_in_f64(const Comparison& comparison, const CheckOptions& options) {
  check_options(options);
  return Comparer(comparison, options).run();
}

double CheckFinding::ratio() const { return kink ? 1 : std::abs(analytic - numeric) / tolerance; }

std::string CheckFinding::str() const {
  std::string out = fmt::format("order {}, wrt {}", order, input);
  if (const std::string at = position(*this); !at.empty()) out += " " + at;
  out += fmt::format(": analytic {}, numeric {}", number_text(analytic, 10), number_text(numeric, 10));
  if (verdict == Verdict::not_judged) return out + ": not judged: " + reason;
  if (std::isfinite(analytic - numeric)) {
    out += fmt::format(", difference {:.3g}, accepted {:.3g}", std::abs(analytic - numeric), tolerance);
  }
  if (kink && std::isinf(left))
    out += " (the function jumps here)";
  else if (kink)
    out += fmt::format(" (a kink: {:.6g} from the left, {:.6g} from the right)", left, right);
  else if (spread > 100 * tolerance)
    out += fmt::format(" (at smaller h numeric differs by {:.3g}: not smooth here?)", spread);
  return out;
}

std::string CheckReport::counts() const {
  const auto wrong = static_cast<Index>(failures.size());
  const auto unjudged = static_cast<Index>(not_judged.size());
  return fmt::format("{} right, {} wrong, {} not judged", comparisons - wrong - unjudged, wrong, unjudged);
}

std::string CheckReport::str() const {
  std::string out = "check_gradients: " + subject + ": ";
  constexpr std::size_t shown = 8;
  const auto list = [&](const std::vector<CheckFinding>& findings) {
    for (std::size_t i = 0; i < std::min(shown, findings.size()); ++i) out += "\n  " + findings[i].str();
    if (findings.size() > shown) out += fmt::format("\n  and {} more", findings.size() - shown);
  };
  if (passed) {
    out += fmt::format("passed {} comparisons ({})", comparisons, counts());
    if (!kinks.empty()) out += fmt::format(", {} of them at kinks, such as\n  {}", kinks.size(), kinks[0].str());
    if (!worst.input.empty()) out += "\n  closest to failing: " + worst.str();
  } else {
    out += why;
    const std::size_t bad = failures.empty() ? not_judged.size() : failures.size();
    if (bad > 0) out += fmt::format(": {} of {} comparisons ({})", bad, comparisons, counts());
    list(failures);
  }
  list(not_judged);
  return out;
}

}  // namespace xgrad::inline v0
