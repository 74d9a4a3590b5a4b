// Samples of the functions that rearrange, choose and order elements.
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {

std::vector<Composite> rearranging_composites();

namespace {

using Inputs = std::span<const Value>;

// All of these move numbers, so they are linear.
Sample linear(const char* label, std::vector<SampleInput> inputs, Attrs attrs = {}, bool zero = false) {
  return {label, std::move(inputs), std::move(attrs), 0, zero, true};
}
Attrs along(Index axis) { return {{"axis", axis}}; }
Attrs counted(Index n, Index axis) { return {{"n", n}, {"axis", axis}}; }
Attrs listed(Axes n) { return {{"n", std::move(n)}}; }

std::vector<Composite> shapes() {
  return {
      {"flatten of some axes",
       "Axes first to last become one.",
       [](Inputs x, const Attrs& a) { return flatten(x[0], a.ints("n")[0], a.ints("n")[1]); },
       {linear("negative axes", {{{2, 3, 4}}}, listed({-3, -2})), linear("a last axis", {{{3}}}, listed({1, -1}))},
       {{"axis", {Tensor({2, 3})}, listed({-3, -1}), "flatten: axis -3 is out of range"}}},
      {"unflatten of the last axis",
       "The reverse of flatten.",
       [](Inputs x, const Attrs& a) { return unflatten(x[0], -1, a.ints("n")); },
       {linear("matrix", {{{2, 6}}}, listed({3, -1}))},
       {{"scalar", {Tensor(1.0F)}, listed({1}), "unflatten: axis -1"}}},
      {"squeeze of chosen axes",
       "Without axes of extent 1.",
       [](Inputs x, const Attrs& a) { return squeeze(x[0], a.ints("n")); },
       {linear("all", {{{1, 3, 1}}}, listed({})), linear("negative axis", {{{1, 3, 1}}}, listed({-1}))},
       {{"extent", {Tensor({2, 3})}, listed({-1}), "squeeze: axis 1 has extent 3"},
        {"repeated axis", {Tensor({1, 3})}, listed({0, -2}), "squeeze: axis 0 is named twice"}}},
      {"unsqueeze",
       "A new axis of extent 1.",
       [](Inputs x, const Attrs& a) { return unsqueeze(x[0], a.integer("axis")); },
       {linear("last", {{{2, 3}}}, along(-1)), linear("scalar", {{{}}}, along(0)),
        linear("longer rows", {{{3, 17}}}, along(1)), linear("nothing", {{{0, 3}}}, along(-1), true)},
       {{"axis", {Tensor::zeros({2})}, along(2), "axis 2 is out of range"}}},
      {"expand",
       "Broadcasting, where -1 keeps an extent.",
       [](Inputs x, const Attrs& a) { return expand(x[0], a.ints("n")); },
       {linear("rows", {{{1, 5}}}, listed({3, -1})), linear("new axis", {{{5}}}, listed({2, -1})),
        linear("one element", {{{1}}}, listed({-1})), linear("longer rows", {{{1, 17}}}, listed({3, -1})),
        linear("nothing", {{{1, 2}}}, listed({0, -1}), true)},
       {{"new axis", {Tensor::zeros({5})}, listed({-1, 5}), "a new axis has no extent to keep"},
        {"too few", {Tensor({2, 5})}, listed({5}), "expand: [2, 5] does not expand to [5]"},
        {"other extent", {Tensor({2, 5})}, listed({2, 4}), "does not broadcast"},
        {"too large", {Tensor::zeros({5})}, listed({INT64_MAX, 5}), "expand: shape: too many elements"}}},
      {"tile",
       "The whole tensor, so many times along each axis.",
       [](Inputs x, const Attrs& a) { return tile(x[0], a.ints("n")); },
       {linear("both axes", {{{2, 3}}}, listed({2, 3})), linear("last axis", {{{2, 3}}}, listed({2})),
        linear("new axis", {{{3}}}, listed({2, 1})), linear("scalar", {{{}}}, listed({9})),
        linear("once", {{{3}}}, listed({1})), linear("never", {{{3}}}, listed({0}), true),
        linear("longer rows", {{{3, 9}}}, listed({2, 1})), linear("nothing", {{{0, 2}}}, listed({2, 2}), true)},
       {{"negative", {Tensor::zeros({3})}, listed({-1}), "tile: -1 times"}}},
      {"repeat",
       "Each element so many times.",
       [](Inputs x, const Attrs& a) { return repeat(x[0], a.integer("n"), a.integer("axis")); },
       {linear("rows", {{{2, 3}}}, counted(3, 0)), linear("negative axis", {{{2, 3}}}, counted(2, -1)),
        linear("one element", {{{1}}}, counted(1, 0)), linear("longer rows", {{{3, 17}}}, counted(2, 1)),
        linear("nothing", {{{0, 2}}}, counted(2, 1), true), linear("never", {{{3}}}, counted(0, 0), true)},
       {{"negative", {Tensor::zeros({3})}, counted(-2, 0), "repeat: -2 times"},
        {"axis", {Tensor::zeros({3})}, counted(2, 1), "repeat: axis 1 is out of range"}}},
  };
}

std::vector<Composite> orders() {
  return {
      {"flip",
       "Axes backwards.",
       [](Inputs x, const Attrs& a) { return flip(x[0], a.ints("n")); },
       {linear("all", {{{2, 9}}}, listed({})), linear("negative axis", {{{3, 2}}}, listed({-2})),
        linear("one element", {{{1}}}, listed({0})), linear("nothing", {{{0, 2}}}, listed({}), true)},
       {{"axis", {Tensor::zeros({2})}, listed({1}), "flip: axis 1"}}},
      {"roll",
       "Elements move along an axis, those at the end come in at the beginning.",
       [](Inputs x, const Attrs& a) { return roll(x[0], a.integer("n"), a.integer("axis")); },
       {linear("forward", {{{5}}}, counted(2, 0)), linear("backward", {{{2, 7}}}, counted(-3, -1)),
        linear("more than once around", {{{3, 2}}}, counted(7, 0)), linear("all around", {{{3}}}, counted(-3, 0)),
        linear("one element", {{{1}}}, counted(1, 0)), linear("longer rows", {{{3, 17}}}, counted(-5, 1)),
        linear("nothing", {{{0}}}, counted(1, 0), true)},
       {{"axis", {Tensor::zeros({2})}, counted(1, 1), "roll: axis 1"}}},
      {"roll of several axes",
       "One axis after the other.",
       [](Inputs x, const Attrs& a) {
         return roll(x[0], a.ints("n"), {0, -1});
       },
       {linear("matrix", {{{3, 4}}}, listed({1, -1}))},
       {{"counts", {Tensor({2, 2})}, listed({1}), "roll: 1 shifts for 2 axes"}}},
      {"roll of all elements",
       "In row-major order.",
       [](Inputs x, const Attrs& a) { return roll(x[0], a.integer("n")); },
       {linear("matrix", {{{3, 4}}}, {{"n", Index{5}}})},
       {}},
      {"sort",
       "The elements of an axis in order.",
       [](Inputs x, const Attrs& a) { return sort(x[0], a.integer("axis"), a.flag("descending")); },
       {linear("last axis", {{{3, 9}, domain::distinct()}}, {{"axis", Index{-1}}, {"descending", false}}),
        linear("first axis, descending", {{{7, 2}, domain::distinct()}}, {{"axis", Index{0}}, {"descending", true}}),
        linear("one element", {{{1}}}, {{"axis", Index{0}}, {"descending", false}}),
        linear("nothing", {{{3, 0}}}, {{"axis", Index{1}}, {"descending", false}}, true)},
       {{"scalar", {Tensor(1.0F)}, {{"axis", Index{0}}, {"descending", false}}, "sort: a scalar has no axis"},
        {"axis", {Tensor::zeros({2})}, {{"axis", Index{1}}, {"descending", false}}, "sort: axis 1"}}},
      {"topk",
       "The largest elements of an axis in order.",
       [](Inputs x, const Attrs& a) { return topk(x[0], a.integer("n"), a.integer("axis")).values; },
       {linear("last axis", {{{3, 9}, domain::distinct()}}, counted(4, -1)),
        linear("middle axis", {{{2, 5, 3}, domain::distinct()}}, counted(2, 1)),
        linear("one element", {{{1}}}, counted(1, 0)), linear("none", {{{3}}}, counted(0, 0), true),
        linear("of nothing", {{{0, 3}}}, counted(2, 1), true)},
       {{"too many", {Tensor({2, 3})}, counted(4, -1), "topk: axis 1 of extent 3 has no 4 elements"},
        {"negative", {Tensor::zeros({3})}, counted(-1, 0), "has no -1 elements"},
        {"scalar", {Tensor(1.0F)}, counted(0, 0), "topk: a scalar"}}},
  };
}

std::vector<Composite> parts() {
  const Domain rows = domain::integers(0, 3);
  return {
      {"stack",
       "Joins along a new axis.",
       [](Inputs x, const Attrs& a) {
         return stack({x.begin(), x.end()}, a.integer("axis"));
       },
       {linear("rows", {{{3}}, {{3}}}, along(0)), linear("last axis", {{{2, 3}}, {{2, 3}}, {{2, 3}}}, along(-1)),
        linear("scalars", {{{}}, {{}}}, along(0)), linear("longer rows", {{{17}}, {{17}}}, along(-2)),
        linear("nothing", {{{0}}, {{0}}}, along(0), true)},
       {{"shapes", {Tensor::zeros({3}), Tensor::zeros({4})}, along(0), "stack: shapes differ: [3] and [4]"},
        {"axis", {Tensor::zeros({3})}, along(2), "stack: axis 2"}}},
      {"meshgrid",
       "Coordinates of a grid from its axes, here added up with weights.",
       [](Inputs x, const Attrs& a) {
         const auto grid = meshgrid({x.begin(), x.end()}, a.flag("xy") ? Indexing::xy : Indexing::ij);
         Value total = grid[0];
         for (std::size_t i = 1; i < grid.size(); ++i) total = total * 2 + grid[i];
         return total;
       },
       {linear("rows first", {{{3}}, {{5}}}, {{"xy", false}}), linear("columns first", {{{3}}, {{5}}}, {{"xy", true}}),
        linear("three axes", {{{2}}, {{3}}, {{2}}}, {{"xy", true}}), linear("one axis", {{{9}}}, {{"xy", false}}),
        linear("one element", {{{1}}, {{1}}}, {{"xy", false}}),
        linear("nothing", {{{0}}, {{2}}}, {{"xy", false}}, true)},
       {{"matrix", {Tensor({2, 2}), Tensor::zeros({2})}, {{"xy", false}}, "meshgrid: axis 0 must be a vector"}}},
      {"split of one size",
       "Pieces of an axis, here joined in reverse.",
       [](Inputs x, const Attrs& a) {
         auto pieces = split(x[0], a.integer("n"), a.integer("axis"));
         return concat({pieces.rbegin(), pieces.rend()}, a.integer("axis"));
       },
       {linear("uneven", {{{7}}}, counted(3, 0)), linear("negative axis", {{{2, 4}}}, counted(2, -1)),
        linear("one element", {{{1}}}, counted(2, 0)), linear("longer rows", {{{3, 17}}}, counted(8, 1)),
        linear("nothing", {{{0}}}, counted(2, 0), true)},
       {{"size", {Tensor::zeros({3})}, counted(0, 0), "split: pieces of size 0"}}},
      {"split of sizes",
       "Pieces of an axis, here the second.",
       [](Inputs x, const Attrs& a) { return split(x[0], a.ints("n"), -1)[1]; },
       {linear("three", {{{2, 6}}}, listed({1, 3, 2}))},
       {{"sum", {Tensor::zeros({5})}, listed({2, 2}), "split: the sizes [2, 2] do not make up axis 0 of extent 5"},
        {"negative", {Tensor::zeros({5})}, listed({6, -1}), "split: the sizes"}}},
      {"chunk",
       "So many pieces of an axis, here the last.",
       [](Inputs x, const Attrs& a) { return chunk(x[0], a.integer("n"), a.integer("axis")).back(); },
       {linear("uneven", {{{7}}}, counted(3, 0)), linear("fewer than asked", {{{2, 3}}}, counted(5, -1)),
        linear("one element", {{{1}}}, counted(1, 0)), linear("longer rows", {{{3, 17}}}, counted(2, 1)),
        linear("nothing", {{{0, 4}}}, counted(2, 1), true)},
       {{"none", {Tensor::zeros({3})}, counted(0, 0), "chunk: 0 pieces"}}},
      {"slice with a negative axis",
       "Every second element, backwards.",
       [](Inputs x, const Attrs&) { return slice(x[0], -1, -2, {}, -2); },
       {linear("matrix", {{{3, 8}}})},
       {}},
      {"pad of several axes",
       "Elements added around a tensor.",
       [](Inputs x, const Attrs& a) {
         const auto& mode = a.text("mode");
         return pad(x[0], {{1, 0}, {0, 0}, {2, 1}},
                    mode == "edge"      ? PadMode::edge
                    : mode == "reflect" ? PadMode::reflect
                                        : PadMode::constant,
                    0.5);
       },
       {linear("constant", {{{2, 3, 4}}}, {{"mode", std::string("constant")}}),
        linear("reflect", {{{2, 3, 4}}}, {{"mode", std::string("reflect")}}),
        linear("edge", {{{2, 3, 1}}}, {{"mode", std::string("edge")}})},
       {{"widths", {Tensor::zeros({2})}, {{"mode", std::string("edge")}}, "pad: 3 widths for 1 axes"}}},
      {"pad of one axis by its edge",
       "Elements added before and after.",
       [](Inputs x, const Attrs&) { return pad(x[0], -1, 2, 1, PadMode::edge); },
       {linear("row", {{{2, 3}}})},
       {}},
      {"index_select",
       "Slices chosen by a vector of indices.",
       [](Inputs x, const Attrs& a) { return index_select(x[0], x[1], a.integer("axis")); },
       {linear("negative axis", {{{2, 4}}, {{3}, rows}}, along(-1)),
        linear("longer rows", {{{4, 17}}, {{3}, rows}}, along(0)),
        linear("one element", {{{1}}, {{1}, domain::integers(0, 0)}}, along(0)),
        linear("none", {{{4}}, {{0}, rows}}, along(0), true)},
       {{"a table",
         {Tensor::zeros({4}), Tensor({2, 2}, i64)},
         along(0),
         "index_select: the indices must be a vector"}}},
      {"embedding",
       "Rows of a table.",
       [](Inputs x, const Attrs&) { return embedding(x[0], x[1]); },
       {linear("sentences", {{{4, 3}}, {{2, 5}, rows}}), linear("one word", {{{1, 1}}, {{1}, domain::integers(0, 0)}}),
        linear("no words", {{{4, 3}}, {{2, 0}, rows}}, {}, true)},
       {{"vector", {Tensor::zeros({4}), Tensor({2}, i64)}, {}, "embedding: the table must be a matrix"},
        {"unknown word", {Tensor({4, 3}), Tensor::from<std::int64_t>({1}, {4})}, {}, "index 4 at position 0"}}},
      {"scatter_add to a tensor",
       "Slices added where indices say.",
       [](Inputs x, const Attrs& a) { return scatter_add(x[0], x[1], x[2], a.integer("axis")); },
       {linear("rows", {{{4, 3}}, {{6}, rows}, {{6, 3}}}, along(0)),
        linear("negative axis", {{{2, 4}}, {{3}, rows}, {{2, 3}}}, along(-1))},
       {{"slices", {Tensor({4, 3}), Tensor({2}, i64), Tensor({3, 3})}, along(0), "scatter_add: expected slices"}}},
      {"take_along_axis of the last axis",
       "One element of each row.",
       [](Inputs x, const Attrs&) { return take_along_axis(x[0], x[1], -1); },
       {linear("rows", {{{3, 4}}, {{3, 2}, rows}})},
       {}},
      {"scatter_add_along_axis",
       "Elements added where indices say.",
       [](Inputs x, const Attrs& a) { return scatter_add_along_axis(x[0], x[1], x[2], a.integer("axis")); },
       {linear("rows", {{{3, 4}}, {{3, 5}, rows}, {{3, 5}}}, along(-1)),
        linear("longer rows", {{{4, 17}}, {{2, 17}, rows}, {{2, 17}}}, along(0)),
        linear("one element", {{{1}}, {{1}, domain::integers(0, 0)}, {{1}}}, along(0)),
        linear("none", {{{3, 4}}, {{3, 0}, rows}, {{3, 0}}}, along(1))},
       {{"axis",
         {Tensor::zeros({4}), Tensor({1}, i64), Tensor::zeros({1})},
         along(1),
         "scatter_add_along_axis: axis 1"}}},
      {"masked_fill",
       "A number where the mask holds.",
       [](Inputs x, const Attrs&) { return masked_fill(x[0], x[1], -1.5); },
       {linear("matrix", {{{3, 17}}, {{3, 17}, domain::booleans()}}),
        linear("a mask for all rows", {{{3, 9}}, {{9}, domain::booleans()}}),
        linear("one element", {{{1}}, {{}, domain::booleans()}}, {}, true),
        linear("nothing", {{{0}}, {{0}, domain::booleans()}}, {}, true)},
       {{"mask",
         {Tensor::zeros({3}), Tensor({2, 3}, boolean)},
         {},
         "masked_fill: the mask [2, 3] does not broadcast to [3]"},
        {"mask of f32", {Tensor::zeros({3}), Tensor::zeros({3})}, {}, "bool"}}},
  };
}

}  // namespace

std::vector<Composite> rearranging_composites() {
  auto out = shapes();
  for (auto family : {orders(), parts()}) out.insert(out.end(), family.begin(), family.end());
  return out;
}

}  // namespace xgrad::inline v0
