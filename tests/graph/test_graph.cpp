#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/verify.hpp>

#include "support/tiny_ops.hpp"

using namespace xgrad;

namespace {

// The message of the error that `f` throws, which must be of type E.
template <class E, class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const E& error) {
    return error.message();
  }
  FAIL("no error of the expected type was thrown");
  return {};
}

Value tanh(Value x) { return x.graph().apply(tiny::tanh, {x}); }
Value add(Value a, Value b) { return a.graph().apply(tiny::add, {a, b}); }
Value sub(Value a, Value b) { return a.graph().apply(tiny::sub, {a, b}); }
Value sum(Value x, const Axes& axes = {}) { return x.graph().apply(tiny::sum, {x}, {{"axes", axes}}); }

}  // namespace

TEST_CASE("graph: equal operation, inputs and attributes give the same node") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value y = g.input("y", {3});
  CHECK(tanh(x) == tanh(x));
  CHECK(tanh(x) != tanh(y));
  CHECK(sum(x, {0}) == sum(x, {0}));
  CHECK(sum(x, {0}) != sum(x, {-1}));
  CHECK(add(x, y) == add(y, x));
  CHECK(sub(x, y) != sub(y, x));
  CHECK(sub(x, y) == sub(x, y));
  CHECK(g.size() == 9);
  verify(g);
}

TEST_CASE("graph: random nodes of different streams are never merged") {
  Graph g;
  const Value x = g.input("x", {3});
  const auto draw = [&](std::int64_t stream) { return g.apply(tiny::random, {x}, {{"stream", stream}}); };
  CHECK(draw(g.next_stream()) != draw(g.next_stream()));
}

TEST_CASE("graph: leaves are merged only if they are the same parameter or equal constants") {
  Graph g;
  const Parameter p("w", Tensor(Shape{2}));
  const Parameter q("w", Tensor(Shape{2}));
  CHECK(g.parameter(p) == g.parameter(p));
  CHECK(g.parameter(p) != g.parameter(q));
  CHECK(g.parameters().size() == 2);
  CHECK(g.parameter_of(g.parameter(q).id()) == q);
  CHECK(g.constant(2) == g.constant(2.0, f32));
  CHECK(g.constant(2) != g.constant(2, f64));
  CHECK(g.constant(2) != g.constant(3));
  CHECK(g.constant(0.0) != g.constant(-0.0));
  CHECK(g.constant(0.0, i64) == g.constant(-0.0, i64));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(g.constant(nan) == g.constant(nan));
  CHECK(g.constant(Tensor(2.0F)) == g.constant(2));
  const Tensor t = Tensor::from<float>({2}, {1, 2});
  CHECK(g.constant(t) != g.constant(t));
  verify(g);
}

TEST_CASE("graph: a scalar constant beyond the precision of double stays exact") {
  Graph g;
  const std::int64_t odd = (std::int64_t{1} << 53) + 1;
  const Value c = g.constant(Tensor(odd));
  CHECK(g.constant_of(c.id()).values<std::int64_t>()[0] == odd);
  CHECK_FALSE(scalar_constant(g, c.id()).has_value());
}

TEST_CASE("graph: a constant does not depend on the memory it was created from") {
  Graph g;
  float memory[2] = {1, 2};
  const Value c = g.constant(Tensor::borrow(memory, Shape{2}));
  memory[0] = 7;
  Tensor copy = g.constant_of(c.id());
  copy.mutable_values<float>()[1] = 9;
  CHECK(g.constant_of(c.id()).at(0) == 1);
  CHECK(g.constant_of(c.id()).at(1) == 2);
}

TEST_CASE("graph: constants that the dtype cannot represent throw") {
  Graph g;
  CHECK(message_of<DTypeError>([&] { g.constant(0.5, i64); }) == "constant: 0.5 is not a number of dtype i64");
  CHECK_THROWS_AS(g.constant(2, boolean), DTypeError);
  CHECK_THROWS_AS(g.constant(1e300, f32), DTypeError);
  CHECK_THROWS_AS(g.constant(0x1p63, i64), DTypeError);
  CHECK_THROWS_AS(g.constant(std::numeric_limits<double>::quiet_NaN(), i64), DTypeError);
  CHECK_THROWS_AS(g.constant(Tensor()), GraphError);
  CHECK(g.size() == 0);
  CHECK(g.constant_of(g.constant(-0x1p63, i64).id()).values<std::int64_t>()[0] == INT64_MIN);
}

