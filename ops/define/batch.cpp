#include <xgrad/ops/define/batch.hpp>

#include <algorithm>
#include <vector>

#include <xgrad/graph/graph.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// The extents [size, 1, ..., 1, behind...], with at least `rank` axes behind the first.
std::vector<Index> extents_of(const Batch& b, const Shape& behind, int rank) {
  std::vector<Index> out{b.size()};
  out.resize(1 + static_cast<std::size_t>(std::max(0, rank - behind.rank())), 1);
  out.insert(out.end(), behind.begin(), behind.end());
  return out;
}

Shape without_first(const Shape& shape) { return Shape(std::span(shape.begin() + 1, shape.end())); }

Value again(const Batch& b, const std::vector<Value>& inputs, Attrs attrs) {
  return b.output().graph().apply(*b.output().node().op, inputs, std::move(attrs));
}

Value along_axes(const Batch& b, const std::vector<Value>& inputs) {
  Attrs attrs = b.attrs();
  if (attrs.has("axis")) attrs.set("axis", attrs.integer("axis") + 1);
  if (attrs.has("axes")) {
    Axes axes = attrs.ints("axes");
    for (Index& axis : axes) ++axis;
    attrs.set("axes", axes);
  }
  return again(b, inputs, std::move(attrs));
}

}  // namespace

Value batch_reshape(const Batch& b, Value x, const Shape& behind) {
  const std::vector<Index> extents = extents_of(b, behind, 0);
  return x.shape() == Shape(extents) ? x : reshape(x, extents);
}

Value batch_input(const Batch& b, int i) {
  const Value x = b.input(i);
  return b.batched(i) ? x : broadcast_to(x, Shape(extents_of(b, x.shape(), 0)));
}

Value batch_broadcast(const Batch& b) {
  int rank = 0;
  for (int i = 0; i < b.count(); ++i) rank = std::max(rank, b.input(i).shape().rank() - (b.batched(i) ? 1 : 0));
  std::vector<Value> inputs;
  for (int i = 0; i < b.count(); ++i) {
    const Value x = b.input(i);
    const bool aligned = !b.batched(i) || x.shape().rank() == rank + 1;
    inputs.push_back(aligned ? x : reshape(x, extents_of(b, without_first(x.shape()), rank)));
  }
  return again(b, inputs, b.attrs());
}

Value batch_along_axes(const Batch& b) {
  std::vector<Value> inputs;
  for (int i = 0; i < b.count(); ++i) inputs.push_back(batch_input(b, i));
  return along_axes(b, inputs);
}

Value batch_along_axes_of(const Batch& b, std::initializer_list<int> which) {
  std::vector<Value> inputs;
  for (int i = 0; i < b.count(); ++i) inputs.push_back(b.input(i));
  for (const int i : which) inputs[static_cast<std::size_t>(i)] = batch_input(b, i);
  return along_axes(b, inputs);
}

}  // namespace xgrad::inline v0
