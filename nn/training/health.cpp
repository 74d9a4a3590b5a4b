#include <xgrad/nn/training/health.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>

#include <xgrad/autodiff/saturation.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/nn/training/internal/health_probe.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr int epochs_since_best = 3;
constexpr double initial_weight_limit = 0.05;  // fraction of the initial values in moving statistics that is reported

// One check. It records the issues that it finds, and reports those that enough consecutive checks have found.
class HealthCheck {
 public:
  HealthCheck(Health& health, Training& t) : health_(health), t_(t) {}

  void run() {
    check_losses();
    if (std::isfinite(loss())) check_batch();
    // Reset the count of issues that this check did not find.
    for (auto& [key, times] : health_.pending) {
      if (std::find(seen_.begin(), seen_.end(), key) == seen_.end()) times = 0;
    }
    ++health_.checks;
  }

 private:
  double loss() const { return t_.history().epoch(t_.history().epochs() - 1)["loss"]; }

  void record(Finding finding, bool at_once = false) {
    const std::pair key{finding.issue, finding.where};
    seen_.push_back(key);
    int& times = health_.pending[key];
    ++times;
    if (times < health_.consecutive_checks && !at_once) return;
    const bool reported = std::any_of(health_.found.begin(), health_.found.end(), [&](const Finding& f) {
      return f.issue == finding.issue && f.where == finding.where;
    });
    if (reported) return;
    finding.epoch = t_.epoch();
    if (health_.print) fmt::print("health: {}\n", finding.str());
    health_.found.push_back(std::move(finding));
  }

  void check_losses() {
    if (!std::isfinite(loss())) {
      record({.issue = Issue::not_finite,
              .where = {},
              .value = loss(),
              .what = fmt::format("the loss is {}", loss()),
              .advice = fmt::format("Lower the learning rate (now {:.3g}), limit the gradients by clip_norm, and look "
                                    "for log(0) and division by 0.",
                                    t_.model().learning_rate())},
             true);
      return;
    }
    if (!t_.logs().has("val_loss")) return;
    const std::vector<double> valid = t_.history()["val_loss"], train = t_.history()["loss"];
    const auto best = static_cast<std::size_t>(std::min_element(valid.begin(), valid.end()) - valid.begin());
    const std::size_t now = valid.size() - 1;
    if (now < best + epochs_since_best || !(train[now] < train[best])) return;
    const double rise = (valid[now] - valid[best]) / std::max(std::abs(valid[best]), 1e-12);
    if (!(rise > health_.rise)) return;
    record({.issue = Issue::overfitting,
            .where = {},
            .value = rise,
            .limit = health_.rise,
            .what = fmt::format("val_loss rose from {:.4g} in epoch {} to {:.4g} (+{:.0f}%), while the loss fell from "
                                "{:.4g} to {:.4g}",
                                valid[best], best, valid[now], 100 * rise, train[best], train[now]),
            .advice = "Stop earlier (nn::EarlyStopping with restore_best_weights), or use more data, augmentation, "
                      "dropout, weight regularization or a smaller network."});
  }

  void check_batch() {
    if (!health_.probe) health_.probe = std::make_shared<HealthProbe>(t_.model(), t_.data(), health_.rows);
    const HealthProbe::Measurements measured = health_.probe->measure();
    for (const auto& units : measured.dead) {
      if (units.fraction > health_.dead) record(dead(units));
    }
    for (const auto& units : measured.saturated) {
      if (units.fraction > health_.saturated) record(saturated(units));
    }
    check_steps(measured.steps);
    for (const auto& lag : measured.lags) {
      if (lag.fraction > health_.lag) record(lagging(lag));
    }
  }

  Finding dead(const HealthProbe::Units& units) const {
    return {.issue = Issue::dead_units,
            .where = units.layer,
            .value = units.fraction,
            .limit = health_.dead,
            .what = fmt::format("{:.0f} of {} {} units output 0 on all {} sampled rows and no longer learn",
                                units.fraction * static_cast<double>(units.units), units.units, units.op,
                                health_.probe->rows()),
            .advice = fmt::format("Lower the learning rate (now {:.3g}), use nn::he_normal and zero biases, put "
                                  "nn::BatchNorm before the activation, or use nn::leaky_relu.",
                                  t_.model().learning_rate())};
  }

