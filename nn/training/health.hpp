// Health: a callback that checks for the common illnesses of a training and says what to do about them.
//
//   nn::Health health;
//   model.fit(train, {.epochs = 20, .validation = valid, .callbacks = {std::ref(health)}});
//   for (const nn::Finding& f : health.findings()) std::cout << f.str() << '\n';
//
// After an epoch it runs some rows of the training data through the step that trains, without training on them, and
// checks at activations, at how far the optimizer would move the weights, at moving statistics and at the losses of the
// validation. What it says has the number that led to it. A finding must be there at two checks in a row, since much is
// wrong for a moment in a training that goes well; each is told once.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/nn/training/callback.hpp>

namespace xgrad::inline v0::nn {

enum class Issue {
  not_finite,       // the loss is NaN or infinite
  dead_units,       // units, as of relu, that are saturated at 0 for every row, so that they learn no more
  saturated_units,  // outputs, as of sigmoid and tanh, where hardly any derivative passes: autodiff/saturation.hpp
  large_steps,      // an optimizer that moves a weight by much of its size in one step
  vanishing_steps,  // a weight that moves far less than others, since the derivatives on the way to it shrink
  batch_norm_lag,   // moving statistics that are not those of batches, so that the network in use is another one
  overfitting,      // the loss of the validation rises while that of the training falls
};
const char* name_of(Issue issue);

struct Finding {
  Issue issue{};
  std::string where;            // a layer or a weight; empty: the model as a whole
  int epoch = 0;                // when it was found, from 0
  double value = 0, limit = 0;  // the number that led to it, and what it went beyond
  std::string what, advice;

  // For instance "dead units in dense_1, epoch 3: 47 of 64 relu units ... Lower the learning rate, ...".
  std::string str() const;
};

class HealthProbe;

struct Health {
  int every = 1;               // epochs
  Index rows = 256;            // of the training data, from all over it; before any augmentation
  bool print = true;           // what is found, at once, and a line at the end
  int consecutive_checks = 2;  // checks at which it must be there

  // What is still healthy.
  double dead = 0.5;         // part of a layer's units
  double saturated = 0.5;    // part of a layer's outputs; those that are saturated at 0, as of relus, not counted
  double large_step = 0.1;   // norm of a step over the norm of the weight; weights of two axes or more
  double small_step = 1e-3;  // the same, over that of the weight that moves most
  double lag = 0.25;  // part of features whose moving mean is half a deviation off or whose variance by a factor 2
  double rise = 0.1;  // of the loss of the validation over its best, three epochs ago or more

  // Of the last fit, in the order in which they were found.
  const std::vector<Finding>& findings() const { return found; }

  // Kept from look to look.
  std::vector<Finding> found{};
  std::map<std::pair<Issue, std::string>, int> pending{};  // at how many checks in a row
  std::shared_ptr<HealthProbe> probe{};
  int checks = 0;

  // Throws UserError for options that have no meaning.
  void on_fit_begin(Training& t);
  void on_epoch_end(Training& t);
  void on_fit_end(Training& t);
};

}  // namespace xgrad::inline v0::nn
