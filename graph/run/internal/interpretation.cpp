#include <xgrad/graph/run/internal/interpretation.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/internal/infer_types.hpp>
#include <xgrad/graph/machine/internal/float_mode.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {

Interpretation::Interpretation(const Graph& graph, const std::vector<Value>& outputs, const RunOptions& options,
                               const std::vector<std::pair<Value, Shape>>& shapes)
    : graph_(graph),
      random_{graph.options().seed, options.step.value_or(0)},
      first_row_(options.first_row),
      parallel_(options.threads > 0 ? options.threads : default_threads()),
      size_(end_of(outputs)) {
  if (!shapes.empty()) types_ = infer_types(graph, outputs, shapes);
  // A node with an empty result reads no elements.
  needed_ = needed_by(graph, outputs, [&](NodeId id, std::size_t i) {
    return type(id).shape.elements() > 0 && reads_values(*node(id).op, i);
  });
  tensors_.resize(size_);
}

void Interpretation::feed(const Feeds& feeds) {
  std::vector<char> fed(graph_.size(), 0);
  for (const Feed& feed : feeds) {
    if (!feed.input.valid()) throw FeedError("feed: an empty Value is fed");
    try {
      graph_.require(feed.input, "feed");
    } catch (const GraphError& error) {
      throw FeedError(error.message());
    }
    const NodeId id = feed.input.id();
    if (node(id).op->traits.leaf != Leaf::input) {
      throw FeedError(fmt::format("feed: only inputs can be fed, but this is {}", graph_.describe(id)));
    }
    if (fed[id]) throw FeedError(fmt::format("feed {:?}: it is fed twice", graph_.name(id)));
    fed[id] = 1;
    Tensor converted = convert_feed(graph_.name(id), type(id), feed.value);
    if (id < size_) tensors_[id] = std::move(converted);
  }
  for (NodeId id = 0; id < size_; ++id) {
    if (needed_[id] && !fed[id] && node(id).op->traits.leaf == Leaf::input) {
      throw FeedError(fmt::format("evaluate: input {:?} {} was not fed\n  needed for: {}", graph_.name(id),
                                  type(id).str(), needed_for(id)));
    }
  }
}

void Interpretation::replace(const Parameter& parameter, const Tensor& tensor) {
  for (NodeId id = 0; id < size_; ++id) {
    if (node(id).op->traits.leaf == Leaf::parameter && graph_.parameter_of(id) == parameter) tensors_[id] = tensor;
  }
}

void Interpretation::run() {
  const KernelFloatMode mode;
  for (NodeId id = 0; id < size_; ++id) {
    if (!needed_[id]) continue;
    switch (node(id).op->traits.leaf) {
      case Leaf::input: break;
      case Leaf::parameter:
        if (tensors_[id].empty()) tensors_[id] = graph_.parameter_of(id).view();
        break;
      case Leaf::constant: tensors_[id] = graph_.constant_of(id); break;
      case Leaf::none: compute(id); break;
    }
  }
}

std::string Interpretation::needed_for(NodeId input) const {
  for (NodeId id = input + 1; id < size_; ++id) {
    const auto inputs = graph_.inputs(id);
    if (needed_[id] && std::find(inputs.begin(), inputs.end(), input) != inputs.end()) return describe(id);
  }
  return describe(input);
}

Tensor run_kernel(const Graph& graph, NodeId id, std::span<const ConstBuffer> inputs, const TensorType& type,
                  RandomState random, const Parallel& parallel, Index first) {
  const OpDef& op = *graph.node(id).op;
  const Attrs& attrs = graph.attrs(id);
  std::size_t scratch_bytes = 0;
  if (op.scratch_bytes != nullptr) {
    std::vector<TensorType> types;
    for (const ConstBuffer& input : inputs) types.push_back(input.type);
    scratch_bytes = op.scratch_bytes(types, type, attrs);
  }
  const auto scratch = allocate_aligned(scratch_bytes);
  Tensor out(type);
  KernelCall call{&op, inputs, {out.mutable_raw(), type}, &attrs, scratch.get(), random, parallel};
  call.first = first;
  op.kernel(call);
  return out;
}

void Interpretation::compute(NodeId id) {
  const auto inputs = graph_.inputs(id);
  if (type(id).shape.elements() == 0) {
    tensors_[id] = Tensor(type(id));
    return;
  }
  if (node(id).op->traits.view) {
    tensors_[id] = tensors_[inputs[0]].reshaped(type(id).shape);
    return;
  }
  std::vector<ConstBuffer> buffers;
  for (const NodeId i : inputs) buffers.push_back({tensors_[i].raw(), type(i)});
  try {
    tensors_[id] = run_kernel(graph_, id, buffers, type(id), random_, parallel_, first_row_ * graph_.row_elements(id));
  } catch (const ValueError& error) {
    const SourceLocationScope line = SourceLocationScope::instead(graph_.line_of(id), nullptr);
    throw ValueError(fmt::format("{}\n  in {}", error.message(), describe(id)));
  }
}

}  // namespace xgrad::inline v0
