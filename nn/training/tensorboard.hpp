// TensorBoard: a fit as TensorBoard shows it, with the folders, tags, names and defaults of Keras 3
// (keras/src/callbacks/tensorboard.py).
//
//   model.fit(train, {.epochs = 20, .validation = valid, .callbacks = {nn::TensorBoard{"logs/deep-net"}}});
//
//   tensorboard --logdir logs            or, without TensorBoard:   xgrad-events logs
//
//   logs/deep-net/train/       epoch_loss, epoch_accuracy ..., epoch_learning_rate; graphs and histograms
//   logs/deep-net/validation/  epoch_loss, epoch_accuracy ...; evaluation_loss_vs_iterations ...
//
// so that the curves of training and validation lie in one chart. Epochs are counted from 0, steps from 1. A fit is one
// run: one that begins anew in the same folder takes the place of the last, though its files stay. One that is resumed
// from a checkpoint goes on in a file of its own, and what the files before it hold already is not written again. See
// EventWriter for what a program that is killed leaves behind.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include <xgrad/graph/shape.hpp>
#include <xgrad/nn/events/event_writer.hpp>
#include <xgrad/nn/training/callback.hpp>

namespace xgrad::inline v0::nn {

struct TensorBoard {
  std::filesystem::path log_dir = "logs";
  // Each so many epochs, from the first on, histograms of all weights, WEIGHT/histogram; 0: never. With them go, unless
  // there are no `histogram_rows`, those of the loss's gradients, WEIGHT/gradient/histogram, and of what each layer
  // gives, LAYER/output/histogram: both of the training graph on so many rows, taken from all over the data, the same
  // in each epoch. Numbers that are NaN or infinite are in no histogram, but counted in .../not_finite.
  int histogram_freq = 0;
  Index histogram_rows = 128;
  bool write_graph = true;    // the graph of a training step, the conceptual graph, and the summary as text
  bool write_images = false;  // weights of one or two axes as images, WEIGHT/image, dark to bright, with the histograms
  bool write_steps_per_second = false;  // epoch_steps_per_second
  // Also each so many steps what the progress bar shows, batch_loss, batch_accuracy ...: 1 is Keras' "batch"; 0:
  // "epoch", after epochs alone.
  int update_freq = 0;
  std::vector<HyperParameter> hyper_parameters{};  // the fit's row in TensorBoard's table of runs

  // Throw UserError for options without a meaning, EnvironmentError if the events cannot be written.
  void on_fit_begin(Training& t);
  void on_batch_end(Training& t);
  void on_epoch_end(Training& t);
  void on_fit_end(Training& t);

  struct Run;
  std::shared_ptr<Run> run{};  // of the fit that goes on
};

}  // namespace xgrad::inline v0::nn
