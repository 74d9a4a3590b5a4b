// Logs: named values of one epoch or evaluation. History: the logs of all epochs of a fit.
//
//   nn::Logs scores = model.evaluate(test);      scores["accuracy"]
//   nn::History h = model.fit(...);              h["val_accuracy"], h.best("val_accuracy"), h.plot("curves.svg")
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::inline v0::nn {

// Named values of one epoch or one evaluation.
class Logs {
 public:
  void add(std::string name, double value) { entries_.emplace_back(std::move(name), value); }
  // Replaces the value of entry i < entries().size(). Does not allocate.
  void set(std::size_t i, double value) { entries_[i].second = value; }
  // The value of that name. Throws UserError, listing the known names, for an unknown name.
  double operator[](const std::string& name) const;
  bool has(const std::string& name) const;
  const std::vector<std::pair<std::string, double>>& entries() const { return entries_; }
  std::vector<std::string> names() const;
  // One line, such as "loss: 0.0288 - accuracy: 0.9906".
  std::string str() const;

 private:
  std::vector<std::pair<std::string, double>> entries_;
};

// Whether larger values are better: true for names that end with accuracy, precision, recall, f1, auc or r2 (ignoring a
// suffix such as _1), false for all others, such as losses.
bool larger_is_better(const std::string& name);

// The logs of all epochs of a fit.
class History {
 public:
  void add(Logs logs, double seconds, double training_seconds);

  int epochs() const { return static_cast<int>(logs_.size()); }
  // Logs of epoch i, counted from 0. Throws UserError if i is out of range.
  const Logs& epoch(int i) const;
  std::vector<std::string> names() const;
  // The values of all epochs. Throws UserError, listing the known names, for an unknown name.
  std::vector<double> operator[](const std::string& name) const;
  // The largest or the smallest value, by larger_is_better.
  double best(const std::string& name) const;
  // Saves plots of the loss, each metric and, if it changed, the learning rate. Each plot has the training and
  // validation curves and marks the best epoch, of the validation if there is one. Throws UserError unless the
  // extension is .svg, EnvironmentError if the file cannot be written.
  void plot(const std::filesystem::path& path) const;
  // Wall-clock time of each epoch in seconds; training_seconds() does not include validation.
  const std::vector<double>& seconds() const { return seconds_; }
  const std::vector<double>& training_seconds() const { return training_seconds_; }
  // Whether a callback ended the fit; stop_reason() is its reason, which may be empty.
  bool stopped() const { return stopped_; }
  const std::string& stop_reason() const { return stop_reason_; }
  void set_stopped(std::string reason);

 private:
  std::vector<Logs> logs_;
  std::vector<double> seconds_, training_seconds_;
  bool stopped_ = false;
  std::string stop_reason_;
};

}  // namespace xgrad::inline v0::nn
