// The loss and the metrics of a model's graph.
#pragma once

#include <string>

#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

// Appends the loss, penalties included, and the metrics to a graph that has its prediction, its target and, if there
// are any, the weights of the rows. `where` begins the messages.
void add_objective(ModelGraph& out, const CompileOptions& compiled, const std::string& where);

}  // namespace xgrad::inline v0::nn
