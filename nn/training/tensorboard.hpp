// TensorBoard: a callback that writes event files.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include <xgrad/graph/shape.hpp>
#include <xgrad/nn/events/event_writer.hpp>
#include <xgrad/nn/training/callback.hpp>

namespace xgrad::inline v0::nn {

// A callback that writes event files for TensorBoard, with the folders, tags, names and defaults of Keras 3
// (keras/src/callbacks/tensorboard.py).
//
//   model.fit(train, {.epochs = 20, .validation = valid, .callbacks = {nn::TensorBoard{"logs/deep-net"}}});
//
//   tensorboard --logdir logs            or, without TensorBoard:   xgrad-events logs
//
//   logs/deep-net/train/       epoch_loss, epoch_accuracy ..., epoch_learning_rate; graphs and histograms
//   logs/deep-net/validation/  epoch_loss, epoch_accuracy ...; evaluation_loss_vs_iterations ...
//
// The equal tags put the curves of training and validation in one chart. Epochs are counted from 0, training steps from
// 1. A new fit in the same folder replaces the previous run in TensorBoard, but keeps its files. A resumed fit starts
// another file and writes only entries that the earlier files lack. EventWriter describes the files of a killed
// program.
struct TensorBoard {
  std::filesystem::path log_dir = "logs";
  // Epochs between histograms, from the first epoch on; 0: none. Writes histograms of all weights (WEIGHT/histogram)
  // and, if histogram_rows > 0, of gradients (WEIGHT/gradient/histogram) and layer outputs (LAYER/output/histogram) of
  // the training graph on `histogram_rows` evenly spaced rows, the same in each epoch. NaN and infinity are excluded
  // and counted in .../not_finite.
  int histogram_freq = 0;
  Index histogram_rows = 128;
  bool write_graph = true;    // the graph of a training step, the conceptual graph, and the summary as text
  bool write_images = false;  // with the histograms: weights with one or two axes as gray images, WEIGHT/image
  bool write_steps_per_second = false;  // the scalar epoch_steps_per_second
  // Training steps between entries of batch_loss, batch_accuracy ...: 1 is "batch" of Keras, 0 is "epoch" (none).
  int update_freq = 0;
  std::vector<HyperParameter> hyper_parameters{};  // for the HParams table

  // The callback's members throw UserError for options out of range, EnvironmentError if events cannot be written.
  void on_fit_begin(Training& t);
  void on_batch_end(Training& t);
  void on_epoch_end(Training& t);
  void on_fit_end(Training& t);

  struct Run;
  std::shared_ptr<Run> run{};  // state of the current fit
};

}  // namespace xgrad::inline v0::nn
