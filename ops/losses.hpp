// Losses: how far predictions are from what they should be.
//
// Predictions and targets have equal shapes, or the function says otherwise; [n] against [n, 1] is refused. What a loss
// combines is an element or, where it says so, a row: the last axis, which holds the classes. `reduction` says what
// becomes of them.
#pragma once

#include <initializer_list>
#include <optional>
#include <vector>

#include <xgrad/ops/apply.hpp>
#include <xgrad/ops/defaults.hpp>

namespace xgrad::inline v0 {

// Every loss by itself, their mean, their sum.
enum class Reduction { none, mean, sum };

// ---- of numbers, element by element; e is prediction - target

// e^2.
Value mse(Operand prediction, Operand target, Reduction reduction = Reduction::mean);
// |e|; derivative 0 at 0.
Value mae(Operand prediction, Operand target, Reduction reduction = Reduction::mean);
// e^2 / 2 where |e| <= delta, beyond delta (|e| - delta / 2). Huber: "Robust estimation of a location parameter", 1964.
Value huber(Operand prediction, Operand target, double delta = default_huber_delta,
            Reduction reduction = Reduction::mean);
// huber / beta: e^2 / (2 beta) where |e| <= beta, beyond |e| - beta / 2. With beta = 0 it is mae.
Value smooth_l1(Operand prediction, Operand target, double beta = default_smooth_l1_beta,
                Reduction reduction = Reduction::mean);
// log(cosh(e)), without overflow.
Value log_cosh(Operand prediction, Operand target, Reduction reduction = Reduction::mean);

// ---- of truth values, element by element; the target is the probability that the element holds

struct BinaryOptions {
  double label_smoothing = default_label_smoothing;  // the target t becomes t (1 - s) + s / 2
  double positive_weight = default_positive_weight;  // of the part of the loss that the target weighs
};
// -w t log p - (1 - t) log(1 - p). Predictions are clipped to [1e-7, 1 - 1e-7] as Keras does, except that sigmoid's own
// output is taken back to its logits, which is exact at any logits.
Value binary_crossentropy(Operand prediction, Operand target, const BinaryOptions& options = {},
                          Reduction reduction = Reduction::mean);
Value binary_crossentropy_from_logits(Operand logits, Operand target, const BinaryOptions& options = {},
                                      Reduction reduction = Reduction::mean);
// max(0, 1 - t p) with targets -1 and 1; derivative 0 at the kink.
Value hinge(Operand prediction, Operand target, Reduction reduction = Reduction::mean);

// ---- of classes, row by row

// A weight for each class: a list of numbers, or a vector of the graph that the loss is used in. By default none.
class ClassWeights {
 public:
  ClassWeights() = default;
  ClassWeights(Value vector) : vector_(vector) {}
  ClassWeights(std::vector<double> numbers) : numbers_(std::move(numbers)) {}
  ClassWeights(std::initializer_list<double> numbers) : numbers_(numbers) {}

  bool given() const { return vector_.valid() || !numbers_.empty(); }
  // The vector: numbers become a constant of that dtype in the graph of `beside`. Not valid if there are no weights.
  Value vector(Value beside, DType dtype) const;

 private:
  Value vector_{};
  std::vector<double> numbers_{};
};

struct ClassOptions {
  double label_smoothing = default_label_smoothing;  // the target t becomes t (1 - s) + s / classes
  ClassWeights class_weights{};                      // the part of the loss of each class is multiplied by its weight
  // Rows of this label, which need not be a class, count for nothing. Only with labels.
  std::optional<Index> ignored_label{};
};
// The mean of these losses is the sum over the number of rows; with labels over that of rows that count or, if there
// are class weights, over the sum of the weights of their labels, as in PyTorch: NaN if no row counts.

// What each label counts in these means: its class weight, or 1, and 0 for the ignored label. Has the labels' shape.
Value label_weights(Operand labels, DType dtype, const ClassOptions& options);
// -sum(t log p). `target` holds probabilities over the last axis, `prediction` probabilities of the same shape.
// Predictions are normalized and clipped to [1e-7, 1 - 1e-7] as Keras does, except that softmax's own output is taken
// back to its logits, which is exact at any logits.
Value categorical_crossentropy(Operand prediction, Operand target, const ClassOptions& options = {},
                               Reduction reduction = Reduction::mean);
Value categorical_crossentropy_from_logits(Operand logits, Operand target, const ClassOptions& options = {},
                                           Reduction reduction = Reduction::mean);
// `labels` are class numbers (i64), of the prediction's shape without its last axis. Throws ValueError at run time for
// a label outside [0, classes) that is not the ignored one.
Value sparse_categorical_crossentropy(Operand prediction, Operand labels, const ClassOptions& options = {},
                                      Reduction reduction = Reduction::mean);
Value sparse_categorical_crossentropy_from_logits(Operand logits, Operand labels, const ClassOptions& options = {},
                                                  Reduction reduction = Reduction::mean);
// The same from logarithms of probabilities: -log p of the labeled class. Negative log-likelihood.
Value nll(Operand log_probabilities, Operand labels, const ClassOptions& options = {},
          Reduction reduction = Reduction::mean);
// sum(t (log t - log p)) from logarithms of probabilities; 0 where t is 0. The mean is that over rows, which PyTorch
// calls "batchmean". Kullback and Leibler: "On information and sufficiency", 1951.
Value kl_divergence(Operand log_probabilities, Operand target, Reduction reduction = Reduction::mean);

// ---- of vectors, row by row

// a . b / (max(|a|, epsilon) max(|b|, epsilon)) along an axis, which is left out.
Value cosine_similarity(Operand a, Operand b, Index axis = -1, double epsilon = 1e-8);
// With s the similarity of two rows, 1 - s where they should be alike (target 1), max(0, s - margin) where they should
// not (target -1). The target, of any dtype of numbers, has the shape of a and b without the last axis.
Value cosine_embedding(Operand a, Operand b, Operand target, double margin = 0, Reduction reduction = Reduction::mean);
// max(0, |a - p| - |a - n| + margin) with an anchor, something like it and something unlike it. As in PyTorch 1e-6 is
// added to each difference, so that the derivative exists where two rows are equal.
Value triplet_margin(Operand anchor, Operand positive, Operand negative, double margin = 1,
                     Reduction reduction = Reduction::mean);

}  // namespace xgrad::inline v0
