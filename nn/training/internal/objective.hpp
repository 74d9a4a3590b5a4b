// The loss and the metrics of a model's graph.
#pragma once

#include <string>

#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

// Appends loss (with penalties) and metrics to a graph with prediction, target and, optionally, row weights. `where` is
// the prefix of messages.
void add_objective(ModelGraph& out, const CompileOptions& compiled, const std::string& where);

}  // namespace xgrad::inline v0::nn