TEST_CASE("graph: inputs are found by their names, which are unique and not empty") {
  Graph g;
  const Value x = g.input("x", {3}, i64);
  CHECK(x.dtype() == i64);
  CHECK(g.find_input("x") == x);
  CHECK_FALSE(g.find_input("y").valid());
  CHECK(message_of<GraphError>([&] { g.input("x", {4}); }) == "input: the name \"x\" is taken: %0 input \"x\" i64[3]");
  CHECK_THROWS_AS(g.input("", {3}), GraphError);
  CHECK(g.size() == 1);
}

TEST_CASE("graph: an error names the operation, the operands, the scope and a hint") {
  Graph g;
  const Value x = g.input("x", {32, 64});
  const Value hidden = tanh(x).named("mlp/hidden");
  const Value w = g.parameter(Parameter("mlp/out.w", Tensor({10, 64})));
  const auto scope = g.scope("dense_1");
  const NodeId before = g.size();
  const int line = __LINE__ + 2;
  try {
    g.apply(tiny::matmul, {hidden, w});
    FAIL("mismatched matrices were accepted");
  } catch (const ShapeError& error) {
    CHECK(error.what() ==
          "matmul: inner dimensions differ: [32, 64] x [10, 64] (64 vs 10)\n"
          "  input 0: %1 tanh \"mlp/hidden\" f32[32, 64]\n"
          "  input 1: %2 parameter \"mlp/out.w\" f32[10, 64]\n"
          "  hint: matmul(lhs, transpose(rhs)) would give [32, 10]\n"
          "  at test_graph.cpp:" +
              std::to_string(line) + ", in layer \"dense_1\"");
  }
  CHECK(g.size() == before);
}

TEST_CASE("graph: operands are appended to the error of a helper") {
  Graph g;
  const Value x = g.input("x", {3});
  CHECK(message_of<ShapeError>([&] { sum(x, {4}); }) ==
        "sum: axis 4 is out of range for a tensor of rank 1\n  input 0: %0 input \"x\" f32[3]");
}

TEST_CASE("graph: shapes that do not broadcast throw, naming the axis") {
  Graph g;
  const Value a = g.input("a", {2, 3, 4});
  const Value b = g.input("b", {5, 1});
  CHECK(message_of<ShapeError>([&] {
          add(a, b);
        }).starts_with("add: shapes do not broadcast: [2, 3, 4] and [5, 1] (axis -2: 3 against 5)\n  input 0: %0"));
  CHECK(add(a, g.input("c", {3, 1})).shape() == Shape{2, 3, 4});
}

TEST_CASE("graph: a broadcast result of too many elements throws") {
  Graph g;
  const Value a = g.input("a", {Index{1} << 30, 1});
  const Value b = g.input("b", {1, Index{1} << 30});
  CHECK(message_of<ShapeError>([&] { add(a, b); }).find("too many elements") != std::string::npos);
}

TEST_CASE("graph: empty, foreign and surplus operands throw") {
  Graph g;
  Graph other;
  const Value x = g.input("x", {3});
  const Value y = other.input("y", {3});
  CHECK(message_of<GraphError>([&] { sum({}); }) == "value: the Value is empty and refers to no graph");
  CHECK(message_of<GraphError>([&] { g.apply(tiny::sum, {Value()}); }) == "sum: operand 0 is an empty Value");
  CHECK(message_of<GraphError>([&] {
          g.apply(tiny::add, {x, y});
        }) == "add: operand %0 input \"y\" f32[3] belongs to another graph than %0 input \"x\" f32[3]");
  CHECK(message_of<GraphError>([&] { g.apply(tiny::add, {x}); }) ==
        "add: takes 2 inputs, but got 1\n  input 0: %0 input \"x\" f32[3]");
  CHECK(message_of<GraphError>([&] { g.apply(tiny::concat, {}); }) == "concat: takes 1 or more inputs, but got 0");
  CHECK_THROWS_AS(g.apply(input_op(), {}), GraphError);
  CHECK_THROWS_AS(g.parameter(Parameter()), GraphError);
  CHECK_THROWS_AS(g.value(17), GraphError);
  CHECK_THROWS_AS(g.parameter_of(0), InternalError);
  CHECK_THROWS_AS(g.constant_of(0), InternalError);
  CHECK(Value().describe() == "(empty value)");
  CHECK(g.size() == 1);
}