  Finding saturated(const HealthProbe::Units& units) const {
    return {.issue = Issue::saturated_units,
            .where = units.layer,
            .value = units.fraction,
            .limit = health_.saturated,
            .what = fmt::format("{:.0f}% of the outputs of {} are saturated: its slope there is below {}, so gradients "
                                "vanish",
                                100 * units.fraction, units.op, saturated_slope),
            .advice =
                "Scale the inputs to a standard deviation of 1, use smaller initial weights (nn::glorot_uniform), put "
                "nn::BatchNorm before the activation, or use nn::relu."};
  }

  void check_steps(const std::vector<HealthProbe::UpdateRatio>& steps) {
    if (steps.empty()) return;
    const auto most =
        *std::max_element(steps.begin(), steps.end(), [](const auto& a, const auto& b) { return a.ratio < b.ratio; });
    for (const auto& step : steps) {
      if (step.ratio > health_.large_step) {
        record({.issue = Issue::large_steps,
                .where = step.weight,
                .value = step.ratio,
                .limit = health_.large_step,
                .what =
                    fmt::format("one step changes the weight by {:.3g} of its norm; about 0.001 is common", step.ratio),
                .advice = fmt::format("Lower the learning rate (now {:.3g}), or limit the gradients by clip_norm.",
                                      t_.model().learning_rate())});
      } else if (step.ratio < health_.small_step * most.ratio) {
        record({.issue = Issue::vanishing_steps,
                .where = step.weight,
                .value = step.ratio / most.ratio,
                .limit = health_.small_step,
                .what = fmt::format("one step changes the weight by {:.2g} of its norm, but {} by {:.2g}", step.ratio,
                                    most.weight, most.ratio),
                .advice =
                    "Gradients shrink from layer to layer: use nn::relu with nn::he_normal, nn::BatchNorm, residual "
                    "connections, or nn::Adam, which rescales them."});
      }
    }
  }

  Finding lagging(const HealthProbe::Lag& lag) const {
    const int steps = t_.batches() * (t_.epoch() + 1);
    const double initial = std::pow(lag.momentum, steps);  // weight of the initial values
    const std::string cause =
        initial > initial_weight_limit
            ? fmt::format("; after {} steps their initial values still weigh {:.0f}%", steps, 100 * initial)
            : std::string();
    return {.issue = Issue::batch_norm_lag,
            .where = lag.layer,
            .value = lag.fraction,
            .limit = health_.lag,
            .what = fmt::format("the moving statistics of {:.0f} of {} features are far from the batch statistics{}",
                                lag.fraction * static_cast<double>(lag.features), lag.features, cause),
            .advice = fmt::format("Until they agree, inference differs from training: {} (now {:.3g}), or {}.",
                                  "lower the momentum of nn::BatchNorm", lag.momentum,
                                  initial > initial_weight_limit ? "train for more steps" : "lower the learning rate")};
  }

  Health& health_;
  Training& t_;
  std::vector<std::pair<Issue, std::string>> seen_;
};

}  // namespace

const char* name_of(Issue issue) {
  switch (issue) {
    case Issue::not_finite: return "not finite";
    case Issue::dead_units: return "dead units";
    case Issue::saturated_units: return "saturated units";
    case Issue::large_steps: return "large steps";
    case Issue::vanishing_steps: return "vanishing steps";
    case Issue::batch_norm_lag: return "batch-norm lag";
    case Issue::overfitting: return "overfitting";
  }
  return "";
}

std::string Finding::str() const {
  return fmt::format("{}{}{}, epoch {}: {}. {}", name_of(issue), where.empty() ? "" : " in ", where, epoch, what,
                     advice);
}

void Health::on_fit_begin(Training&) {
  require_at_least("health", "every", every, 1);
  require_at_least("health", "rows", rows, 1);
  require_at_least("health", "consecutive_checks", consecutive_checks, 1);
  for (const auto& [name, value] : {std::pair{"dead", dead},
                                    {"saturated", saturated},
                                    {"large_step", large_step},
                                    {"small_step", small_step},
                                    {"lag", lag},
                                    {"rise", rise}}) {
    require_at_least("health", name, value, 0);
  }
  found.clear();
  pending.clear();
  probe.reset();
  checks = 0;
}

void Health::on_epoch_end(Training& t) {
  if ((t.epoch() + 1) % every == 0) HealthCheck(*this, t).run();
}

void Health::on_fit_end(Training&) {
  probe.reset();
  if (print && found.empty()) fmt::print("health: {} check{}, no issues\n", checks, checks == 1 ? "" : "s");
}

}  // namespace xgrad::inline v0::nn
