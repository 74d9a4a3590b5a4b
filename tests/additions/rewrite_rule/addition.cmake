# A rewrite rule of a built-in operation: one entry in the file of that operation.
cmake_minimum_required(VERSION 3.22)
include(${CMAKE_CURRENT_LIST_DIR}/../overlay.cmake)

insert(ops/primitives/matmul.cpp BEFORE "  registry.add_rule(\n      {.name = \"scale into product\"," [[
  const auto negated = [&](const char* name) {
    return pattern::op(*registry.find("neg"), {pattern::any(name)});
  };
  registry.add_rule({.name = "product of two negations",
                     .from = pattern::op(product, {negated("a"), negated("b")}),
                     .to = [](const Match& m) {
                       return m.root.graph().apply(*m.root.node().op, {m["a"], m["b"]},
                                                   m.root.graph().attrs(m.root.id()));
                     },
                     .samples = {{"two negations", [](Graph& g) {
                                    return matmul(-g.input("a", {3, 5}), -g.input("b", {5, 4}));
                                  }},
                                 {"one negation", [](Graph& g) {
                                    return matmul(-g.input("a", {3, 5}), g.input("b", {5, 4}));
                                  }, false}}});
]])
expect_touched(1 0)
run(${CMAKE_CURRENT_LIST_DIR}/program.cpp)
