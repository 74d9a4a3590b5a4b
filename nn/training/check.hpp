// check: checks the gradients of a model by finite differences and prints a table.
//
//   if (!nn::check(model)) return 1;
//
// Checks each operation on its actual inputs, layer by layer, then the gradient of the loss for each weight. A failure
// is reported with a short program that reproduces it.
#pragma once

#include <xgrad/autodiff/check/check_table.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

// Returns the table that check() prints. `few_rows` should have two or three rows. If it is empty, floating-point
// inputs and targets are random, and integer inputs are 0. If the model is not compiled, the prediction in inference
// mode is checked. `options.only` names weights. Throws like compare_gradients if the data do not match.
CheckTable check_table(const Model& model, const Dataset& few_rows = {}, const CheckOptions& options = table_options());

// Prints the table; returns whether all gradients agree.
bool check(const Model& model, const Dataset& few_rows = {}, const CheckOptions& options = table_options());

}  // namespace xgrad::inline v0::nn
