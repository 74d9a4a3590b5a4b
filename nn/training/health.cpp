#include <xgrad/nn/training/health.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>

#include <xgrad/autodiff/saturation.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/training/internal/health_probe.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr int epochs_since_best = 3;
constexpr double much_left = 0.05;  // of what moving statistics began with

void require(bool meaning, const char* option, double value) {
  if (!meaning) throw UserError(fmt::format("health: {} = {} has no meaning", option, value));
}

// One look: gathers pending, and makes findings of those that are there often enough.
class HealthCheck {
 public:
  HealthCheck(Health& health, Training& t) : health_(health), t_(t) {}

  void run() {
    judge_losses();
    if (std::isfinite(loss())) judge_batch();
    // A suspicion that is not confirmed begins anew.
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
    const bool told = std::any_of(health_.found.begin(), health_.found.end(), [&](const Finding& f) {
      return f.issue == finding.issue && f.where == finding.where;
    });
    if (told) return;
    finding.epoch = t_.epoch();
    if (health_.print) fmt::print("health: {}\n", finding.str());
    health_.found.push_back(std::move(finding));
  }

  void judge_losses() {
    if (!std::isfinite(loss())) {
      record({.issue = Issue::not_finite,
              .where = {},
              .value = loss(),
              .what = fmt::format("the loss is {}", loss()),
              .advice = fmt::format("Lower the learning rate (now {:.3g}), bound the gradients by clip_norm, and look "
                                    "for logarithms and quotients of 0.",
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
            .what = fmt::format("val_loss was {:.4g} in epoch {} and is {:.4g} now, {:.0f} % more, while the loss fell "
                                "from {:.4g} to {:.4g}",
                                valid[best], best, valid[now], 100 * rise, train[best], train[now]),
            .advice = "Stop earlier (nn::EarlyStopping with restore_best_weights), or use more data, augmentation, "
                      "dropout, a penalty or a smaller network."});
  }

  void judge_batch() {
    if (!health_.probe) health_.probe = std::make_shared<HealthProbe>(t_.model(), t_.data(), health_.rows);
    const HealthProbe::Numbers numbers = health_.probe->measure();
    for (const auto& units : numbers.dead) {
      if (units.part > health_.dead) record(dead(units));
    }
    for (const auto& units : numbers.saturated) {
      if (units.part > health_.saturated) record(saturated(units));
    }
    judge_steps(numbers.steps);
    for (const auto& lag : numbers.lags) {
      if (lag.part > health_.lag) record(lagging(lag));
    }
  }

  Finding dead(const HealthProbe::Units& units) const {
    return {.issue = Issue::dead_units,
            .where = units.layer,
            .value = units.part,
            .limit = health_.dead,
            .what = fmt::format("{:.0f} of {} {} units are 0 for all {} rows looked at, and learn no more",
                                units.part * static_cast<double>(units.units), units.units, units.op,
                                health_.probe->rows()),
            .advice = fmt::format("Lower the learning rate (now {:.3g}), begin with nn::he_normal and biases of 0, put "
                                  "nn::BatchNorm before the activation, or use nn::leaky_relu.",
                                  t_.model().learning_rate())};
  }

  Finding saturated(const HealthProbe::Units& units) const {
    return {.issue = Issue::saturated_units,
            .where = units.layer,
            .value = units.part,
            .limit = health_.saturated,
            .what = fmt::format("{:.0f} % of the outputs of {} are saturated: its slope there is below {}, and hardly "
                                "any derivative passes",
                                100 * units.part, units.op, saturated_slope),
            .advice =
                "Scale the inputs to a deviation of 1, begin with smaller weights (nn::glorot_uniform), put "
                "nn::BatchNorm before the activation, or use nn::relu."};
  }

  void judge_steps(const std::vector<HealthProbe::Step>& steps) {
    if (steps.empty()) return;
    const auto most =
        *std::max_element(steps.begin(), steps.end(), [](const auto& a, const auto& b) { return a.ratio < b.ratio; });
    for (const auto& step : steps) {
      if (step.ratio > health_.large_step) {
        record(
            {.issue = Issue::large_steps,
             .where = step.weight,
             .value = step.ratio,
             .limit = health_.large_step,
             .what = fmt::format("one step moves the weight by {:.3g} of its size; about 0.001 is common", step.ratio),
             .advice = fmt::format("Lower the learning rate (now {:.3g}), or bound the gradients by clip_norm.",
                                   t_.model().learning_rate())});
      } else if (step.ratio < health_.small_step * most.ratio) {
        record({.issue = Issue::vanishing_steps,
                .where = step.weight,
                .value = step.ratio / most.ratio,
                .limit = health_.small_step,
                .what = fmt::format("one step moves the weight by {:.2g} of its size, but {} by {:.2g}", step.ratio,
                                    most.weight, most.ratio),
                .advice = "The derivatives shrink on their way: use nn::relu with nn::he_normal, nn::BatchNorm, "
                          "connections around layers, or nn::Adam, which makes up for it."});
      }
    }
  }

  Finding lagging(const HealthProbe::Lag& lag) const {
    const int steps = t_.batches() * (t_.epoch() + 1);
    const double left = std::pow(lag.momentum, steps);
    const std::string before =
        left > much_left ? fmt::format("; after {} steps {:.0f} % of what they began with is left", steps, 100 * left)
                         : std::string();
    return {
        .issue = Issue::batch_norm_lag,
        .where = lag.layer,
        .value = lag.part,
        .limit = health_.lag,
        .what = fmt::format("the moving statistics of {:.0f} of {} features are far from those of a batch{}",
                            lag.part * static_cast<double>(lag.features), lag.features, before),
        .advice = fmt::format("Until they agree the network in use is not the one that is trained: {} (now {:.3g}), "
                              "or {}.",
                              "lower the momentum of nn::BatchNorm", lag.momentum,
                              left > much_left ? "train for more steps" : "lower the learning rate")};
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
  require(every >= 1, "every", every);
  require(rows >= 1, "rows", static_cast<double>(rows));
  require(consecutive_checks >= 1, "consecutive_checks", consecutive_checks);
  for (const auto& [name, value] : {std::pair{"dead", dead},
                                    {"saturated", saturated},
                                    {"large_step", large_step},
                                    {"small_step", small_step},
                                    {"lag", lag},
                                    {"rise", rise}}) {
    require(value >= 0, name, value);
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
  if (print && found.empty()) fmt::print("health: looked {} time{}, found nothing\n", checks, checks == 1 ? "" : "s");
}

}  // namespace xgrad::inline v0::nn
