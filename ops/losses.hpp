// Loss functions.
//
// Predictions and targets have equal shapes, unless the function says otherwise; [n] against [n, 1] throws ShapeError.
// A loss is computed per element or, for classes and vectors, per row: a row is a slice along the last axis.
#pragma once

#include <initializer_list>
#include <optional>
#include <vector>

#include <xgrad/ops/apply.hpp>
#include <xgrad/ops/defaults.hpp>

namespace xgrad::inline v0 {

// `none` returns the loss of each element or row; `mean` and `sum` return a scalar.
enum class Reduction { none, mean, sum };

// ---- regression, per element; e is prediction - target

// Squared error e^2.
Value mse(Operand prediction, Operand target, Reduction reduction = Reduction::mean);
// Absolute error |e|; derivative 0 at 0.
Value mae(Operand prediction, Operand target, Reduction reduction = Reduction::mean);
// e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2). Huber: "Robust estimation of a location parameter", 1964.
Value huber(Operand prediction, Operand target, double delta = default_huber_delta,
            Reduction reduction = Reduction::mean);
// huber / beta: e^2 / (2 beta) where |e| <= beta, else |e| - beta / 2. beta = 0 gives mae.
Value smooth_l1(Operand prediction, Operand target, double beta = default_smooth_l1_beta,
                Reduction reduction = Reduction::mean);
// log(cosh(e)), without overflow.
Value log_cosh(Operand prediction, Operand target, Reduction reduction = Reduction::mean);

// ---- binary classification, per element; the target is the probability of the positive class

// Options of binary cross-entropy.
struct BinaryOptions {
  double label_smoothing = default_label_smoothing;  // the target t becomes t (1 - s) + s / 2
  double positive_weight = default_positive_weight;  // weight w of the positive class
};
// Binary cross-entropy -w t log p - (1 - t) log(1 - p). Predictions are clipped to [1e-7, 1 - 1e-7], as in Keras. If
// the prediction is a sigmoid node, the loss is computed from its logits instead, without clipping.
Value binary_crossentropy(Operand prediction, Operand target, const BinaryOptions& options = {},
                          Reduction reduction = Reduction::mean);
// Binary cross-entropy of sigmoid(logits), without overflow.
Value binary_crossentropy_from_logits(Operand logits, Operand target, const BinaryOptions& options = {},
                                      Reduction reduction = Reduction::mean);
// Hinge loss max(0, 1 - t p) with targets -1 and 1; derivative 0 at the kink.
Value hinge(Operand prediction, Operand target, Reduction reduction = Reduction::mean);

// ---- classification, per row

// Loss weight of each class, by default none: a list of numbers, or a Value [classes] in the prediction's dtype.
class ClassWeights {
 public:
  ClassWeights() = default;
  ClassWeights(Value vector) : vector_(vector) {}
  ClassWeights(std::vector<double> numbers) : numbers_(std::move(numbers)) {}
  ClassWeights(std::initializer_list<double> numbers) : numbers_(numbers) {}

  bool given() const { return vector_.valid() || !numbers_.empty(); }
  // The weights as a Value, empty without weights. A list becomes a constant of `dtype` in the graph of `beside`.
  Value vector(Value beside, DType dtype) const;

 private:
  Value vector_{};
  std::vector<double> numbers_{};
};

// Options of classification losses.
struct ClassOptions {
  double label_smoothing = default_label_smoothing;  // the target t becomes t (1 - s) + s / classes
  ClassWeights class_weights{};                      // factor of each class's part of the loss; 1 if not given
  // Rows with this label are ignored. The label need not be a class. Only for losses that take labels.
  std::optional<Index> ignored_label{};
};
// Reduction::mean divides by the number of rows. Losses that take labels divide by the number of rows not ignored or,
// with class weights, by the sum of the label weights, as in PyTorch. The mean is NaN if all rows are ignored.

// Weight of each label in the mean, in the shape of `labels`: its class weight or 1, and 0 for the ignored label.
Value label_weights(Operand labels, DType dtype, const ClassOptions& options);
// Cross-entropy -sum(t log p). `prediction` and `target` hold probabilities over the last axis. Predictions are
// normalized and clipped to [1e-7, 1 - 1e-7], as in Keras. If the prediction is a softmax node over the last axis, the
// loss is computed from its logits instead, without clipping.
Value categorical_crossentropy(Operand prediction, Operand target, const ClassOptions& options = {},
                               Reduction reduction = Reduction::mean);
// Cross-entropy of softmax(logits), without overflow.
Value categorical_crossentropy_from_logits(Operand logits, Operand target, const ClassOptions& options = {},
                                           Reduction reduction = Reduction::mean);
// Cross-entropy -log p of the labeled class. `labels` are class indices (i64) in the prediction's shape without the
// last axis. Throws ValueError at run time for a label outside [0, classes), unless it is the ignored label.
Value sparse_categorical_crossentropy(Operand prediction, Operand labels, const ClassOptions& options = {},
                                      Reduction reduction = Reduction::mean);
// The same for softmax(logits), without overflow.
Value sparse_categorical_crossentropy_from_logits(Operand logits, Operand labels, const ClassOptions& options = {},
                                                  Reduction reduction = Reduction::mean);
// Negative log-likelihood: -log p of the labeled class, from log-probabilities.
Value nll(Operand log_probabilities, Operand labels, const ClassOptions& options = {},
          Reduction reduction = Reduction::mean);
// Kullback-Leibler divergence sum(t (log t - log p)), from log-probabilities; terms with t = 0 are 0. `mean` averages
// over rows, PyTorch's "batchmean". Kullback and Leibler: "On information and sufficiency", 1951.
Value kl_divergence(Operand log_probabilities, Operand target, Reduction reduction = Reduction::mean);

// ---- vectors, per row

// Cosine similarity a . b / (max(|a|, epsilon) max(|b|, epsilon)) along an axis, which is removed.
Value cosine_similarity(Operand a, Operand b, Index axis = -1, double epsilon = 1e-8);
// Cosine embedding loss. With s the cosine similarity of two rows, it is 1 - s where the target is 1 (similar rows) and
// max(0, s - margin) where it is -1 (dissimilar rows). The target has any dtype except bool, and the shape of a and b
// without the last axis.
Value cosine_embedding(Operand a, Operand b, Operand target, double margin = 0, Reduction reduction = Reduction::mean);
// Triplet loss max(0, |a - p| - |a - n| + margin) for an anchor a, a positive example p and a negative example n. 1e-6
// is added to each difference, as in PyTorch, so that the derivative exists where two rows are equal.
Value triplet_margin(Operand anchor, Operand positive, Operand negative, double margin = 1,
                     Reduction reduction = Reduction::mean);

}  // namespace xgrad::inline v0
