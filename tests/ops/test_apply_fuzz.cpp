// apply() with random dtypes, shapes and attributes either throws an error that names the operation or returns a value
// that evaluates: no crash, no internal error, no write outside the output.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xgrad/autodiff/check/internal/guarded_call.hpp>
#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/dice.hpp"

using namespace xgrad;
using testing::Dice;

namespace {

constexpr Index max_elements = 1 << 14;  // of all nodes together; larger graphs are not evaluated

std::vector<const OpDef*> operations() {
  std::vector<const OpDef*> out;
  for (const auto& op : builtin_ops().all()) {
    if (op->traits.leaf == Leaf::none) out.push_back(op.get());
  }
  return out;
}

std::int64_t any_integer(Dice& dice) {
  static const std::vector<std::int64_t> extreme{1 << 20, INT64_C(1) << 40, -7, INT64_MAX, INT64_MIN, INT64_C(1) << 31};
  return dice.chance(0.25) ? dice.one_of(extreme) : dice.between(-2, 4);
}

double any_number(Dice& dice) {
  static const std::vector<double> edges{0.0, -0.0, 1e308, -1e308, 1e-310, INFINITY, -INFINITY, NAN, 0x1p63};
  return dice.chance(0.4) ? dice.one_of(edges) : dice.real(-3, 3);
}

Attr any_attr(Dice& dice, std::size_t kind) {
  static const std::vector<std::string> texts{"", "constant", "reflect", "edge", "wrap"};
  static const std::vector<DType> dtypes{f32, f64, i64, boolean};
  switch (kind) {
    case 0: return dice.chance(0.5);
    case 1: return any_integer(dice);
    case 2: return any_number(dice);
    case 3: return dice.one_of(dtypes);
    case 4: {
      std::vector<Index> out(static_cast<std::size_t>(dice.below(6)));
      for (Index& x : out) x = any_integer(dice);
      return out;
    }
    default: return dice.one_of(texts);
  }
}

// A sample's attributes, each of them possibly changed, of another kind, or missing.
Attrs any_attrs(Dice& dice, const Attrs& sample) {
  Attrs out;
  for (const auto& [name, value] : sample.items()) {
    if (dice.chance(0.02)) continue;
    if (!dice.chance(0.35)) {
      out.set(name, value);
    } else if (const auto* axes = std::get_if<std::vector<Index>>(&value);
               axes != nullptr && !axes->empty() && dice.chance(0.6)) {
      Axes other = *axes;
      other[static_cast<std::size_t>(dice.below(static_cast<Index>(other.size())))] = any_integer(dice);
      out.set(name, other);
    } else {
      out.set(name, any_attr(dice, dice.chance(0.05) ? static_cast<std::size_t>(dice.below(6)) : value.index()));
    }
  }
  return out;
}

std::vector<TensorType> any_inputs(Dice& dice, const Sample& sample) {
  static const std::vector<DType> dtypes{f32, f64, i64, boolean};
  std::vector<TensorType> out;
  const DType floating = dice.chance(0.5) ? f32 : f64;
  for (const SampleInput& input : sample.inputs) {
    const DType own = input.domain.dtype();
    TensorType type{own == f32 ? floating : own, input.shape};
    if (dice.chance(0.05)) type.dtype = dice.one_of(dtypes);
    if (dice.chance(0.15)) {
      type.shape = {};
      for (Index rank = dice.below(6); rank > 0; --rank) type.shape.push_back(dice.below(4));
    } else if (type.shape.rank() > 0 && dice.chance(0.3)) {
      Shape other;
      const Index at = dice.below(type.shape.rank());
      for (int axis = 0; axis < type.shape.rank(); ++axis)
        other.push_back(axis == at ? dice.below(6) : type.shape[axis]);
      type.shape = other;
    }
    out.push_back(type);
  }
  if (dice.chance(0.02) && !out.empty()) out.pop_back();
  if (dice.chance(0.02)) out.push_back({f32, {2}});
  return out;
}

Tensor any_tensor(Dice& dice, const TensorType& type) {
  Tensor out(type);
  if (type.dtype == i64)
    for (auto& x : out.mutable_values<std::int64_t>()) x = dice.chance(0.02) ? any_integer(dice) : dice.below(3);
  if (type.dtype == boolean)
    for (auto& x : out.mutable_values<bool>()) x = dice.chance(0.5);
  if (type.dtype == f32)
    for (auto& x : out.mutable_values<float>()) x = static_cast<float>(any_number(dice));
  if (type.dtype == f64)
    for (auto& x : out.mutable_values<double>()) x = any_number(dice);
  return out;
}

Index elements_of(Graph& g) {
  Index total = 0;
  for (NodeId id = 0; id < g.size(); ++id) total += std::min(g.node(id).type.shape.elements(), max_elements + 1);
  return total;
}

struct Tally {
  int rejected = 0, computed = 0, differentiated = 0;
};

// Makes one random call. Returns a description of the failure, empty if there is none.
std::string attempt(Dice& dice, const OpDef& op, const std::vector<TensorType>& types, const Attrs& attrs,
                    Tally& tally) {
  Graph g;
  std::vector<Value> inputs;
  Feeds feeds;
  for (const TensorType& type : types) {
    inputs.push_back(g.input("x" + std::to_string(inputs.size()), type.shape, type.dtype));
    feeds.push_back({inputs.back(), any_tensor(dice, type)});
  }
  try {
    const NodeId before = g.mark();
    Value y;
    try {
      y = g.apply(op, inputs, attrs);
    } catch (const UserError& error) {
      ++tally.rejected;
      if (g.mark() != before) return "it left nodes behind";
      if (std::string(error.what()).starts_with(op.name + ": ")) return {};
      return fmt::format("the message does not begin with the operation: {}", error.what());
    }
    if (elements_of(g) > max_elements) return {};
    try {
      std::vector<Tensor> numbers;
      for (const Feed& feed : feeds) numbers.push_back(feed.value);
      if (y.shape().elements() > 0) {  // kernels are not called for empty outputs
        const GuardedResult result = guarded_call(op, attrs, numbers, y.type());
        if (!result.violation.empty()) return result.violation;
      }
      const Tensor out = evaluate(y, feeds, {.threads = 1});
      if (out.type() != y.type()) return fmt::format("{} came out, not {}", out.type().str(), y.type().str());
      ++tally.computed;
    } catch (const ValueError& error) {
      ++tally.rejected;
      if (std::string(error.what()).find(op.name) != std::string::npos) return {};
      return fmt::format("the message does not name the operation: {}", error.what());
    }
    std::vector<Value> wrt;
    for (const Value input : inputs)
      if (is_floating(input.dtype())) wrt.push_back(input);
    if (wrt.empty() || !is_floating(y.dtype()) || op.vjp == nullptr) return {};
    const auto grads = gradients(y, wrt, {.cotangent = ones_like(y), .unconnected = Unconnected::zeros});
    if (elements_of(g) > max_elements) return {};
    evaluate(grads, feeds, {.threads = 1});
    ++tally.differentiated;
    return {};
  } catch (const UserError& error) {
    // The only valid error here: polygamma has no derivative beyond order 20.
    return std::string(error.what()).find("n must be in [1, 20]") == std::string::npos
               ? fmt::format("its derivative fails: {}", error.what())
               : "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

std::string call_text(const OpDef& op, const std::vector<TensorType>& types, const Attrs& attrs) {
  std::string out = op.name + "(";
  for (const TensorType& type : types) out += type.str() + ", ";
  return out + attrs.str() + ")";
}

}  // namespace

TEST_CASE("apply: a missing or mistyped attribute throws an error that names operation and attribute") {
  for (const OpDef* op : operations()) {
    for (const Sample& sample : op->samples) {
      for (const auto& [name, value] : sample.attrs.items()) {
        for (std::size_t kind = 0; kind < 6; ++kind) {
          Attrs attrs;
          for (const auto& item : sample.attrs.items()) {
            if (item.first != name) attrs.set(item.first, item.second);
          }
          Dice dice(kind);
          const bool missing = kind == value.index();
          if (!missing) attrs.set(name, any_attr(dice, kind));
          Graph g;
          std::vector<Value> inputs;
          for (const SampleInput& input : sample.inputs)
            inputs.push_back(g.input("x" + std::to_string(inputs.size()), input.shape, input.domain.dtype()));
          CAPTURE(op->name);
          CAPTURE(sample.label);
          CAPTURE(attrs.str());
          std::string message;
          try {
            g.apply(*op, inputs, attrs);
          } catch (const UserError& error) {
            message = error.what();
          }
          CHECK(
              message.starts_with(fmt::format("{}: attribute \"{}\" is {}", op->name, name, missing ? "missing" : "")));
        }
      }
    }
  }
}

TEST_CASE("apply: an unknown operation or a wrong number of inputs throws an error that names it") {
  Graph g;
  const Value x = g.input("x", {3});
  CHECK_THROWS_WITH_AS(apply("sine", {x}), "sine: unknown operation", GraphError);
  CHECK_THROWS_WITH_AS(apply("sin", {}), doctest::Contains("sin: "), GraphError);
  CHECK_THROWS_WITH_AS(apply("sin", {x, x}), doctest::Contains("sin: takes 1 input, but got 2"), GraphError);
  CHECK_THROWS_WITH_AS(apply("input", {x}), doctest::Contains("input"), GraphError);
}

TEST_CASE("apply: random calls of every operation throw an error that names it, or evaluate") {
  constexpr int rounds = 400;
  Tally all;
  for (const OpDef* op : operations()) {
    Tally tally;
    std::map<std::string, std::string> failures;  // one call for each violation
    Dice dice(20);
    for (int round = 0; round < rounds; ++round) {
      const Sample& sample = op->samples[static_cast<std::size_t>(dice.below(static_cast<Index>(op->samples.size())))];
      const auto types = any_inputs(dice, sample);
      const Attrs attrs = any_attrs(dice, sample.attrs);
      const std::string failure = attempt(dice, *op, types, attrs, tally);
      if (!failure.empty()) failures.emplace(failure, call_text(*op, types, attrs));
    }
    int reported = 0;
    for (const auto& violation : failures) {
      if (++reported > 3) break;
      CAPTURE(violation.second);
      CHECK_MESSAGE(false, violation.first);
    }
    CAPTURE(op->name);
    CHECK(tally.computed > 0);
    all.rejected += tally.rejected;
    all.computed += tally.computed;
    all.differentiated += tally.differentiated;
  }
  CHECK(all.rejected > 5000);
  CHECK(all.computed > 10000);
  CHECK(all.differentiated > 3000);
}
