// Health: a callback that diagnoses training.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/nn/training/callback.hpp>

namespace xgrad::inline v0::nn {

// A kind of training issue.
enum class Issue {
  not_finite,       // the loss is NaN or infinite
  dead_units,       // units, such as of relu, that output 0 with zero slope for every row, so they no longer learn
  saturated_units,  // outputs, such as of sigmoid and tanh, with almost zero slope: autodiff/saturation.hpp
  large_steps,      // a training step changes a weight by a large fraction of its norm
  vanishing_steps,  // a weight changes far less than others, because gradients shrink from layer to layer
  batch_norm_lag,   // moving statistics far from the batch statistics, so that inference differs from training
  overfitting,      // the validation loss rises while the training loss falls
};
// The name of the issue in reports, such as "dead units".
const char* name_of(Issue issue);

// An issue that was found in one place.
struct Finding {
  Issue issue{};
  std::string where;            // a layer or a weight; empty: the model as a whole
  int epoch = 0;                // epoch of the report, from 0
  double value = 0, limit = 0;  // the measured value and the limit it exceeds
  std::string what, advice;

  // For instance "dead units in dense_1, epoch 3: 47 of 64 relu units ... Lower the learning rate, ...".
  std::string str() const;
};

class HealthProbe;

// A callback that checks for common training issues and suggests fixes.
//
//   nn::Health health;
//   model.fit(train, {.epochs = 20, .validation = valid, .callbacks = {std::ref(health)}});
//   for (const nn::Finding& f : health.findings()) std::cout << f.str() << '\n';
//
// After an epoch, a check runs a sample of the training rows through the training graph without applying the updates.
// It examines activations, the size of the optimizer's updates, moving statistics and validation losses. A finding
// states the measured value. An issue is reported once, after `consecutive_checks` checks find it, because many issues
// appear briefly in training that goes well.
struct Health {
  int every = 1;               // epochs between checks
  Index rows = 256;            // sampled training rows, evenly spaced; before augmentation
  bool print = true;           // print findings when they are reported, and a line at the end if there are none
  int consecutive_checks = 2;  // checks in a row that must find an issue

  // Limits beyond which a measured value is an issue.
  double dead = 0.5;         // fraction of a layer's units that are dead
  double saturated = 0.5;    // fraction of a layer's outputs that are saturated, without those at 0 (relu)
  double large_step = 0.1;   // norm of an update over the norm of the weight, for weights with at least 2 axes
  double small_step = 1e-3;  // the same ratio, relative to the largest ratio of any weight
  double lag =
      0.25;  // fraction of features with a moving mean off by half a standard deviation or a variance by a factor of 2
  double rise = 0.1;  // relative increase of the validation loss over its best, which is at least 3 epochs old

  // Findings of the last fit, in the order of reporting.
  const std::vector<Finding>& findings() const { return found; }

  // State between checks.
  std::vector<Finding> found{};
  std::map<std::pair<Issue, std::string>, int> pending{};  // number of consecutive checks
  std::shared_ptr<HealthProbe> probe{};
  int checks = 0;

  // Throws UserError for options out of range.
  void on_fit_begin(Training& t);
  void on_epoch_end(Training& t);
  void on_fit_end(Training& t);
};

}  // namespace xgrad::inline v0::nn
