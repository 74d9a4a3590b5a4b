// Fusion of custom operations: fused pairs, reductions and epilogues need their OpDef alone.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>
#include <xgrad/ops/define/custom.hpp>
#include <xgrad/ops/define/registry.hpp>

using namespace xgrad;

namespace {

Tensor numbers(const Shape& shape) {
  Tensor out = Tensor::zeros(shape);
  int i = 0;
  for (float& x : out.mutable_values<float>()) x = std::sin(static_cast<float>(++i) * 1.7F);
  return out;
}

struct Cube {
  template <class T>
  T operator()(T x) const {
    return x * x * x;
  }
};
struct Half {
  template <class T>
  T operator()(T x) const {
    return x / 2;
  }
};

template <class F>
OpDef elementwise(const char* name) {
  return elementwise_op<F, 1>({.name = name, .doc = "For tests.", .no_gradient = "it is a test of fusion"});
}

// The sum of squares of a row or a column, one element after the other.
void square_rows(const void* from, Index rows, Index n, void* to) {
  const auto* in = static_cast<const float*>(from);
  for (Index r = 0; r < rows; ++r) {
    float sum = 0;
    for (Index j = 0; j < n; ++j) sum += in[r * n + j] * in[r * n + j];
    static_cast<float*>(to)[r] = sum;
  }
}

OpDef sum_of_squares() {
  OpDef op{.name = "sum_of_squares", .doc = "The sum of squares along the last axis.", .infer = [](const Infer& in) {
             Shape out = in.shape(0);
             out.set(out.rank() - 1, 1);
             return TensorType{in.dtype(0), out};
           }};
  op.kernel = [](const KernelCall& call) {
    const Shape& shape = call.inputs[0].type.shape;
    square_rows(call.inputs[0].data, shape.elements() / shape.back(), shape.back(), call.output.data);
  };
  op.reduction[static_cast<std::size_t>(f32)].rows = square_rows;
  op.reduced_axes = [](std::span<const TensorType> inputs, const TensorType&, const Attrs&) {
    return std::uint32_t{1} << (inputs[0].shape.rank() - 1);
  };
  op.no_gradient = "it is a test of fusion";
  return op;
}

// Row r of the output is row r of the input times r. Reports each row as soon as it is written.
OpDef scale_rows() {
  OpDef op{.name = "scale_rows", .doc = "Row r times r.", .infer = same_type};
  op.traits.supports_epilogue = true;
  op.kernel = [](const KernelCall& call) {
    const Index n = call.output.type.shape.back(), rows = call.output.type.shape.elements() / n;
    call.parallel.for_each(rows, [&](Index r) {
      for (Index j = r * n; j < (r + 1) * n; ++j)
        call.output.as<float>()[j] = call.inputs[0].as<float>()[j] * static_cast<float>(r);
      if (call.on_rows_ready != nullptr) (*call.on_rows_ready)(r, r + 1);
    });
  };
  op.no_gradient = "it is a test of fusion";
  return op;
}

struct Ops {
  const OpDef& half = registry.add(elementwise<Half>("half"));
  const OpDef& cube = registry.add(elementwise<Cube>("cube"));
  const OpDef& squares = registry.add(sum_of_squares());
  const OpDef& scale = registry.add(scale_rows());
  static inline OpRegistry registry;

  Ops() {
    FusedPair pair{.next = &half};
    pair.kernels[static_cast<std::size_t>(f32)] = [](Index n, const void* const* in, const bool* scalar, void* out) {
      for (Index i = 0; i < n; ++i) {
        const float x = static_cast<const float*>(in[0])[scalar[0] ? 0 : i];
        static_cast<float*>(out)[i] = Cube()(x) / 2;
      }
    };
    registry.add_pair("cube", pair);
  }
};

const Ops& ops() {
  static const Ops all;
  return all;
}

Value apply_to(const OpDef& op, Value x) { return x.graph().apply(op, {x}); }

// The plan has one step with this text, and the interpreter's bits.
void check_fused(Value y, Value x, const std::string& text) {
  const Plan plan({y});
  CHECK(plan.steps() == 1);
  CHECK_MESSAGE(plan.str().find(text) != std::string::npos, plan.str());
  const Tensor fed = numbers(x.shape());
  for (const int threads : {1, 2, 3})
    CHECK(bitwise_equal(plan.run({{x, fed}}, {.threads = threads})[0], evaluate(y, {{x, fed}})));
}

}  // namespace

TEST_CASE("custom fusion: a pair, a reduction and an epilogue of custom operations") {
  Graph g;
  const Value x = g.input("x", {70, 90});
  check_fused(apply_to(ops().half, apply_to(ops().cube, x)) + x, x, "cube-half");
  const Value y = exp(x);
  check_fused(y / apply_to(ops().squares, y), x, "sum_of_squares");
  check_fused(tanh(apply_to(ops().scale, x)) + x, x, "scale_rows f32[70, 90], then fused 2:");
}
