// What a Health callback measures: the numbers of one batch of a training graph, in one plan without updates.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

class HealthProbe {
 public:
  // `rows` rows from all over the data, or all of them.
  HealthProbe(const Model& model, const Dataset& data, Index rows);

  struct Units {
    std::string layer;
    const char* op;  // such as "relu"
    Index units;     // along the last axis
    double part;     // of the units that are dead, or of the outputs that are saturated but not 0
  };
  struct Step {
    std::string weight;
    double ratio;  // the norm of the step over that of the weight
  };
  struct Lag {
    std::string layer;
    Index features;
    double part;      // of the features that lag behind
    double momentum;  // the weight of the old moving statistic
  };
  struct Numbers {
    std::vector<Units> dead, saturated;
    std::vector<Step> steps;
    std::vector<Lag> lags;
  };
  // With the weights as they are now. Weights that are all 0 have no step, statistics that do not move no lag.
  Numbers measure();

  Index rows() const { return graph_.input.shape()[0]; }

 private:
  std::vector<NodeId> candidates() const;
  void watch_activations();
  void watch_steps();
  void watch_statistics();
  std::size_t output(Value number);

  ModelGraph graph_;
  std::vector<Value> outputs_;
  struct WatchedUnits {
    Units units;
    std::size_t output;
  };
  struct WatchedStep {
    Step step;
    std::size_t step_norm, weight_norm;
  };
  struct WatchedLag {
    Lag lag;
    std::size_t part, momentum;
  };
  std::vector<WatchedUnits> dead_, saturated_;
  std::vector<WatchedStep> steps_;
  std::vector<WatchedLag> lags_;
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<Workspace> memory_;
};

}  // namespace xgrad::inline v0::nn
