// Logs: the named numbers of one epoch or evaluation. History: those of all epochs of a fit.
//
//   nn::Logs scores = model.evaluate(test);      scores["accuracy"]
//   nn::History h = model.fit(...);              h["val_accuracy"], h.best("val_accuracy"), h.plot("curves.svg")
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::inline v0::nn {

class Logs {
 public:
  void add(std::string name, double value) { entries_.emplace_back(std::move(name), value); }
  // Replaces the value of entry i, which is there; does not allocate.
  void set(std::size_t i, double value) { entries_[i].second = value; }
  // Throws UserError, listing the names there are, if there is none of that name.
  double operator[](const std::string& name) const;
  bool has(const std::string& name) const;
  const std::vector<std::pair<std::string, double>>& entries() const { return entries_; }
  // For instance "loss: 0.0288 - accuracy: 0.9906".
  std::string str() const;

 private:
  std::vector<std::pair<std::string, double>> entries_;
};

// Whether more of a number is better: of accuracy, precision, recall, f1, auc and r2, with whatever stands before
// these words. Of all other numbers, such as losses, less is better.
bool larger_is_better(const std::string& name);

class History {
 public:
  void add(Logs logs, double seconds, double training_seconds);

  int epochs() const { return static_cast<int>(logs_.size()); }
  // Of epoch i, counted from 0. Throws UserError if there is none.
  const Logs& epoch(int i) const;
  std::vector<std::string> names() const;
  // One number an epoch. Throws UserError, listing the names there are, if there is none of that name.
  std::vector<double> operator[](const std::string& name) const;
  // The largest or the smallest, as larger_is_better says.
  double best(const std::string& name) const;
  // Draws the loss, and each metric in a plot of its own below or beside it, with the same numbers of the validation if
  // there are any, and marks the best epoch, of the validation if there is one. The learning rate is drawn if it
  // changed. Throws UserError unless the extension is .svg, EnvironmentError if the file cannot be written.
  void plot(const std::filesystem::path& path) const;
  // Wall-clock time of each epoch, and of its training part alone, without validation.
  const std::vector<double>& seconds() const { return seconds_; }
  const std::vector<double>& training_seconds() const { return training_seconds_; }
  // Whether a callback ended the fit, and why, if it said so.
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
