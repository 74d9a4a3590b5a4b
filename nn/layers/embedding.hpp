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
  // Updates only the rows that a batch used, so that a step costs the same for any number of entries. See Embedding.
  bool sparse = false;
  std::string name{};  // scope name; "embedding" if empty
};

// A table of learned vectors, looked up by index, such as the words of a vocabulary.
//
//   nn::Sequential{nn::Embedding(5000, 32), nn::GlobalAveragePool(), nn::Dense(1, nn::sigmoid)}
//
// Maps indices [...] in [0, entries) to [..., outputs]: row i of the table for index i. Indices are i64; floating-point
// indices are truncated. A model that begins with an embedding has i64 input (ModelOptions). An index out of range
// throws ValueError when the plan runs.
//
// SGD without momentum and Adagrad update only the rows that a batch used, with the same result as an update of all
// rows. Other optimizers change the other rows, too: moments decay, and weights decay. With `sparse`, they leave rows
// that a batch did not use as they are, as `sparse = True` with torch.optim.SparseAdam does: moments of a row decay
// only in the steps that use it, and the bias correction of Adam counts all steps. Updates are of all rows if the table
// has other uses, a regularizer or a constraint, and with the options ema_momentum and accumulate of the optimizer.
class Embedding : public Layer {
 public:
  Embedding(Index entries, Index outputs, const EmbeddingOptions& options = {},
            SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;
  // The table, [entries, outputs]; not valid before the first call.
  const Parameter& table() const { return table_.parameter(); }

 private:
  Index entries_, outputs_;
  bool sparse_;
  std::optional<Regularizer> activity_regularizer_;
  Weight table_;
};

}  // namespace xgrad::inline v0::nn
