# A composite: the function and its samples, in one file, and its declaration.
cmake_minimum_required(VERSION 3.22)
include(${CMAKE_CURRENT_LIST_DIR}/../overlay.cmake)

insert(ops/composites/activations.cpp BEFORE "Value mish(Operand x) {" [[
Value serf(Operand x) {
  return floating_composite(x, [&] { return x * erf(softplus(x)); });
}

]])
insert(ops/composites/activations.cpp BEFORE "      smooth<mish>(" "      smooth<serf>(\"serf\", \"x erf(softplus(x)).\"),\n")
insert(ops/activations.hpp BEFORE "Value mish(Operand x)" "Value serf(Operand x);\n")
expect_touched(1 1)
run(${CMAKE_CURRENT_LIST_DIR}/program.cpp)
