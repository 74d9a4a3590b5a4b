// check: proves the derivatives of a model by finite differences and prints a table.
//
//   if (!nn::check(model)) return 1;
//
// Layer by layer, every operation alone on the numbers that it meets, then the loss by every weight. A failure comes
// with a short program that shows it again.
#pragma once

#include <xgrad/autodiff/check/check_table.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

// What check() prints. `few_rows` is what the model is checked on, two or three rows; if empty, random numbers, or
// index 0 where the input takes integers, and targets that are random classes or probabilities. Of a model that is not
// compiled the prediction is checked, as it is in use. `options.only` names weights. Throws as compare_gradients if the
// data do not fit.
CheckTable check_table(const Model& model, const Dataset& few_rows = {}, const CheckOptions& options = table_options());

// Prints it; true if all derivatives agree.
bool check(const Model& model, const Dataset& few_rows = {}, const CheckOptions& options = table_options());

}  // namespace xgrad::inline v0::nn
