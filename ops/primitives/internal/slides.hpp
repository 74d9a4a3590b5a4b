// Windows that slide over images.
#pragma once

#include <algorithm>

#include <xgrad/graph/op_def.hpp>
#include <xgrad/ops/kernels/kernels.hpp>

namespace xgrad::inline v0 {

// Windows along one axis: window i begins at i * stride - before, and its elements are `dilation` apart.
struct Slide {
  Index extent, window, stride, dilation;
  Index before = 0, after = 0, count = 0;

  Index reach() const { return dilation * (window - 1) + 1; }
  // Position of an element of window i; outside [0, extent) it is padding.
  Index at(Index i, Index element) const { return i * stride - before + element * dilation; }
  bool holds(Index position) const { return position >= 0 && position < extent; }
  // Elements [first, last) of window i lie inside the axis. In closed form: a window may be far longer than the axis.
  Index first(Index i) const { return elements_before(-at(i, 0)); }
  Index last(Index i) const { return std::min(window, elements_before(extent - at(i, 0))); }
  Index elements_before(Index distance) const { return distance <= 0 ? 0 : (distance + dilation - 1) / dilation; }

  // The argument of kernels.
  ConvAxis axis() const { return {extent, count, window, stride, dilation, before}; }

  void pad_same() {
    count = (extent + stride - 1) / stride;
    const Index missing = count == 0 ? 0 : std::max<Index>(0, (count - 1) * stride + reach() - extent);
    before = missing / 2;
    after = missing - before;
  }
  void pad(Index at_begin, Index at_end) {
    before = at_begin;
    after = at_end;
    const Index room = extent + before + after - reach();
    count = room < 0 ? 0 : room / stride + 1;
  }
};

struct Slides {
  Slide rows, columns;

  // Windows of the attribute "window", or of the given extents.
  Slides(const Attrs& attrs, Index height, Index width)
      : Slides(attrs, attrs.ints("window")[0], attrs.ints("window")[1], height, width) {}
  Slides(const Attrs& attrs, Index window_height, Index window_width, Index height, Index width) {
    const std::vector<Index>& strides = attrs.ints("strides");
    const std::vector<Index>& dilation = attrs.ints("dilation");
    const std::vector<Index>& padding = attrs.ints("padding");
    rows = {height, window_height, strides[0], dilation[0]};
    columns = {width, window_width, strides[1], dilation[1]};
    if (padding.empty()) {
      rows.pad_same();
      columns.pad_same();
    } else {
      rows.pad(padding[0], padding[1]);
      columns.pad(padding[2], padding[3]);
    }
  }
  Index elements() const { return rows.window * columns.window; }
};

// Windows along height and width. Throws ShapeError for invalid attributes.
Slides slides_of(const Infer& in, Index height, Index width);
Slides slides_of(const Infer& in, Index window_height, Index window_width, Index height, Index width);

// Throws ShapeError unless x has the shape [batch, height, width, channels].
void require_images(const Infer& in, const Shape& x);

// `stacked` merges the leading axis of a batch rule with the image axis, `unstacked` splits them again.
Value stacked(Value x);
Value unstacked(const Batch& b, Value y, const Shape& one);

}  // namespace xgrad::inline v0
