// Callbacks with the names and defaults of Keras 3 (keras/src/callbacks).
//
//   model.fit(train, {.epochs = 100,
//                     .validation = valid,
//                     .callbacks = {nn::EarlyStopping{.patience = 5, .restore_best_weights = true},
//                                   nn::ModelCheckpoint{.path = "best.safetensors", .save_best_only = true},
//                                   nn::CSVLogger{.path = "log.csv"}}});
//
// Epochs are counted from 0, as in Keras. `monitor` names an entry of the logs. An unknown name throws UserError before
// the first training step, which lists the valid names.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <xgrad/nn/training/callback.hpp>

namespace xgrad::inline v0::nn {

// Whether smaller or larger values are better. `automatic` decides by the name, see larger_is_better.
enum class MonitorMode { automatic, min, max };

// Ends the fit after `patience` epochs (0 is the same as 1) in which the monitored value did not improve by more than
// `min_delta`. NaN is never an improvement.
struct EarlyStopping {
  static constexpr const char* name = "early_stopping";
  std::string monitor = "val_loss";
  double min_delta = 0;
  int patience = 0;
  MonitorMode mode = MonitorMode::automatic;
  std::optional<double> baseline{};   // only values better than this reset the patience
  bool restore_best_weights = false;  // at the end of the fit, with moving statistics
  int start_from_epoch = 0;           // earlier epochs are ignored

  // Results of the last fit.
  std::optional<double> best{};
  int best_epoch = 0;
  std::optional<int> stopped_epoch{};

  // State between epochs.
  int waited = 0;
  NamedTensors best_weights{};

  void on_fit_begin(Training& t);
  void on_epoch_end(Training& t);
  void on_fit_end(Training& t);
  NamedTensors state() const;
  void set_state(const NamedTensors& state);
};

// Multiplies the learning rate by `factor` when the monitored value has not improved for `patience` epochs.
struct ReduceLROnPlateau {
  static constexpr const char* name = "reduce_lr_on_plateau";
  std::string monitor = "val_loss";
  double factor = 0.1;
  int patience = 10;
  MonitorMode mode = MonitorMode::automatic;
  double min_delta = 1e-4;
  int cooldown = 0;  // epochs after a reduction that do not count toward `patience`
  double min_learning_rate = 0;

  // State between epochs.
  std::optional<double> best{};
  int waited = 0;
  int cooling = 0;

  void on_fit_begin(Training& t);
  void on_epoch_end(Training& t);
  NamedTensors state() const;
  void set_state(const NamedTensors& state);
};

// Sets the learning rate at the beginning of each epoch.
//
//   nn::LearningRateScheduler{[](int epoch, double rate) { return epoch < 10 ? rate : rate * 0.9; }}
struct LearningRateScheduler {
  std::function<double(int epoch, double rate)> schedule;

  void on_epoch_begin(Training& t);
};

// Writes training checkpoints, for FitOptions::resume or Model::load. The write is atomic, see Model::save.
struct ModelCheckpoint {
  static constexpr const char* name = "model_checkpoint";
  // The file name may contain the epoch, here counted from 1, and entries of the logs, in the syntax of std::format:
  // "net-{epoch:02}-{val_loss:.3f}.safetensors". The folder must exist.
  std::string path;
  std::string monitor = "val_loss";
  bool save_best_only = false;  // only when the monitored value reaches a new best
  MonitorMode mode = MonitorMode::automatic;
  int every_steps = 0;  // training steps between checkpoints, also mid-epoch; 0: after each epoch

  // State between epochs.
  std::optional<double> best{};

  void on_fit_begin(Training& t);
  void on_batch_end(Training& t);
  void on_epoch_end(Training& t);
  NamedTensors state() const;
  void set_state(const NamedTensors& state);
};

// Writes the history as a table with one row per epoch. A resumed fit rewrites the rows of its earlier epochs, so that
// the table covers the whole fit.
struct CSVLogger {
  std::string path;
  char separator = ',';

  void on_fit_begin(Training& t);
  void on_epoch_end(Training& t);
};

// Ends the fit after the first training step whose loss is not finite.
struct TerminateOnNaN {
  void on_batch_end(Training& t);
};

}  // namespace xgrad::inline v0::nn
