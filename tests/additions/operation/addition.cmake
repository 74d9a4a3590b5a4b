# An elementwise operation: its struct, which joins the list of its family, and the declaration of its builder.
cmake_minimum_required(VERSION 3.22)
include(${CMAKE_CURRENT_LIST_DIR}/../overlay.cmake)

insert(ops/primitives/elementwise/rounding.cpp BEFORE "}  // namespace\n\nXGRAD_FAMILY" [[
struct Squareplus : Unary {
  static constexpr const char* name = "squareplus";
  static constexpr const char* doc = "y = (x + sqrt(x^2 + 4)) / 2. The derivative is y^2 / (1 + y^2).";
  template <class V>
  static V forward(V x) {
    return (x + simd::sqrt(x * x + V(4))) * V(0.5);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * square(r.output()) / (1 + square(r.output())); }
  static std::vector<Sample> samples() { return unary_samples(domain::any()); }
};

]])
insert(ops/primitives/elementwise/rounding.cpp AFTER "XGRAD_FAMILY(rounding, " "Squareplus, ")
insert(ops/elementwise.hpp BEFORE "inline Value floor(" "inline Value squareplus(Operand x) { return apply(\"squareplus\", {x}); }\n")
expect_touched(1 1)
run(${CMAKE_CURRENT_LIST_DIR}/program.cpp)
