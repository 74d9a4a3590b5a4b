#include <xgrad/nn/optimizers/lbfgs.hpp>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {
namespace {

using Vector = std::vector<double>;  // the elements of all parameters, concatenated

constexpr double sufficient_decrease = 1e-4, curvature_factor = 0.9;  // c1 and c2 of the strong Wolfe conditions

double dot(const Vector& a, const Vector& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

void add(Vector& a, double factor, const Vector& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += factor * b[i];
}

double largest(const Vector& a) {
  double out = 0;
  for (const double x : a) out = std::max(out, std::abs(x));
  return out;
}

// The loss as a function of the vector of all parameters.
class Function {
 public:
  Function(Value loss, std::vector<Parameter> parameters, const Feeds& feeds, int threads)
      : parameters_(std::move(parameters)),
        loss_dtype_(loss.dtype()),
        threads_(threads),
        plan_(outputs(loss, parameters_)),
        memory_(plan_) {
    for (const Feed& feed : find_inputs(loss.graph(), feeds)) memory_.feed(feed.input, feed.value);
  }

  Vector read() const {
    Vector out;
    for (const Parameter& p : parameters_) append(out, p.view());
    return out;
  }

  void write(const Vector& x) {
    std::size_t at = 0;
    for (Parameter& p : parameters_) {
      const auto count = static_cast<std::size_t>(p.shape().elements());
      p.set(Tensor::from<double>(p.shape(), std::span(x).subspan(at, count)).cast(p.type().dtype));
      at += count;
    }
  }

  // Computes the loss and its gradient at the current parameters.
  double operator()(Vector& gradient) {
    plan_.run(memory_, {.threads = threads_});
    ++evaluations;
    gradient.clear();
    for (std::size_t i = 0; i < parameters_.size(); ++i) append(gradient, memory_.output(static_cast<int>(i) + 1));
    return memory_.output(0).item();
  }

  // Estimates the rounding error of the loss at x, from the dtypes of the loss and of the parameters.
  double rounding(const Vector& x, double loss, const Vector& gradient) const {
    constexpr double operations = 16;  // assumed number of rounded operations
    double error = epsilon_of(loss_dtype_) * std::abs(loss);
    std::size_t at = 0;
    for (const Parameter& p : parameters_) {
      const double epsilon = epsilon_of(p.type().dtype);
      for (Index i = 0; i < p.shape().elements(); ++i, ++at) error += epsilon * std::abs(x[at] * gradient[at]);
    }
    return operations * error;
  }

  int evaluations = 0;

 private:
  static double epsilon_of(DType dtype) {
    return dtype == f64 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  }
  static std::vector<Value> outputs(Value loss, const std::vector<Parameter>& parameters) {
    std::vector<Value> out = gradients(loss, parameters, {.unconnected = Unconnected::empty});
    if (std::none_of(out.begin(), out.end(), [](Value g) { return g.valid(); }))
      (void)gradients(loss, parameters);  // throws with the reason
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (!out[i].valid()) out[i] = zeros_like(loss.graph().parameter(parameters[i]));
    }
    out.insert(out.begin(), loss);
    return out;
  }
  static void append(Vector& out, const Tensor& tensor) {
    for (Index i = 0; i < tensor.elements(); ++i) out.push_back(tensor.at(i));
  }

  std::vector<Parameter> parameters_;
  DType loss_dtype_;
  int threads_;
  Plan plan_;
  Workspace memory_;
};

// A point of a line search: the distance along the direction, the loss and the slope there.
struct Point {
  double far = 0, loss = 0, slope = 0;
  Vector x, gradient;
  bool finite() const { return std::isfinite(loss) && std::isfinite(slope); }
};

// The minimum of the cubic that interpolates losses and slopes of both points; the midpoint if the minimum is near an
// end or not finite.
double interpolate(const Point& a, const Point& b) {
  const double middle = (a.far + b.far) / 2, width = b.far - a.far;
  if (!a.finite() || !b.finite()) return middle;
  const double d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.far - b.far);
  const double inside = d1 * d1 - a.slope * b.slope;
  if (!(inside >= 0)) return middle;
  const double d2 = std::copysign(std::sqrt(inside), width);
  const double part = 1 - (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2);
  return part > 0.1 && part < 0.9 ? a.far + part * width : middle;
}

