#include <xgrad/ops/define/registry.hpp>

#include <string_view>
#include <unordered_map>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/immortal.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {

// Each file of operations defines one of these. An explicit list, because objects that register themselves vanish from
// static libraries.
void register_arithmetic(OpRegistry&);
void register_arithmetic_pairs(OpRegistry&);
void register_unary(OpRegistry&);
void register_binary(OpRegistry&);
void register_compare(OpRegistry&);
void register_rounding(OpRegistry&);
void register_division(OpRegistry&);
void register_exponential(OpRegistry&);
void register_trigonometric(OpRegistry&);
void register_special(OpRegistry&);
void register_polygamma(OpRegistry&);
void register_cast(OpRegistry&);
void register_sum(OpRegistry&);
void register_product(OpRegistry&);
void register_extremes(OpRegistry&);
void register_truth(OpRegistry&);
void register_cumulative(OpRegistry&);
void register_matmul(OpRegistry&);
void register_diagonal(OpRegistry&);
void register_shape(OpRegistry&);
void register_parts(OpRegistry&);
void register_pad(OpRegistry&);
void register_index(OpRegistry&);
void register_sort(OpRegistry&);
void register_windows(OpRegistry&);
void register_random(OpRegistry&);
void register_losses(OpRegistry&);

// Files with rewrite rules define one of these.
void add_matmul_rules(const OpRegistry&);
void add_parts_rules(const OpRegistry&);

// And each file of compositions one of these.
std::vector<Composite> elementwise_composites();
std::vector<Composite> activation_composites();
std::vector<Composite> statistics_composites();
std::vector<Composite> random_composites();
std::vector<Composite> rearranging_composites();
std::vector<Composite> linear_algebra_composites();
std::vector<Composite> window_composites();
std::vector<Composite> loss_composites();

namespace {

struct Builtin {
  Builtin() {
    for (auto* add_family : {register_arithmetic,    register_arithmetic_pairs,
                             register_unary,         register_binary,
                             register_compare,       register_rounding,
                             register_division,      register_exponential,
                             register_trigonometric, register_special,
                             register_polygamma,     register_cast,
                             register_sum,           register_product,
                             register_extremes,      register_truth,
                             register_cumulative,    register_matmul,
                             register_diagonal,      register_shape,
                             register_parts,         register_pad,
                             register_index,         register_sort,
                             register_windows,       register_random,
                             register_losses}) {
      add_family(registry);
    }
    for (auto* add_rules : {add_matmul_rules, add_parts_rules}) add_rules(registry);
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
    for (auto* family : {elementwise_composites, activation_composites, statistics_composites, random_composites,
                         rearranging_composites, linear_algebra_composites, window_composites, loss_composites}) {
      for (Composite& c : family()) out.push_back(std::move(c));
    }
    return out;
  }());
  return *all;
}

const OpDef& builtin_op(const char* name) {
  const auto found = builtin().by_name.find(name);
  if (found == builtin().by_name.end()) throw GraphError(fmt::format("{}: there is no operation of that name", name));
  return *found->second;
}

Value apply(const char* op, std::span<const Value> inputs, Attrs attrs, SourceLocation at) {
  const SourceLocationScope line(at, inputs.empty() ? Value() : inputs[0]);
  if (inputs.empty() || !inputs[0].valid())
    throw GraphError(fmt::format("{}: operand 0 is an empty Value", SourceLocationScope::function_or(op)));
  return inputs[0].graph().apply(builtin_op(op), inputs, std::move(attrs), at);
}

Value apply(const char* op, std::initializer_list<Operand> inputs, Attrs attrs) {
  if (inputs.size() == 0) throw GraphError(fmt::format("{}: there are no operands", op));
  const SourceLocationScope line(*inputs.begin(), nullptr);
  if (!inputs.begin()->valid())
    throw GraphError(fmt::format("{}: operand 0 is an empty Value", SourceLocationScope::function_or(op)));
  return inputs.begin()->graph().apply(builtin_op(op), inputs, std::move(attrs));
}

}  // namespace xgrad::inline v0
