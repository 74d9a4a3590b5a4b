// What the numbers of predictions and targets mean. A loss declares it; data checks and metrics go by it.
#pragma once

namespace xgrad::inline v0::nn {

// What a target is.
enum class Target {
  like_prediction,  // numbers, in the shape of the prediction
  class_number,     // a class index (i64) in place of the last axis
  probability,      // numbers in [0, 1], in the shape of the prediction
  sign,             // -1 or 1, in the shape of the prediction
  distribution,     // in the shape of the prediction; along the last axis probabilities that sum to 1
};

// What a prediction is. Metrics with a threshold in [0, 1] convert it to this scale.
enum class Prediction {
  value,            // numbers or probabilities
  logit,            // probability p as log(p / (1 - p)); margins too, whose decision boundary is 0 as well
  log_probability,  // log p
};

}  // namespace xgrad::inline v0::nn
