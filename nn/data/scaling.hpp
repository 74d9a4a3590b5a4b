// Scaling: scales columns to a common range.
#pragma once

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// Scales each column to a common range, and inverts the scaling.
//
//   const Scaling scaling = standard_scaling(train.x);           // fitted to the training rows only
//   train.x = scaling.apply(train.x), valid.x = scaling.apply(valid.x);
//   const Scaling prices = min_max_scaling(train.y);
//   Tensor dollars = prices.inverse(model.predict(valid.x));
//
// A column is one position within a row: [rows, 13] has 13 columns, [rows, 28, 28] has 784. A constant column is
// shifted, not scaled.
struct Scaling {
  Tensor shift, scale;  // f64, the shape of a row

  // Returns (x - shift) / scale or, for `inverse`, x * scale + shift, computed in f64 and returned in the dtype of x.
  // Both throw ShapeError if the row shape differs from the fitted one, DTypeError for integers.
  Tensor apply(const Tensor& x) const;
  Tensor inverse(const Tensor& x) const;
};

// Standardizes to mean 0 and population variance 1 (divisor N), like StandardScaler in scikit-learn. Both functions
// throw ShapeError without rows, DTypeError for integers, ValueError naming the first element that is not finite.
Scaling standard_scaling(const Tensor& x);
// Maps the minimum of each column to `low` and its maximum to `high`. Throws UserError unless low < high.
Scaling min_max_scaling(const Tensor& x, double low = 0, double high = 1);

}  // namespace xgrad::inline v0::nn
