#include <xgrad/nn/layers/embedding.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

Embedding::Embedding(Index entries, Index outputs, const EmbeddingOptions& options, SourceLocation at)
    : Layer("embedding", options.name, options.trainable, at),
      entries_(entries),
      outputs_(outputs),
      sparse_(options.sparse),
      activity_regularizer_(options.activity_regularizer),
      table_(weight("table",
                    options.initializer.value_or(defaults(options.preset).embedding_normal ? normal(0, 1) : uniform()),
                    {.regularizer = options.regularizer, .constraint = options.constraint})) {
  const SourceLocationScope line(at, nullptr);
  if (entries < 1 || outputs < 1) {
    throw UserError(fmt::format("{}: entries and outputs must be at least 1, got {} and {}", name(), entries, outputs));
  }
}

Value Embedding::operator()(Operand x) const {
  const auto scope = open(x);
  Graph& graph = x.graph();
  if (x.dtype() == boolean) {
    throw DTypeError(
        fmt::format("{}: the input must hold indices, not booleans\n  input: {}", graph.current_scope(), x.describe()));
  }
  const Value indices = x.dtype() == i64 ? x : cast(x, i64);
  const Value y = embedding(table_(graph, {entries_, outputs_}, graph.options().dtype), indices, sparse_);
  add_activity_penalty(activity_regularizer_, y);
  return y;
}

}  // namespace xgrad::inline v0::nn
