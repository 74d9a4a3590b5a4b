// Embedding.
#pragma once

#include <optional>
#include <string>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

// Options of Embedding.
struct EmbeddingOptions {
  Preset preset = Preset::keras;  // keras: uniform(); torch: normal(0, 1)
  std::optional<Initializer> initializer{};
  std::optional<Regularizer> regularizer{};
  std::optional<Regularizer> activity_regularizer{};
  std::optional<Constraint> constraint{};
  bool trainable = true;
  std::string name{};  // scope name; "embedding" if empty
};

// A table of learned vectors, looked up by index, such as the words of a vocabulary.
//
//   nn::Sequential{nn::Embedding(5000, 32), nn::GlobalAveragePool(), nn::Dense(1, nn::sigmoid)}
//
// Maps indices [...] in [0, entries) to [..., outputs]: row i of the table for index i. Indices are i64; floating-point
// indices are truncated. A model that begins with an embedding has i64 input (ModelOptions). An index out of range
// throws ValueError when the plan runs.
class Embedding : public Layer {
 public:
  Embedding(Index entries, Index outputs, const EmbeddingOptions& options = {},
            SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;
  // The table, [entries, outputs]; not valid before the first call.
  const Parameter& table() const { return table_.parameter(); }

 private:
  Index entries_, outputs_;
  std::optional<Regularizer> activity_regularizer_;
  Weight table_;
};

}  // namespace xgrad::inline v0::nn
