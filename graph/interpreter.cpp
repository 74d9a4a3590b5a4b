#include <xgrad/graph/interpreter.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/graph/float_mode.hpp>

namespace xgrad {
namespace {

// Whether the numbers survive the change of dtype with nothing lost but precision; otherwise what would be lost.
std::string lost_in_conversion(const Tensor& value, DType to) {
  if (is_floating(value.dtype()) && !is_floating(to)) return "fractions would be lost";
  if (value.dtype() == DType::i64 && to == DType::boolean) {
    const auto numbers = value.values<std::int64_t>();
    const auto bad = std::find_if(numbers.begin(), numbers.end(), [](auto n) { return n != 0 && n != 1; });
    if (bad != numbers.end()) return fmt::format("{} is neither 0 nor 1", *bad);
  }
  if (value.dtype() == DType::f64 && to == DType::f32) {
    const auto numbers = value.values<double>();
    const auto bad = std::find_if(numbers.begin(), numbers.end(),
                                  [](double n) { return std::isfinite(n) && !std::isfinite(static_cast<float>(n)); });
    if (bad != numbers.end()) return fmt::format("{} is too large", *bad);
  }
  return {};
}

class Interpreter {
 public:
  Interpreter(Graph& graph, const std::vector<Value>& outputs, const RunOptions& options)
      : graph_(graph),
        random_{graph.options().seed, options.step},
        parallel_(options.threads > 0 ? options.threads : default_threads()) {
    for (const Value v : outputs) size_ = std::max(size_, v.id() + 1);
    needed_.assign(size_, 0);
    for (const Value v : outputs) needed_[v.id()] = 1;
    for (NodeId id = size_; id-- > 0;) {
      if (!needed_[id]) continue;
      const auto inputs = graph_.inputs(id);
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!node(id).op->shape_only(static_cast<int>(i))) needed_[inputs[i]] = 1;
      }
    }
    numbers_.resize(size_);
  }

  void feed(const Feeds& feeds) {
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
        throw FeedError(fmt::format("feed: only inputs are fed, but this is {}", graph_.describe(id)));
      }
      if (fed[id]) throw FeedError(fmt::format("feed {:?}: it is fed twice", graph_.name(id)));
      fed[id] = 1;
      Tensor converted = convert_feed(graph_.name(id), node(id).type, feed.value);
      if (id < size_) numbers_[id] = std::move(converted);
    }
    for (NodeId id = 0; id < size_; ++id) {
      if (needed_[id] && !fed[id] && node(id).op->traits.leaf == Leaf::input) {
        throw FeedError(fmt::format("evaluate: input {:?} {} was not fed\n  needed for: {}", graph_.name(id),
                                    node(id).type.str(), needed_for(id)));
      }
    }
  }

  void run() {
    for (NodeId id = 0; id < size_; ++id) {
      if (!needed_[id]) continue;
      switch (node(id).op->traits.leaf) {
        case Leaf::input: break;
        case Leaf::parameter: numbers_[id] = graph_.parameter_of(id).view(); break;
        case Leaf::constant: numbers_[id] = graph_.constant_of(id); break;
        case Leaf::none: compute(id); break;
      }
    }
  }

  // Owned by the caller alone: a leaf's numbers may be borrowed or change later.
  Tensor result(NodeId id) const { return numbers_[id].clone(); }

 private:
  const Node& node(NodeId id) const { return graph_.node(id); }

  std::string needed_for(NodeId input) const {
    for (NodeId id = input + 1; id < size_; ++id) {
      const auto inputs = graph_.inputs(id);
      if (needed_[id] && std::find(inputs.begin(), inputs.end(), input) != inputs.end()) return graph_.describe(id);
    }
    return graph_.describe(input);
  }

  void compute(NodeId id) {
    const OpDef& op = *node(id).op;
    const TensorType& type = node(id).type;
    const auto inputs = graph_.inputs(id);
    if (op.traits.view) {
      numbers_[id] = numbers_[inputs[0]].reshaped(type.shape);
      return;
    }
    Tensor out(type);
    if (type.shape.elements() > 0) {
      std::vector<ConstBuffer> buffers;
      std::vector<TensorType> types;
      for (const NodeId i : inputs) {
        buffers.push_back({numbers_[i].raw(), node(i).type});
        types.push_back(node(i).type);
      }
      const Attrs& attrs = graph_.attrs(id);
      const auto scratch = allocate_aligned(op.scratch_bytes ? op.scratch_bytes(types, type, attrs) : 0);
      try {
        op.kernel({&op, buffers, {out.mutable_raw(), type}, &attrs, scratch.get(), random_, parallel_});
      } catch (const ValueError& error) {
        const LineGuard line = LineGuard::instead(node(id).line, nullptr);
        throw ValueError(fmt::format("{}\n  in {}", error.message(), graph_.describe(id)));
      }
    }
    numbers_[id] = std::move(out);
  }

  const Graph& graph_;
  RandomState random_;
  Parallel parallel_;
  NodeId size_ = 0;  // nodes beyond the last result do not matter
  std::vector<char> needed_;
  std::vector<Tensor> numbers_;  // by node; empty where not needed
};

}  // namespace

std::vector<Tensor> evaluate(const std::vector<Value>& values, const Feeds& feeds, const RunOptions& options) {
  if (values.empty()) return {};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i].valid()) throw GraphError(fmt::format("evaluate: value {} is empty", i));
    values[0].graph().require(values[i], "evaluate");
  }
  Interpreter interpreter(values[0].graph(), values, options);
  interpreter.feed(feeds);
  const FlushDenormals mode;
  interpreter.run();
  std::vector<Tensor> out;
  for (const Value v : values) out.push_back(interpreter.result(v.id()));
  return out;
}

Tensor evaluate(Value value, const Feeds& feeds, const RunOptions& options) {
  return evaluate(std::vector<Value>{value}, feeds, options)[0];
}

Tensor convert_feed(const std::string& name, const TensorType& expected, const Tensor& value) {
  const auto fail = [&](const std::string& why) {
    throw FeedError(fmt::format("feed {:?}: expected {}, got {}{}", name, expected.str(),
                                value.empty() ? "an empty Tensor" : value.type().str(), why));
  };
  if (value.empty() || value.shape() != expected.shape) fail("");
  if (value.dtype() == expected.dtype) return value;
  if (const std::string lost = lost_in_conversion(value, expected.dtype); !lost.empty()) fail(": " + lost);
  return value.cast(expected.dtype);
}

}  // namespace xgrad
