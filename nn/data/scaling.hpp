// Scaling: numbers brought to a common size column by column, and back.
//
//   const Scaling scaling = standard_scaling(train.x);           // learned from the training rows alone
//   train.x = scaling.apply(train.x), valid.x = scaling.apply(valid.x);
//   const Scaling prices = min_max_scaling(train.y);
//   Tensor dollars = prices.inverse(model.predict(valid.x));
//
// A column is everything at one place of a row: of [rows, 13] there are 13, of [rows, 28, 28] there are 784. A column
// of which all numbers are equal has nothing to scale and is only shifted.
#pragma once

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

struct Scaling {
  Tensor shift, scale;  // f64, the shape of a row

  // (x - shift) / scale, and x scale + shift, computed in f64; in the dtype of x. Throws ShapeError if its rows have
  // another shape than those it was learned from, DTypeError for integers.
  Tensor apply(const Tensor& x) const;
  Tensor inverse(const Tensor& x) const;
};

// To mean 0 and variance 1: that of the numbers themselves (over N), as in scikit-learn. Both throw ShapeError if there
// are no rows, DTypeError for integers, ValueError naming the first number that is not finite.
Scaling standard_scaling(const Tensor& x);
// The least number of each column to `low`, its largest to `high`. Throws UserError unless low < high.
Scaling min_max_scaling(const Tensor& x, double low = 0, double high = 1);

}  // namespace xgrad::inline v0::nn
