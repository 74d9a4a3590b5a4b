#include <xgrad/ops/define/registry.hpp>

#include <string_view>
#include <unordered_map>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/immortal.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {

// Lists each file of operations and each file of composites. The list is explicit, because linkers drop
// self-registering objects from static libraries.
// clang-format off
#define XGRAD_OPERATIONS(X) \
  X(arithmetic) X(arithmetic_pairs) X(unary) X(binary) X(compare) X(rounding) X(division) X(exponential) \
  X(trigonometric) X(special) X(polygamma) X(cast) X(sum) X(product) X(extremes) X(truth) X(cumulative) X(matmul) \
  X(label) X(standardize) X(row_softmax) X(attention) X(diagonal) X(shape) X(parts) X(pad) X(index) \
  X(index_along) X(sort) X(windows) X(pools) X(convolution) X(random) X(losses)
#define XGRAD_COMPOSITES(X) \
  X(elementwise) X(activation) X(statistics) X(random) X(rearrange) X(shape) X(constants) X(parts) X(pad) X(index) \
  X(index_along) X(sort) X(matmul) X(einsum) X(diagonal) X(convolution) X(pooling) X(normalization) X(loss) X(class_loss)
// clang-format on

#define XGRAD_DECLARE(name) void register_##name(OpRegistry&);
XGRAD_OPERATIONS(XGRAD_DECLARE)
#undef XGRAD_DECLARE
#define XGRAD_DECLARE(name) std::vector<Composite> name##_composites();
XGRAD_COMPOSITES(XGRAD_DECLARE)
#undef XGRAD_DECLARE

// Files with rewrite rules define one of these; called when all operations are registered.
void add_matmul_rules(OpRegistry&);
void add_attention_rules(OpRegistry&);

namespace {

struct Builtin {
  Builtin() {
#define XGRAD_REGISTER(name) register_##name,
    for (auto* add_family : {XGRAD_OPERATIONS(XGRAD_REGISTER)}) add_family(registry);
#undef XGRAD_REGISTER
    for (auto* add_rules : {add_matmul_rules, add_attention_rules}) add_rules(registry);
    for (const auto& op : registry.all()) by_name.emplace(op->name, op.get());
  }
  OpRegistry registry;
  std::unordered_map<std::string_view, const OpDef*> by_name;
};

const Builtin& builtin() {
  static const Immortal<const Builtin> all;
  return *all;
}

}  // namespace

const OpRegistry& builtin_ops() { return builtin().registry; }

const std::vector<Composite>& builtin_composites() {
  static const Immortal<std::vector<Composite>> all([] {
    std::vector<Composite> out;
#define XGRAD_FAMILY_OF(name) name##_composites,
    for (auto* family : {XGRAD_COMPOSITES(XGRAD_FAMILY_OF)}) {
#undef XGRAD_FAMILY_OF
      for (Composite& c : family()) out.push_back(std::move(c));
    }
    return out;
  }());
  return *all;
}

const OpDef& builtin_op(const char* name) {
  const auto found = builtin().by_name.find(name);
  if (found == builtin().by_name.end()) throw GraphError(fmt::format("{}: unknown operation", name));
  return *found->second;
}

Value apply(const char* op, std::span<const Value> inputs, Attrs attrs, SourceLocation at) {
  const SourceLocationScope line(at, inputs.empty() ? Value() : inputs[0]);
  if (inputs.empty() || !inputs[0].valid())
    throw GraphError(fmt::format("{}: operand 0 is an empty Value", SourceLocationScope::function_or(op)));
  return inputs[0].graph().apply(builtin_op(op), inputs, std::move(attrs), at);
}

Value apply(const char* op, std::initializer_list<Operand> inputs, Attrs attrs) {
  if (inputs.size() == 0) throw GraphError(fmt::format("{}: needs at least one operand", op));
  const SourceLocationScope line(*inputs.begin(), nullptr);
  if (!inputs.begin()->valid())
    throw GraphError(fmt::format("{}: operand 0 is an empty Value", SourceLocationScope::function_or(op)));
  return inputs.begin()->graph().apply(builtin_op(op), inputs, std::move(attrs));
}

}  // namespace xgrad::inline v0
