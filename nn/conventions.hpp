// Conventions for predictions and targets. A loss declares them; data checks and metrics follow them.
#pragma once

namespace xgrad::inline v0::nn {

// The meaning of a target.
enum class Target {
  like_prediction,  // any values; shape of the prediction
  class_number,     // class index (i64); shape of the prediction without its last axis
  probability,      // values in [0, 1]; shape of the prediction
  sign,             // -1 or 1; shape of the prediction
  distribution,     // probabilities that sum to 1 along the last axis; shape of the prediction
};

// The scale of a prediction. Metrics with a threshold in [0, 1] convert predictions to probabilities.
enum class Prediction {
  value,            // any values or probabilities
  logit,            // log(p / (1 - p)) of a probability p; also margins, whose decision boundary is 0 too
  log_probability,  // log p
};

}  // namespace xgrad::inline v0::nn