TEST_CASE("graph: an incomplete definition throws before anything is appended") {
  Graph g;
  const Value x = g.input("x", {3});
  OpDef op = tiny::make("half", 1, nullptr);
  CHECK(message_of<GraphError>([&] { g.apply(op, {x}); }) == "operation \"half\": infer is missing");
  op.infer = same_type;
  op.no_gradient.clear();
  CHECK(message_of<GraphError>([&] { check_definition(op); }).find("neither a vjp nor a reason") != std::string::npos);
  op.no_gradient = "none";
  op.traits.elementwise = true;
  CHECK_THROWS_AS(check_definition(op), GraphError);
  op.traits.elementwise = false;
  op.traits.commutative = true;
  CHECK_THROWS_AS(check_definition(op), GraphError);
  op.traits.commutative = false;
  CHECK_NOTHROW(check_definition(op));
  op.kernel = nullptr;
  CHECK_THROWS_AS(check_definition(op), GraphError);
  CHECK_NOTHROW(check_definition(input_op()));
  CHECK_NOTHROW(check_definition(parameter_op()));
  CHECK_NOTHROW(check_definition(constant_op()));
  CHECK(g.size() == 1);
}

TEST_CASE("registry: names are unique and addresses are stable") {
  OpRegistry registry;
  const OpDef& first = registry.add(tiny::tanh);
  CHECK_THROWS_AS(registry.add(tiny::tanh), GraphError);
  for (int i = 0; i < 100; ++i) registry.add(tiny::make(("op" + std::to_string(i)).c_str(), 1, same_type));
  CHECK(registry.find("tanh") == &first);
  CHECK(registry.find("absent") == nullptr);
  CHECK(registry.all().size() == 101);
}

TEST_CASE("graph: rewind discards nodes, names, inputs, parameters and updates") {
  Graph g;
  const Parameter kept("kept", Tensor(Shape{3}));
  const Parameter gone("gone", Tensor(Shape{3}));
  const Value x = g.input("x", {3});
  const Value k = g.parameter(kept);
  g.add_update(kept, k);
  const Value early = tanh(x);
  const NodeId mark = g.mark();
  const Value late = add(x, k).named("late");
  g.input("y", {3});
  g.parameter(gone);
  g.add_update(gone, late);
  early.named("early");  // a name given after the mark to an older node stays
  g.rewind(mark);

  CHECK(g.size() == mark);
  CHECK(g.name(early.id()) == "early");
  CHECK(tanh(x) == early);
  CHECK_FALSE(g.find_input("y").valid());
  CHECK(g.parameters() == std::vector<Parameter>{kept});
  REQUIRE(g.updates().size() == 1);
  CHECK(g.updates()[0].parameter == kept);
  verify(g);

  const Value again = sub(x, k);  // the same id as `late`
  CHECK(again.id() == late.id());
  CHECK(again != late);
  CHECK(g.name(again.id()).empty());
  CHECK(message_of<GraphError>([&] { tanh(late); }) == "value: value %3 was discarded by rewind(%3)");
  CHECK(message_of<GraphError>([&] { g.apply(tiny::sum, {late}); }) == "sum: value %3 was discarded by rewind(%3)");
  CHECK(late.describe() == "%3 (discarded)");
  CHECK(g.input("y", {5}).shape() == Shape{5});
  verify(g);
  CHECK_THROWS_AS(g.rewind(g.size() + 1), GraphError);
}

TEST_CASE("graph: a stale handle reports the rewind that discarded it, not a later one") {
  Graph g;
  const Value x = g.input("x", {3});
  Value y = x;
  for (int i = 0; i < 9; ++i) y = tanh(y);
  g.rewind(5);
  g.rewind(1);
  CHECK(message_of<GraphError>([&] { y.type(); }) == "value: value %9 was discarded by rewind(%5)");
}

TEST_CASE("graph: rebuilding after a rewind gives the same graph") {
  Graph g;
  const Value x = g.input("x", {3});
  const NodeId mark = g.mark();
  for (int round = 0; round < 20; ++round) {
    {
      const auto scope = g.unique_scope("dense");
      CHECK(g.current_scope() == "dense");
      Value y = x;
      for (int i = 0; i < 3000; ++i) y = add(tanh(y), x);
      sum(y, {0}).named("y");
    }
    CHECK(g.size() == 6002);
    verify(g);
    g.rewind(mark);
    CHECK(g.size() == 1);
  }
}

TEST_CASE("graph: a scope whose guard survives a rewind stays taken") {
  Graph g;
  const NodeId mark = g.mark();
  const auto scope = g.unique_scope("dense");
  const auto inner = g.unique_scope("cell");
  g.input("x", {3});
  g.rewind(mark);
  CHECK(g.current_scope() == "dense/cell");
  CHECK(g.scope_of(g.input("x", {3}).id()) == "dense/cell");
  const auto next = g.unique_scope("cell");
  CHECK(g.current_scope() == "dense/cell/cell");
  verify(g);
}

