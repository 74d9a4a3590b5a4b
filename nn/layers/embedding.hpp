// Embedding: a learned vector for each of a number of things, such as the words of a vocabulary.
//
//   nn::Sequential{nn::Embedding(5000, 32), nn::GlobalAveragePool(), nn::Dense(1, nn::sigmoid)}
#pragma once

#include <optional>
#include <string>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

struct EmbeddingOptions {
  Preset preset = Preset::keras;  // keras: uniform(); torch: normal(0, 1)
  std::optional<Initializer> initializer{};
  std::optional<Regularizer> regularizer{};
  std::optional<Regularizer> activity_regularizer{};
  std::optional<Constraint> constraint{};
  bool trainable = true;
  std::string name{};  // of its scope; "embedding" if empty
};

// [...] of numbers from 0 to entries - 1 to [..., outputs]: row i of the table for number i. The numbers are i64, or
// floating ones, which are truncated. The input of a model that begins with an embedding is i64 (ModelOptions). A
// number out of range is a ValueError at run time.
class Embedding : public Layer {
 public:
  Embedding(Index entries, Index outputs, const EmbeddingOptions& options = {},
            SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;
  // [entries, outputs]; not valid before the first call.
  const Parameter& table() const { return table_.parameter(); }

 private:
  Index entries_, outputs_;
  std::optional<Regularizer> activity_regularizer_;
  Weight table_;
};

}  // namespace xgrad::inline v0::nn
