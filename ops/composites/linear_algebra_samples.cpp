// Samples of the products and diagonals that are made of operations.
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {

std::vector<Composite> linear_algebra_composites();

namespace {

using Inputs = std::span<const Value>;

Attrs turned(bool a, bool b) { return {{"transpose_a", a}, {"transpose_b", b}}; }
Sample product(const char* label, Shape a, Shape b, Attrs attrs = {}) {
  const bool nothing = a.elements() == 0 || b.elements() == 0;
  return {label, {{a}, {b}}, std::move(attrs), 0, nothing, nothing};
}
Sample linear(const char* label, Shape x, Index k) { return {label, {{x}}, {{"k", k}}, 0, false, true}; }

Sample nothing(const char* label, Shape x) { return {label, {{x}}, {{"k", Index{0}}}, 0, true, true}; }

Attrs equation(const char* text) { return {{"equation", std::string(text)}}; }
// A sum of products is linear in one operand and bent in several.
Sample sums(const char* text, const std::vector<Shape>& shapes) {
  Sample out{text, {}, equation(text), 0, false, shapes.size() == 1};
  for (const Shape& s : shapes) {
    out.inputs.push_back({s});
    if (s.elements() == 0) out.zero_gradient = out.zero_second = true;
  }
  return out;
}
BadSample refused(const char* label, const char* text, std::vector<Tensor> operands, const char* message) {
  return {label, std::move(operands), equation(text), message};
}

Composite matmul_of_vectors() {
  return {
      "matmul of vectors",
      "A vector on the left is a row, one on the right a column.",
      [](Inputs x, const Attrs& a) { return matmul(x[0], x[1], a.flag("transpose_a"), a.flag("transpose_b")); },
      {product("vector by vector", {9}, {9}, turned(false, false)),
       product("vector by matrix", {4}, {4, 3}, turned(false, false)),
       product("vector by transposed matrix", {4}, {3, 4}, turned(false, true)),
       product("matrix by vector", {3, 17}, {17}, turned(false, false)),
       product("transposed matrix by vector", {5, 3}, {5}, turned(true, false)),
       product("vector by batch", {4}, {2, 4, 3}, turned(false, false)),
       product("batch by vector", {2, 3, 4}, {4}, turned(false, false)),
       product("one element", {1}, {1}, turned(false, false)), product("nothing", {0}, {0, 2}, turned(false, false))},
      {{"lengths",
        {Tensor::zeros({3}), Tensor({4, 3})},
        turned(false, false),
        "matmul: inner dimensions differ: [3] x [4, 3]"},
       {"lengths of vectors",
        {Tensor::zeros({3}), Tensor::zeros({4})},
        turned(false, false),
        "matmul: two vectors of one length"},
       {"scalar", {Tensor(1.0F), Tensor::zeros({4})}, turned(false, false), "matmul: a scalar is no matrix"},
       {"transposed vector",
        {Tensor::zeros({3}), Tensor({3, 1})},
        turned(true, false),
        "a vector cannot be transposed"},
       {"two dtypes", {Tensor::zeros({3}), Tensor({3, 2}, f64)}, turned(false, false), "dtype"}}};
}

Composite einsums() {
  const Tensor m({2, 3});
  return {"einsum",
          "Einstein's sum.",
          [](Inputs x, const Attrs& a) {
            return einsum(a.text("equation"), {x.begin(), x.end()});
          },
          {sums("ij,jk->ik", {{2, 3}, {3, 4}}),
           sums("a,a->", {{1}, {1}}),
           sums("ij,kj->ik", {{2, 3}, {4, 3}}),
           sums("ji,jk->ki", {{3, 2}, {3, 4}}),
           sums("bij,bjk->bik", {{2, 3, 4}, {2, 4, 2}}),
           sums("bhqd,bhkd->bhqk", {{2, 2, 3, 2}, {2, 2, 4, 2}}),
           sums("abcd,cdef->abef", {{2, 1, 2, 3}, {2, 3, 3, 2}}),
           sums("i,j->ij", {{3}, {4}}),
           sums("i,i->", {{9}, {9}}),
           sums("ij,ij->i", {{3, 4}, {3, 4}}),
           sums("ij,j", {{3, 4}, {4}}),
           sums("ba", {{2, 3}}),
           sums("ij->", {{2, 3}}),
           sums("ii->i", {{3, 3}}),
           sums("ii", {{3, 3}}),
           sums("iji->j", {{2, 3, 2}}),
           sums("i,ij,j->", {{3}, {3, 4}, {4}}),
           sums("ij,jk,kl->il", {{2, 3}, {3, 2}, {2, 4}}),
           sums("...ij,...jk->...ik", {{2, 2, 3}, {1, 3, 2}}),
           sums("...i->i", {{2, 3, 4}}),
           sums("ij,ij->ij", {{1, 4}, {3, 4}}),
           sums("ij,jk->ki", {{2, 0}, {0, 3}})},
          {refused("extents", "ij,jk->ik", {m, Tensor({4, 5})},
                   "letter j is 3 in operand 0 [2, 3] and 4 in operand 1 [4, 5]"),
           refused("diagonal", "ii->i", {m}, "letter i is 2 in operand 0 [2, 3] and 3 in operand 0"),
           refused("dots", "...,...", {m, Tensor({2, 4})}, "axis -1 of \"...\" is 3"),
           refused("count", "ij,jk->ik", {m}, "2 terms for 1 operands"),
           refused("too few letters", "i->i", {m}, "1 letters for the axes of operand 0 [2, 3]"),
           refused("too many letters", "ijk->i", {m}, "3 letters for the axes of operand 0 [2, 3]"),
           refused("unknown letter", "ij->ik", {m}, "letter k of the result is in no operand"),
           refused("letter twice", "ij->ii", {m}, "letter i stands twice in the result"),
           refused("sign", "ij;jk", {m, m}, "';' at position 2"),
           refused("two arrows", "ij->i->j", {m}, "'-' at position 5"),
           refused("dots twice", "...i...", {m}, "\"...\" stands twice"),
           refused("two dtypes", "ij,ij", {m, Tensor({2, 3}, f64)}, "operands 0 and 1 differ in dtype")}};
}

std::vector<Composite> make() {
  return {matmul_of_vectors(),
          einsums(),
          {"dot",
           "The sum of products.",
           [](Inputs x, const Attrs&) { return dot(x[0], x[1]); },
           {product("vectors", {19}, {19}), product("one element", {1}, {1}), product("nothing", {0}, {0})},
           {{"lengths",
             {Tensor::zeros({3}), Tensor::zeros({1})},
             {},
             "dot: two vectors of one length are needed, not [3] and [1]"},
            {"matrices", {Tensor({2, 2}), Tensor({2, 2})}, {}, "dot: two vectors"}}},
          {"outer",
           "Each element times each.",
           [](Inputs x, const Attrs&) { return outer(x[0], x[1]); },
           {product("vectors", {3}, {17}), product("one element", {1}, {1}), product("nothing", {0}, {2})},
           {{"matrix", {Tensor::zeros({3}), Tensor({1, 3})}, {}, "outer: two vectors are needed, not [3] and [1, 3]"}}},
          {"diag",
           "The diagonal of a matrix, the matrix of a diagonal.",
           [](Inputs x, const Attrs& a) { return diag(x[0], a.integer("k")); },
           {linear("matrix", {3, 4}, 1), linear("vector", {3}, -1), linear("one element", {1, 1}, 0),
            linear("longer vector", {17}, 2), nothing("no rows", {0, 3}), nothing("nothing", {0})},
           {{"batch", {Tensor({2, 2, 2})}, {{"k", Index{0}}}, "diag: needs a vector or a matrix, not rank 3"}}},
          {"trace",
           "The sum of the diagonal.",
           [](Inputs x, const Attrs&) { return trace(x[0]); },
           {linear("matrix", {4, 3}, 0), linear("batch", {2, 3, 3}, 0), linear("one element", {1, 1}, 0),
            linear("larger matrix", {17, 19}, 0), nothing("no rows", {0, 3})},
           {{"vector", {Tensor::zeros({3})}, {}, "[3] is no matrix"}}}};
}

}  // namespace

std::vector<Composite> linear_algebra_composites() { return make(); }

}  // namespace xgrad::inline v0
