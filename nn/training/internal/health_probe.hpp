// Measurements for the Health callback: one plan on one batch of a training graph, without updates.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

class HealthProbe {
 public:
  // Samples `rows` evenly spaced rows of the data, or all if there are fewer.
  HealthProbe(const Model& model, const Dataset& data, Index rows);

  struct Units {
    std::string layer;
    const char* op;   // such as "relu"
    Index units;      // along the last axis
    double fraction;  // fraction of units that are dead, or of nonzero outputs that are saturated
  };
  struct UpdateRatio {
    std::string weight;
    double ratio;  // norm of the update over the norm of the weight
  };
  struct Lag {
    std::string layer;
    Index features;
    double fraction;  // fraction of features whose statistics lag
    double momentum;  // the weight of the old moving statistic
  };
  struct Measurements {
    std::vector<Units> dead, saturated;
    std::vector<UpdateRatio> steps;
    std::vector<Lag> lags;
  };
  // Measures with the current weights. Skips weights of norm 0, and statistics with a momentum of almost 1.
  Measurements measure();

  Index rows() const { return graph_.input.shape()[0]; }

 private:
  std::vector<NodeId> candidates() const;
  void watch_activations();
  void watch_updates();
  void watch_statistics();
  // Adds an output of the plan. The function returns its value after a run.
  std::function<double()> output(Value number);

  ModelGraph graph_;
  std::vector<Value> outputs_;
  std::vector<std::function<void(Measurements&)>> readers_;  // add a measurement after a run of the plan
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<Workspace> memory_;
};

}  // namespace xgrad::inline v0::nn
