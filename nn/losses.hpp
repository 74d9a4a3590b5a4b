// Losses: what training makes small. Each is a named function of prediction and target, the mean over the batch.
//
//   model.compile({.loss = nn::categorical_crossentropy, ...});
//   nn::Loss cubic{"cubic", [](Value p, Value t) { return mean(abs(p - t) * square(p - t)); }};
#pragma once

#include <functional>
#include <string>

#include <xgrad/ops/ops.hpp>

namespace xgrad::nn {

// What a target is: numbers in the shape of the prediction, or the number of a class (i64) in place of the last axis.
enum class Target { like_prediction, class_number };

struct Loss {
  std::string name;
  std::function<Value(Value prediction, Value target)> apply;  // a scalar
  Target target = Target::like_prediction;
  // Needed for data with weights alone: the loss of each row, or of each of its numbers, [rows, ...].
  std::function<Value(Value prediction, Value target)> each{};
};

inline const Loss mean_squared_error{"mean_squared_error", [](Value p, Value t) { return xgrad::mse(p, t); },
                                     Target::like_prediction,
                                     [](Value p, Value t) { return xgrad::mse(p, t, Reduction::none); }};

// From probabilities, as softmax gives them; see the functions of the same names in ops.hpp. Targets one-hot.
inline const Loss categorical_crossentropy{
    "categorical_crossentropy", [](Value p, Value t) { return xgrad::categorical_crossentropy(p, t); },
    Target::like_prediction,
    [](Value p, Value t) { return xgrad::categorical_crossentropy(p, t, {.reduction = Reduction::none}); }};
inline const Loss categorical_crossentropy_from_logits{
    "categorical_crossentropy_from_logits",
    [](Value p, Value t) { return xgrad::categorical_crossentropy_from_logits(p, t); }, Target::like_prediction,
    [](Value p, Value t) { return xgrad::categorical_crossentropy_from_logits(p, t, {.reduction = Reduction::none}); }};

// The same with targets that are class numbers.
inline const Loss sparse_categorical_crossentropy{
    "sparse_categorical_crossentropy", [](Value p, Value t) { return xgrad::sparse_categorical_crossentropy(p, t); },
    Target::class_number,
    [](Value p, Value t) { return xgrad::sparse_categorical_crossentropy(p, t, {.reduction = Reduction::none}); }};
inline const Loss sparse_categorical_crossentropy_from_logits{
    "sparse_categorical_crossentropy_from_logits",
    [](Value p, Value t) { return xgrad::sparse_categorical_crossentropy_from_logits(p, t); }, Target::class_number,
    [](Value p, Value t) {
      return xgrad::sparse_categorical_crossentropy_from_logits(p, t, {.reduction = Reduction::none});
    }};

}  // namespace xgrad::nn