TEST_CASE("graph: scopes nest, are unique on demand and end with their guard") {
  Graph g;
  const Value x = g.input("x", {3});
  Value inner;
  {
    const auto a = g.scope("mlp");
    {
      const auto b = g.unique_scope("dense");
      inner = tanh(x);
    }
    {
      const auto b = g.unique_scope("dense");
      CHECK(g.current_scope() == "mlp/dense_1");
    }
    {
      const auto b = g.scope("dense");
      CHECK(g.current_scope() == "mlp/dense");
    }
  }
  CHECK(g.current_scope().empty());
  CHECK(g.scope_of(inner.id()) == "mlp/dense");
  CHECK(g.describe(inner.id()) == "%1 tanh f32[3] in scope \"mlp/dense\"");
  const auto taken = g.scope("dense_1");
  for (const char* bad : {"", "/a", "a/", "a//b"}) CHECK_THROWS_AS((void)g.scope(bad), GraphError);
}

TEST_CASE("graph: nodes created for another node have its scope, its id and the role") {
  Graph g;
  const Value x = g.input("x", {3});
  Value y;
  {
    const auto s = g.scope("layer");
    y = tanh(x);
  }
  Value back;
  {
    const auto r = g.role(Role::backward, y);
    back = add(y, y);
    {
      const auto u = g.role(Role::update);
      CHECK(g.node(sub(y, x).id()).role == Role::update);
    }
    CHECK(g.node(sub(x, y).id()).origin == static_cast<std::int32_t>(y.id()));
  }
  CHECK(g.node(back.id()).role == Role::backward);
  CHECK(g.node(back.id()).origin == static_cast<std::int32_t>(y.id()));
  CHECK(g.scope_of(back.id()) == "layer");
  const Node& after = g.node(sum(x).id());
  CHECK(after.role == Role::forward);
  CHECK(after.origin == -1);
  Graph other;
  CHECK_THROWS_AS((void)g.role(Role::backward, other.input("x", {3})), GraphError);
}

TEST_CASE("graph: an origin discarded by a rewind is removed") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value y = tanh(x);
  const auto r = g.role(Role::backward, y);
  g.rewind(1);
  CHECK(g.node(sum(x).id()).origin == -1);
  verify(g);
}

TEST_CASE("graph: the first name of a node wins") {
  Graph g;
  const Value y = tanh(g.input("x", {3})).named("first").named("second");
  CHECK(g.name(y.id()) == "first");
  CHECK(y.describe() == "%1 tanh \"first\" f32[3]");
  CHECK(g.constant(2).describe() == "%2 constant 2 f32[]");
  CHECK_THROWS_AS(y.named(""), GraphError);
}

TEST_CASE("graph: updates must fit their parameter, and a second one must build on the first") {
  Graph g;
  const Parameter p("moving mean", Tensor(Shape{3}));
  const Value x = g.input("x", {3});
  CHECK(message_of<GraphError>([&] {
          g.add_update(p, sum(x));
        }).starts_with("add_update: parameter \"moving mean\": it is f32[3], but the new value is f32[]"));
  g.add_update(p, x);
  CHECK(message_of<GraphError>([&] { g.add_update(p, g.parameter(p)); }) ==
        "add_update: parameter \"moving mean\": it has an update already, which the new value does not depend on\n"
        "  update: %0 input \"x\" f32[3]\n  new value: %2 parameter \"moving mean\" f32[3]\n"
        "  hint: compute the new value from Graph::updated(parameter)");
  CHECK_THROWS_AS(g.add_update(Parameter(), x), GraphError);
  CHECK_THROWS_AS(g.add_update(Parameter("q", Tensor(Shape{3})), Value()), GraphError);
  REQUIRE(g.updates().size() == 1);
  CHECK(g.updates()[0].value == x);
}

TEST_CASE("graph: updates of one parameter are chained, and a rewind discards the last ones") {
  Graph g;
  const Parameter p("p", Tensor(Shape{3})), q("q", Tensor(Shape{3}));
  const Value x = g.input("x", {3});
  CHECK(g.updated(p) == g.parameter(p));
  const Value once = add(g.updated(p), x);
  g.add_update(p, once);
  CHECK(g.updated(p) == once);
  g.add_update(q, x);
  const NodeId mark = g.mark();
  const Value twice = tanh(g.updated(p));
  g.add_update(p, twice);
  REQUIRE(g.updates().size() == 2);
  CHECK(g.updates()[0].parameter == p);
  CHECK(g.updates()[0].value == twice);
  CHECK_THROWS_AS(g.add_update(p, once), GraphError);  // would discard the second
  verify(g);
  g.rewind(mark);
  CHECK(g.updated(p) == once);
  CHECK(g.updates().size() == 2);
  verify(g);
}

