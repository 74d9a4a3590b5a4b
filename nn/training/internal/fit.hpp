// One fit of a model: the loop, and how it goes on from a checkpoint.
#pragma once

#include <functional>
#include <vector>

#include <xgrad/nn/data/safetensors.hpp>
#include <xgrad/nn/training/internal/batch_prefetcher.hpp>
#include <xgrad/nn/training/internal/model_state.hpp>

namespace xgrad::inline v0::nn {

class Model::Fit {
 public:
  // Checks the data and the options, and plans and allocates everything.
  Fit(Model& model, const Dataset& all, const FitOptions& options);
  History run();

 private:
  void train_epoch();
  void train_batches();
  void run(CompiledStep& step);
  // Calls the callbacks, and then writes the checkpoints that they asked for.
  void notify(std::function<void(Training&)> Callback::*event);
  // Says in the first epoch that the weights of all rows and labels are 0.
  void warn_of_nothing(const Means& means, const char* data);
  CompiledStep& step_at(Index first) { return train_.size() - first < batch_ ? *partial_step_ : *full_step_; }
  void feed(Index first);
  // The names of what an epoch reports.
  Logs expected_logs() const;

  // ---- fit_resume.cpp

  TensorFile checkpoint() const;
  // Takes a checkpoint's numbers; what callbacks remember is left to resume_callbacks, after they were told of the
  // begin.
  void resume(const std::filesystem::path& path);
  void resume_callbacks();
  void resume_history(const TensorFile& file);

  State& s_;
  const ModelUse::Call changing_;
  const FitOptions& options_;
  Dataset train_, valid_;
  Index batch_ = 0;
  Index rows_ = 0;  // of an epoch: all of train_, or those of whole batches
  StepPool::Lease full_step_;
  StepPool::Lease partial_step_;  // for the rows that are left at the end, if any are
  std::vector<Index> order_;
  Means means_;
  Training training_;
  bool told_of_batches_;
  Progress progress_;

  // Where the fit is, which checkpoints keep: `epoch` epochs are complete, in the next `training_.batch_` steps are
  // made.
  int epoch_ = 0;
  bool epoch_begun_ = false;   // callbacks were told of it
  double seconds_before_ = 0;  // spent on that epoch before the checkpoint
  std::chrono::steady_clock::time_point epoch_start_{};
  NamedTensors callback_states_;  // of the checkpoint that is resumed from

  BatchPrefetcher feeder_;  // last, since it reads the rest from a thread of its own
};

}  // namespace xgrad::inline v0::nn
