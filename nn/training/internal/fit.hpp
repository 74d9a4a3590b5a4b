// Fit: the training loop of one fit, which may resume from a checkpoint.
#pragma once

#include <functional>
#include <vector>

#include <xgrad/nn/data/safetensors.hpp>
#include <xgrad/nn/training/internal/batch_prefetcher.hpp>
#include <xgrad/nn/training/internal/model_state.hpp>

namespace xgrad::inline v0::nn {

class Model::Fit {
 public:
  // Checks data and options; plans and allocates everything.
  Fit(Model& model, const Dataset& all, const FitOptions& options);
  History run();

 private:
  void train_epoch();
  void train_batches();
  void run(CompiledStep& step);
  // Calls the callbacks, then writes the checkpoints that they requested.
  void notify(std::function<void(Training&)> Callback::*event);
  // Prints a warning in the first epoch if the total weight of the data is 0.
  void warn_if_unweighted(const Means& means, const char* data);
  CompiledStep& step_at(Index first) { return train_.size() - first < batch_ ? *partial_step_ : *full_step_; }
  void feed(Index first);
  // The names of the logs of an epoch, with values of 0.
  Logs expected_logs() const;

  // ---- checkpoint.cpp

  TensorFile checkpoint() const;
  // Restores the state of the fit from a checkpoint, except the callbacks' state, which resume_callbacks() restores
  // after on_fit_begin.
  void resume(const std::filesystem::path& path);
  void resume_callbacks();
  void resume_history(const TensorFile& file);

  State& s_;
  const ModelUse::Call changing_;
  const FitOptions& options_;
  Dataset train_, valid_;
  Index batch_ = 0;
  Index rows_ = 0;  // rows per epoch: all rows of train_, or those in full batches
  StepPool::Lease full_step_;
  StepPool::Lease partial_step_;  // for the last, partial batch, if there is one
  std::vector<Index> order_;
  Means means_;
  Training training_;
  bool has_batch_callbacks_;
  Progress progress_;

  // Position of the fit, saved in checkpoints: `epoch_` epochs are complete, and `training_.batch_` training steps of
  // the next one.
  int epoch_ = 0;
  bool epoch_begun_ = false;   // on_epoch_begin was called
  double seconds_before_ = 0;  // time spent on the current epoch before the checkpoint
  std::chrono::steady_clock::time_point epoch_start_{};
  NamedTensors callback_states_;  // from the checkpoint

  BatchPrefetcher prefetcher_;  // last member, because its thread uses the others
};

}  // namespace xgrad::inline v0::nn
