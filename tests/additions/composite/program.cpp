// Uses the composite that addition.cmake adds, and runs the suites on it.
#include <cstdio>
#include <string>

#include <xgrad/autodiff/check/suites.hpp>
#include <xgrad/engine.hpp>
#include <xgrad/ops/define/registry.hpp>

using namespace xgrad;

int main() {
  bool found = false;
  for (const Composite& c : builtin_composites()) {
    if (c.name != "serf" && c.name != "mish") continue;
    check_function(c.name, c.build, c.samples, c.bad_samples);
    found = found || c.name == "serf";
  }
  Graph g;
  const Value x = g.input("x", {3}), n = g.input("n", {3}, i64);
  const NodeId before = g.mark();
  const Value y = serf(x);
  const std::string here = "program.cpp:" + std::to_string(__LINE__ - 1);
  bool one_line = g.size() > before + 1;
  for (NodeId id = before; id < g.size(); ++id) one_line = one_line && g.location_of(id) == here;
  std::string refused;
  try {
    serf(n);
  } catch (const DTypeError& error) {
    refused = error.message();
  }
  const bool right = evaluate(y, {{x, Tensor({3})}}).at(0) == 0;
  if (found && one_line && right && refused.starts_with("serf: ")) return 0;
  std::printf("serf: found %d, one line %d, right %d, refused: %s\n", found, one_line, right, refused.c_str());
  return 1;
}