class LineSearch {
 public:
  LineSearch(Function& function, const Point& start, const Vector& direction, int most)
      : function_(function), start_(start), direction_(direction), left_(most) {}

  // Returns a point with a lower loss, or `start` if none was found; tries distance `far` first.
  Point find(double far) {
    Point before = start_;
    while (left_ > 0) {
      Point now = at(far);
      if (!lower(now) || (before.far > 0 && now.loss >= before.loss)) return zoom(std::move(before), std::move(now));
      if (flat(now)) return now;
      if (now.slope >= 0) return zoom(std::move(now), std::move(before));
      before = std::move(now);
      far *= 2;
    }
    return before;
  }

  // Estimates how much the loss could decrease along the direction, by the slopes at the start and at the last point;
  // infinite if the slopes do not bound it.
  double expected_decrease() const {
    if (last_far_ == 0) return 0;  // no parameter changed
    const double curvature = (last_slope_ - start_.slope) / last_far_;
    return curvature > 0 ? start_.slope * start_.slope / (2 * curvature) : std::numeric_limits<double>::infinity();
  }

 private:
  Point at(double far) {
    --left_;
    Point out{far, 0, 0, start_.x, {}};
    add(out.x, far, direction_);
    function_.write(out.x);
    out.x = function_.read();  // rounded to the dtype of the parameters
    out.loss = function_(out.gradient);
    out.slope = dot(out.gradient, direction_);
    if (out.x != start_.x) {  // rounding may have removed the change
      last_far_ = far;
      last_slope_ = out.slope;
    }
    return out;
  }
  bool lower(const Point& p) const {
    return p.finite() && p.loss <= start_.loss + sufficient_decrease * p.far * start_.slope && p.loss < start_.loss;
  }
  bool flat(const Point& p) const { return std::abs(p.slope) <= -curvature_factor * start_.slope; }

  // Searches between `low`, the lowest point so far, and `high`, for a point that satisfies the Wolfe conditions.
  Point zoom(Point low, Point high) {
    while (left_ > 0) {
      const double far = interpolate(low, high);
      if (far == low.far || far == high.far) break;
      Point now = at(far);
      if (!lower(now) || now.loss >= low.loss) {
        high = std::move(now);
        continue;
      }
      if (flat(now)) return now;
      if (now.slope * (high.far - low.far) >= 0) high = std::move(low);
      low = std::move(now);
    }
    return low;
  }

  Function& function_;
  const Point& start_;
  const Vector& direction_;
  int left_;
  double last_far_ = 0, last_slope_ = 0;
};

// The approximation H of the inverse Hessian by the changes of parameters and gradient in the last iterations.
class InverseHessian {
 public:
  explicit InverseHessian(std::size_t most) : most_(most) {}

  void add_step(const Point& from, const Point& to) {
    Pair pair{to.x, to.gradient, 0};
    add(pair.step, -1, from.x);
    add(pair.change, -1, from.gradient);
    pair.product = dot(pair.step, pair.change);
    // Skip pairs without positive curvature (also by rounding): -H g would not be a descent direction.
    if (!(pair.product > 1e-12 * std::sqrt(dot(pair.step, pair.step) * dot(pair.change, pair.change)))) return;
    if (pairs_.size() == most_) pairs_.pop_front();
    pairs_.push_back(std::move(pair));
  }
  bool empty() const { return pairs_.empty(); }
  void clear() { pairs_.clear(); }

  // Returns -H g, by the two-loop recursion.
  Vector direction(const Vector& gradient) const {
    Vector q = gradient;
    Vector along(pairs_.size());
    for (std::size_t i = pairs_.size(); i-- > 0;) {
      along[i] = dot(pairs_[i].step, q) / pairs_[i].product;
      add(q, -along[i], pairs_[i].change);
    }
    double scale = -1;
    if (!empty()) scale = -pairs_.back().product / dot(pairs_.back().change, pairs_.back().change);
    for (double& x : q) x *= scale;
    for (std::size_t i = 0; i < pairs_.size(); ++i)
      add(q, -along[i] - dot(pairs_[i].change, q) / pairs_[i].product, pairs_[i].step);
    return q;
  }