TEST_CASE("graph: depends() finds the values that a value is computed from") {
  Graph g;
  const Value x = g.input("x", {3}), y = g.input("y", {3}), t = tanh(x), z = add(t, t), late = tanh(z);
  CHECK(g.depends(z, {x, y, t, z, late}) == std::vector<bool>{true, false, true, true, false});
  CHECK(g.depends(z, {}).empty());
  CHECK_THROWS_AS(g.depends(z, {Value()}), GraphError);
}

TEST_CASE("graph: pinned trainable flags also apply to graphs with the same flags") {
  Parameter pinned("pinned", Tensor(Shape{1})), other("other", Tensor(Shape{1}), false);
  Graph g;
  g.parameter(pinned), g.parameter(other);
  CHECK(g.pin_trainable(pinned));
  pinned.set_trainable(false);
  other.set_trainable(true);
  CHECK(g.trainable(pinned));
  CHECK(g.trainable(other));
  CHECK(g.trainable_parameters() == std::vector<Parameter>{pinned, other});
  Graph same({}, g.trainable_flags()), fresh;
  CHECK(same.pin_trainable(pinned));
  CHECK_FALSE(fresh.trainable(pinned));
  CHECK_THROWS_AS(fresh.trainable(Parameter()), GraphError);
  CHECK_THROWS_WITH_AS((void)fresh.pin_trainable(nullptr), doctest::Contains("pin_trainable: the flag is null"),
                       GraphError);
}

TEST_CASE("graph: references to a node's data stay valid while nodes are appended") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value y = sum(x, {0});
  const Node* node = &g.node(y.id());
  const std::vector<Index>* axes = &g.attrs(y.id()).ints("axes");
  const NodeId* inputs = g.inputs(y.id()).data();
  const std::string* name = &g.name(x.id());
  Value v = x;
  for (int i = 0; i < 20000; ++i) v = add(tanh(v), x).named("n");
  CHECK(node == &g.node(y.id()));
  CHECK(axes == &g.attrs(y.id()).ints("axes"));
  CHECK(inputs == g.inputs(y.id()).data());
  CHECK(name == &g.name(x.id()));
}

TEST_CASE("graph: a chain of a million nodes is built, verified and destroyed without recursion") {
  // A quadratic pass would need hours, and ctest would stop it.
  Graph g;
  Value v = g.input("x", {3});
  for (int i = 0; i < 1'000'000; ++i) v = tanh(v);
  CHECK(v.id() == 1'000'000);
  verify(g);
}

TEST_CASE("graph: one node may have a hundred thousand inputs") {
  Graph g;
  std::vector<Value> values;
  for (int i = 0; i < 100000; ++i) values.push_back(g.constant(i));
  const Value all = g.apply(tiny::concat, values);
  CHECK(g.inputs(all.id()).size() == values.size());
  CHECK(g.apply(tiny::concat, values) == all);
  const NodeId mark = g.mark();
  g.apply(tiny::concat, std::span(values).subspan(1));
  g.rewind(mark);
  verify(g);
}

TEST_CASE("verify: an inconsistent definition is found and shown with its neighbors") {
  Graph g;
  OpDef op = tiny::make("fickle", 1, same_type);
  const Value x = g.input("x", {3});
  g.apply(op, {tanh(x)});
  verify(g);
  op.infer = [](const Infer& in) { return TensorType{in.dtype(0), Shape{}}; };
  CHECK(message_of<InternalError>([&] { verify(g); })
            .starts_with("internal error: verify: %2 fickle f32[3]: infer, called again, returns f32[]\n"
                         "  %0 = input \"x\" : f32[3]\n  %1 = tanh(%0) : f32[3]\n> %2 = fickle(%1) : f32[3]\n"));
  op.infer = [](const Infer& in) -> TensorType { in.fail_shape("no more"); };
  CHECK(message_of<InternalError>([&] { verify(g); }).find("called again, throws: fickle: no more") !=
        std::string::npos);
  op.infer = same_type;
  op.min_inputs = op.max_inputs = 2;
  CHECK(message_of<InternalError>([&] { verify(g); }).find("it has 1 inputs, but takes 2 to 2") != std::string::npos);
}

TEST_CASE("vjp: a rule accesses only inputs and attributes of its node") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value y = sum(x, {0});
  const Vjp rule(y, g.constant(1));
  CHECK(rule.count() == 1);
  CHECK(rule.input(0) == x);
  CHECK(rule.attrs().ints("axes") == Axes{0});
  CHECK_THROWS_AS((void)rule.input(1), InternalError);
}
