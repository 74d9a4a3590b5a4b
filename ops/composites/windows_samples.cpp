// Samples of convolutions, pooling and normalization.
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {

std::vector<Composite> window_composites();

namespace {

using Inputs = std::span<const Value>;

// ---- convolutions; the numbers stand in one list: strides, dilation, padding (none for "same"), groups

Attrs numbers(Axes strides, Axes dilation, Axes padding, Index groups) {
  return {{"strides", std::move(strides)},
          {"dilation", std::move(dilation)},
          {"padding", std::move(padding)},
          {"groups", groups}};
}
Padding padding_of(const Attrs& a) {
  const std::vector<Index>& p = a.ints("padding");
  if (p.empty()) return "same";
  if (p.size() == 1) return p[0];
  if (p.size() == 2) return {p[0], p[1]};
  if (p.size() == 3) return {p[0], p[1], p[2]};
  return {p[0], p[1], p[2], p[3]};
}
ConvWindow2D options_2d(const Attrs& a) {
  const auto pair = [&](const char* what) { return HeightWidth(a.ints(what)[0], a.ints(what)[1]); };
  return {.strides = pair("strides"),
          .padding = padding_of(a),
          .dilation = pair("dilation"),
          .groups = a.integer("groups")};
}
ConvWindow1D options_1d(const Attrs& a) {
  return {.stride = a.ints("strides")[0],
          .padding = padding_of(a),
          .dilation = a.ints("dilation")[0],
          .groups = a.integer("groups")};
}

Sample sample(const char* label, Shape x, Shape kernel, Attrs attrs) {
  const bool nothing = x.elements() == 0;
  return {label, {{x}, {kernel}}, std::move(attrs), 0, nothing, nothing};
}

std::vector<BadSample> bad_convolutions() {
  const Tensor x({1, 4, 4, 4});
  const Tensor k({3, 3, 4, 2});
  return {
      {"rank", {Tensor({4, 4, 4}), k}, numbers({1, 1}, {1, 1}, {0}, 1), "x must be [batch, height, width, channels]"},
      {"kernel", {x, Tensor({3, 4, 2})}, numbers({1, 1}, {1, 1}, {0}, 1), "the kernel must be [height, width,"},
      {"channels", {x, Tensor({3, 3, 3, 2})}, numbers({1, 1}, {1, 1}, {0}, 1), "channels"},
      {"no groups", {x, k}, numbers({1, 1}, {1, 1}, {0}, 0), "a number of groups of 0 is not from 1"},
      {"stride", {x, k}, numbers({0, 1}, {1, 1}, {0}, 1), "stride 0 is not from 1"},
      {"dilation", {x, k}, numbers({1, 1}, {1, -1}, {0}, 1), "dilation -1 is not from 1"},
      {"padding", {x, k}, numbers({1, 1}, {1, 1}, {-2}, 1), "padding -2 is not from 0"},
      {"three paddings", {x, k}, numbers({1, 1}, {1, 1}, {1, 1, 1}, 1), "3 numbers of padding"},
      {"two dtypes", {x, Tensor({3, 3, 4, 2}, f64)}, numbers({1, 1}, {1, 1}, {0}, 1), "both the same"},
      {"integers",
       {Tensor({1, 4, 4, 4}, i64), Tensor({3, 3, 4, 2}, i64)},
       numbers({1, 1}, {1, 1}, {0}, 1),
       "f32 or f64"}};
}

std::vector<BadSample> with(std::vector<BadSample> some, std::vector<BadSample> more) {
  some.insert(some.end(), more.begin(), more.end());
  return some;
}

std::vector<Composite> convolutions() {
  const Axes ones{1, 1};
  return {
      {"conv2d",
       "Convolution of images.",
       [](Inputs x, const Attrs& a) { return conv2d(x[0], x[1], options_2d(a)); },
       {sample("valid", {2, 5, 4, 2}, {3, 2, 2, 3}, numbers(ones, ones, {0}, 1)),
        sample("one pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, numbers(ones, ones, {0}, 1)),
        sample("pixel by pixel", {2, 3, 3, 4}, {1, 1, 4, 3}, numbers(ones, ones, {0}, 1)),
        sample("same, strides", {1, 5, 4, 2}, {3, 3, 2, 2}, numbers({2, 1}, ones, {}, 1)),
        sample("padded and dilated", {1, 5, 6, 1}, {2, 3, 1, 2}, numbers({1, 2}, {2, 1}, {1, 0, 2, 1}, 1)),
        sample("groups", {1, 3, 4, 4}, {2, 2, 2, 6}, numbers(ones, ones, {1, 0}, 2)),
        sample("each channel by itself", {1, 4, 4, 3}, {2, 2, 1, 6}, numbers(ones, ones, {1}, 3)),
        sample("many filters", {1, 2, 3, 3}, {2, 2, 3, 17}, numbers(ones, ones, {0}, 1)),
        sample("no image", {0, 3, 3, 1}, {2, 2, 1, 2}, numbers(ones, ones, {0}, 1))},
       with(bad_convolutions(), {{"groups of channels",
                                  {Tensor({1, 3, 3, 4}), Tensor({2, 2, 1, 6})},
                                  numbers(ones, ones, {0}, 3),
                                  "4 channels in 3 groups do not meet the 1 of the kernel"},
                                 {"groups of filters",
                                  {Tensor({1, 3, 3, 4}), Tensor({2, 2, 2, 3})},
                                  numbers(ones, ones, {0}, 2),
                                  "3 filters do not fall into 2 groups"},
                                 {"too large a kernel",
                                  {Tensor({1, 2, 4, 1}), Tensor({3, 3, 1, 1})},
                                  numbers(ones, ones, {0}, 1),
                                  "a window of height 3 does not fit into 2"}})},
      {"conv1d",
       "Convolution of sequences.",
       [](Inputs x, const Attrs& a) { return conv1d(x[0], x[1], options_1d(a)); },
       {sample("valid", {2, 7, 2}, {3, 2, 3}, numbers({1}, {1}, {0}, 1)),
        sample("causal", {1, 6, 2}, {2, 2, 2}, numbers({1}, {2}, {2, 0}, 1)),
        sample("same, strides, groups", {1, 7, 4}, {3, 2, 2}, numbers({2}, {1}, {}, 2)),
        sample("one element", {1, 1, 1}, {1, 1, 1}, numbers({1}, {1}, {0}, 1)),
        sample("no sequence", {0, 5, 2}, {3, 2, 3}, numbers({1}, {1}, {0}, 1))},
       {{"rank",
         {Tensor({1, 4, 4, 1}), Tensor({3, 1, 1})},
         numbers({1}, {1}, {0}, 1),
         "conv1d: x must be [batch, length"},
        {"four paddings",
         {Tensor({1, 4, 1}), Tensor({3, 1, 1})},
         numbers({1}, {1}, {1, 1, 1, 1}, 1),
         "4 numbers of padding"},
        {"channels",
         {Tensor({1, 4, 2}), Tensor({3, 1, 1})},
         numbers({1}, {1}, {0}, 1),
         "conv1d: 2 channels in 1 groups"}}},
      {"conv2d_transpose",
       "The derivative of conv2d by its input.",
       [](Inputs x, const Attrs& a) { return conv2d_transpose(x[0], x[1], options_2d(a)); },
       {sample("valid", {2, 3, 2, 3}, {2, 3, 2, 3}, numbers(ones, ones, {0}, 1)),
        sample("strides", {1, 2, 3, 2}, {3, 2, 1, 2}, numbers({2, 3}, ones, {1, 0}, 1)),
        sample("same, strides", {1, 2, 3, 2}, {3, 3, 2, 2}, numbers({2, 2}, ones, {}, 1)),
        sample("dilation", {1, 3, 3, 1}, {2, 2, 1, 1}, numbers(ones, {2, 3}, {0, 1, 0, 0}, 1)),
        sample("groups", {1, 2, 2, 4}, {2, 2, 3, 4}, numbers(ones, ones, {0}, 2)),
        sample("each channel by itself", {1, 2, 3, 3}, {2, 2, 2, 3}, numbers({2, 1}, ones, {0}, 3)),
        sample("one pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, numbers(ones, ones, {0}, 1)),
        sample("no image", {0, 2, 2, 1}, {2, 2, 2, 1}, numbers(ones, ones, {0}, 1))},
       with(bad_convolutions(), {{"groups of channels",
                                  {Tensor({1, 3, 3, 4}), Tensor({2, 2, 1, 4})},
                                  numbers(ones, ones, {0}, 3),
                                  "4 channels do not fall into 3 groups"},
                                 {"all padding",
                                  {Tensor({1, 1, 1, 1}), Tensor({2, 2, 1, 1})},
                                  numbers(ones, ones, {1}, 1),
                                  "a padding of 1 and 1 leaves nothing"}})},
      {"conv2d_transpose with output padding",
       "One row and two columns more.",
       [](Inputs x, const Attrs& a) {
         return conv2d_transpose(x[0], x[1], options_2d(a), {1, 2});
       },
       {sample("strides", {1, 2, 2, 1}, {2, 2, 2, 1}, numbers({2, 3}, ones, {0}, 1))},
       {{"beyond the stride",
         {Tensor({1, 2, 2, 1}), Tensor({2, 2, 2, 1})},
         numbers({2, 2}, ones, {0}, 1),
         "an output padding of 2 is not from 0 to less than the stride 2"},
        {"same", {Tensor({1, 2, 2, 1}), Tensor({2, 2, 2, 1})}, numbers({2, 3}, ones, {}, 1), "leaves no choice"}}},
      {"conv1d_transpose",
       "The derivative of conv1d by its input.",
       [](Inputs x, const Attrs& a) { return conv1d_transpose(x[0], x[1], options_1d(a), 1); },
       {sample("strides", {2, 3, 2}, {3, 2, 2}, numbers({2}, {1}, {1}, 1)),
        sample("one element", {1, 1, 1}, {1, 1, 1}, numbers({2}, {1}, {0}, 1)),
        sample("no sequence", {0, 3, 2}, {3, 2, 2}, numbers({2}, {1}, {1}, 1))},
       {{"channels",
         {Tensor({1, 4, 2}), Tensor({3, 1, 1})},
         numbers({2}, {1}, {0}, 1),
         "conv1d_transpose: 2 channels"}}},
  };
}

// ---- pooling

Attrs window(Axes extents, Axes strides, Axes padding, bool count_padding = true) {
  return {{"window", std::move(extents)},
          {"strides", std::move(strides)},
          {"padding", std::move(padding)},
          {"count", count_padding}};
}
HeightWidth window_of(const Attrs& a) { return {a.ints("window")[0], a.ints("window")[1]}; }
PoolWindow2D pool_2d(const Attrs& a) {
  PoolWindow2D out{.padding = padding_of(a), .count_padding = a.flag("count")};
  if (!a.ints("strides").empty()) out.strides = HeightWidth(a.ints("strides")[0], a.ints("strides")[1]);
  return out;
}
Sample pooled(const char* label, Shape x, Attrs attrs) {
  const bool nothing = x.elements() == 0;
  return {label, {{x, domain::distinct()}}, std::move(attrs), 0, nothing, true};
}

std::vector<Composite> pools() {
  const std::vector<Sample> images{
      pooled("halves", {2, 4, 6, 3}, window({2, 2}, {}, {0})),
      pooled("overlapping, padded", {1, 5, 4, 2}, window({3, 2}, {2, 1}, {1, 1, 1, 0}, false)),
      pooled("same", {1, 5, 3, 1}, window({3, 2}, {2, 2}, {}, false)),
      pooled("same, counted", {1, 5, 3, 1}, window({3, 2}, {2, 2}, {})),
      pooled("one pixel", {1, 1, 1, 1}, window({1, 1}, {}, {0})),
      pooled("no image", {0, 4, 4, 1}, window({2, 2}, {}, {0}, false))};
  const std::vector<Sample> sequences{
      pooled("padded", {2, 6, 2}, window({}, {}, {1, 1})), pooled("same", {1, 5, 1}, window({}, {}, {})),
      pooled("many channels", {1, 3, 17}, window({}, {}, {0})), pooled("one element", {1, 1, 1}, window({}, {}, {})),
      pooled("no sequence", {0, 4, 2}, window({}, {}, {0}))};
  const Attrs halves = window({2, 2}, {}, {0});
  const std::vector<BadSample> bad{
      {"rank", {Tensor({4, 4, 1})}, halves, "x must be [batch, height, width, channels]"},
      {"window", {Tensor({1, 4, 4, 1})}, window({0, 2}, {1, 1}, {0}), "window 0 is not at least 1"},
      {"too large", {Tensor({1, 4, 1, 1})}, halves, "a window of width 2 does not fit into 1"}};
  const std::vector<Sample> volumes{
      {"images", {{{2, 3, 2, 4}, domain::distinct()}}, {{"keepdims", false}}, 0, false, true},
      {"sequences", {{{2, 5, 3}, domain::distinct()}}, {{"keepdims", true}}, 0, false, true},
      {"one element", {{{1, 1, 1}}}, {{"keepdims", false}}, 0, false, true},
      {"no image", {{{0, 3, 2, 4}}}, {{"keepdims", false}}, 0, true, true}};
  const std::vector<BadSample> flat{{"rank", {Tensor({4, 4})}, {{"keepdims", false}}, "with axes between them"}};
  return {
      {"max_pool2d", "The largest of each window.",
       [](Inputs x, const Attrs& a) { return max_pool2d(x[0], window_of(a), pool_2d(a)); }, images,
       with(bad, {{"padding", {Tensor({1, 4, 4, 1})}, window({2, 2}, {1, 1}, {2}), "lies altogether in the padding"}})},
      {"average_pool2d", "The mean of each window.",
       [](Inputs x, const Attrs& a) { return average_pool2d(x[0], window_of(a), pool_2d(a)); }, images,
       with(bad, {{"integers", {Tensor({1, 4, 4, 1}, i64)}, halves, "floating"}})},
      {"max_pool1d",
       "The largest of each window.",
       [](Inputs x, const Attrs& a) { return max_pool1d(x[0], 3, {.stride = 2, .padding = padding_of(a)}); },
       sequences,
       {{"rank", {Tensor({1, 4, 4, 1})}, window({}, {}, {0}), "max_pool1d: x must be [batch, length, channels]"}}},
      {"average_pool1d",
       "The mean of each window.",
       [](Inputs x, const Attrs& a) {
         return average_pool1d(x[0], 2, {.padding = padding_of(a), .count_padding = false});
       },
       sequences,
       {{"rank", {Tensor({4, 4})}, window({}, {}, {0}), "average_pool1d: x must be [batch, length, channels]"}}},
      {"global_max_pool", "The largest of each channel.",
       [](Inputs x, const Attrs& a) { return global_max_pool(x[0], a.flag("keepdims")); }, volumes, flat},
      {"global_average_pool", "The mean of each channel.",
       [](Inputs x, const Attrs& a) { return global_average_pool(x[0], a.flag("keepdims")); }, volumes, flat},
  };
}

// ---- normalization

std::vector<Composite> normalizations() {
  return {
      {"layer_norm",
       "Mean 0 and variance 1 over axes.",
       [](Inputs x, const Attrs& a) { return layer_norm(x[0], a.ints("axes"), 0.1); },
       {{"last axis", {{{3, 5}}}, {{"axes", Axes{-1}}}},
        {"two axes", {{{2, 3, 4}}}, {{"axes", Axes{-2, -1}}}},
        {"one element a row", {{{3, 1}}}, {{"axes", Axes{1}}}, 0, true, true},
        {"one element", {{{1}}}, {{"axes", Axes{0}}}, 0, true, true},
        {"longer rows", {{{2, 17}}}, {{"axes", Axes{-1}}}},
        {"no rows", {{{0, 3}}}, {{"axes", Axes{1}}}, 0, true, true}},
       {{"integers", {Tensor({3}, i64)}, {{"axes", Axes{0}}}, "layer_norm: floating"},
        {"axis", {Tensor::zeros({3})}, {{"axes", Axes{1}}}, "layer_norm: axis 1"}}},
      {"layer_norm with scale and shift",
       "Normalized, then scaled and shifted.",
       [](Inputs x, const Attrs&) { return layer_norm(x[0], x[1], x[2]); },
       {{"rows", {{{3, 5}}, {{5}}, {{5}}}, {}}, {"matrices", {{{2, 3, 4}}, {{3, 4}}, {{3, 4}}}, {}}},
       {{"scale",
         {Tensor({3, 5}), Tensor::zeros({3}), Tensor::zeros({3})},
         {},
         "layer_norm: scale and shift must be f32[5]"},
        {"shift",
         {Tensor({3, 5}), Tensor::zeros({5}), Tensor::zeros({1})},
         {},
         "layer_norm: scale and shift must be f32[5]"},
        {"no axis", {Tensor({3, 5}), Tensor(1.0F), Tensor(1.0F)}, {}, "scale must have the last axes"}}},
      {"group_norm",
       "Mean 0 and variance 1 over groups of channels.",
       [](Inputs x, const Attrs& a) { return group_norm(x[0], a.integer("groups"), 0.1); },
       {{"images", {{{2, 2, 3, 4}}}, {{"groups", Index{2}}}},
        {"rows", {{{3, 6}}}, {{"groups", Index{2}}}},
        {"one group", {{{2, 3, 2}}}, {{"groups", Index{1}}}},
        {"one element", {{{1, 1}}}, {{"groups", Index{1}}}, 0, true, true},
        {"no image", {{{0, 2, 4}}}, {{"groups", Index{2}}}, 0, true, true}},
       {{"groups", {Tensor({2, 5})}, {{"groups", Index{2}}}, "group_norm: 5 channels do not fall into 2 groups"},
        {"no groups", {Tensor({2, 4})}, {{"groups", Index{0}}}, "0 groups"},
        {"rank", {Tensor::zeros({4})}, {{"groups", Index{2}}}, "x must be [batch, ..., channels]"}}},
      {"group_norm with scale and shift",
       "Normalized, then scaled and shifted.",
       [](Inputs x, const Attrs&) { return group_norm(x[0], 2, x[1], x[2]); },
       {{"images", {{{2, 2, 2, 4}}, {{4}}, {{4}}}, {}}},
       {{"scale",
         {Tensor({2, 2, 4}), Tensor::zeros({2}), Tensor::zeros({4})},
         {},
         "group_norm: scale and shift must be f32[4]"}}},
  };
}

}  // namespace

std::vector<Composite> window_composites() {
  auto out = convolutions();
  for (const auto& family : {pools(), normalizations()}) out.insert(out.end(), family.begin(), family.end());
  return out;
}

}  // namespace xgrad::inline v0