 private:
  struct Pair {
    Vector step, change;  // changes of the parameters and of the gradient
    double product;
  };
  std::size_t most_;
  std::deque<Pair> pairs_;
};

LbfgsResult minimize(Function& function, const LbfgsOptions& options) {
  Point here;
  here.x = function.read();
  here.loss = function(here.gradient);
  if (!std::isfinite(here.loss) || !std::isfinite(dot(here.gradient, here.gradient)))
    throw ValueError(fmt::format("lbfgs: the initial loss and gradient must be finite, got loss {}", here.loss));

  LbfgsResult result;
  InverseHessian inverse_hessian(static_cast<std::size_t>(options.memory));
  const auto done = [&](LbfgsStop why) {
    function.write(here.x);
    result.loss = here.loss;
    result.gradient = largest(here.gradient);
    result.evaluations = function.evaluations;
    result.stop = why;
    return result;
  };
  const double start = here.loss;
  double gain = std::numeric_limits<double>::infinity();
  double reach = 1;  // length of the last parameter change
  while (true) {
    if (largest(here.gradient) <= options.gradient_tolerance) return done(LbfgsStop::gradient);
    Vector direction = inverse_hessian.direction(here.gradient);
    here.slope = dot(here.gradient, direction);
    if (!(here.slope < 0)) {
      inverse_hessian.clear();
      direction = inverse_hessian.direction(here.gradient);
      here.slope = dot(here.gradient, direction);
    }
    const double enough = options.change_tolerance * std::min(std::abs(here.loss), start - here.loss);
    if (!inverse_hessian.empty() && gain <= enough && -here.slope / 2 <= enough) return done(LbfgsStop::change);
    if (result.iterations == options.max_iterations) return done(LbfgsStop::iterations);
    here.far = 0;
    // H determines the length; without curvature pairs use the last length, which does not depend on the loss scale.
    const double first = inverse_hessian.empty() ? reach / std::sqrt(-here.slope) : 1;
    LineSearch search(function, here, direction, options.max_evaluations);
    Point next = search.find(first);
    if (next.far == 0) {
      if (search.expected_decrease() <= function.rounding(here.x, here.loss, here.gradient))
        return done(LbfgsStop::change);
      if (inverse_hessian.empty()) return done(LbfgsStop::no_lower_point);
      inverse_hessian.clear();  // retry along the negative gradient
      continue;
    }
    ++result.iterations;
    inverse_hessian.add_step(here, next);
    gain = here.loss - next.loss;
    reach = next.far * std::sqrt(dot(direction, direction));
    here = std::move(next);
  }
}

}  // namespace

LbfgsResult lbfgs(Value loss, const std::vector<Parameter>& parameters, const Feeds& feeds,
                  const LbfgsOptions& options) {
  require_not_negative("lbfgs", "max_iterations", options.max_iterations);
  require_positive("lbfgs", "memory", options.memory);
  require_not_negative("lbfgs", "gradient_tolerance", options.gradient_tolerance);
  require_not_negative("lbfgs", "change_tolerance", options.change_tolerance);
  require_positive("lbfgs", "max_evaluations", options.max_evaluations);
  if (!loss.valid()) throw GraphError("lbfgs: the loss is an empty Value");
  std::vector<Parameter> moved;
  for (const Parameter& p : parameters) {
    if (loss.graph().trainable(p) && std::find(moved.begin(), moved.end(), p) == moved.end()) moved.push_back(p);
  }
  if (moved.empty()) throw UserError("lbfgs: none of the parameters is trainable");

  Function function(loss, moved, feeds, options.threads);
  const Vector before = function.read();
  try {
    return minimize(function, options);
  } catch (...) {
    function.write(before);
    throw;
  }
}

}  // namespace xgrad::inline v0::nn
