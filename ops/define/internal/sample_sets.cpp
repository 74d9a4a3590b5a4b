#include <xgrad/ops/define/internal/sample_sets.hpp>

#include <utility>

namespace xgrad::inline v0 {

std::vector<Sample> unary_samples(const Domain& domain, bool zero_gradient, bool zero_second) {
  std::vector<Sample> out;
  for (const Shape& shape :
       {Shape{}, Shape{1}, Shape{7}, Shape{8}, Shape{9}, Shape{19}, Shape{3, 5}, Shape{0}, Shape{2, 0}}) {
    const bool nothing = shape.elements() == 0;
    out.push_back({.label = shape.str(),
                   .inputs = {{shape, domain}},
                   .zero_gradient = zero_gradient || nothing,
                   .zero_second = zero_second});
  }
  return out;
}

std::vector<Sample> binary_samples(const Domain& left, const Domain& right, bool zero_gradient, bool zero_second) {
  const std::pair<Shape, Shape> shapes[] = {
      {{}, {}},         {{7}, {7}},          {{16}, {16}},        {{3, 5}, {3, 5}},        {{17}, {}},
      {{}, {17}},       {{3, 9}, {9}},       {{9}, {3, 9}},       {{4, 5}, {4, 1}},        {{4, 1}, {4, 5}},
      {{4, 1}, {1, 5}}, {{2, 3, 4}, {3, 1}}, {{2, 1, 4}, {3, 1}}, {{2, 3, 33}, {2, 1, 1}}, {{0, 3}, {1, 3}},
  };
  std::vector<Sample> out;
  for (const auto& [a, b] : shapes) {
    const bool nothing = a.elements() == 0;
    out.push_back({.label = a.str() + " and " + b.str(),
                   .inputs = {{a, left}, {b, right}},
                   .zero_gradient = zero_gradient || nothing,
                   .zero_second = zero_second});
  }
  return out;
}

std::vector<Sample> unary_samples_with(const Domain& domain, const Domain& alone, bool zero_second) {
  auto out = unary_samples(domain, false, zero_second);
  for (Sample& sample : out) {
    if (sample.inputs[0].shape.elements() == 1) sample.inputs[0].domain = alone;
  }
  return out;
}

std::vector<Sample> with_integers(std::vector<Sample> samples, const std::vector<Domain>& domains) {
  Sample row{.label = "integers", .inputs = {}, .zero_gradient = true};
  Sample matrix{.label = "integers, broadcast", .inputs = {}, .zero_gradient = true};
  for (const Domain& domain : domains) {
    row.inputs.push_back({{19}, domain});
    matrix.inputs.push_back({matrix.inputs.empty() ? Shape{3, 5} : Shape{5}, domain});
  }
  samples.push_back(row);
  samples.push_back(matrix);
  return samples;
}

std::vector<BadSample> elementwise_bad_samples(const char* name, int arity, const ElementwiseDtypes& takes) {
  std::vector<BadSample> out;
  const auto inputs = static_cast<std::size_t>(arity);
  const DType dtype = takes.floating ? f32 : boolean;
  std::vector<Tensor> good(inputs, Tensor({2, 3}, dtype));
  if (takes.mask_first_input) good[0] = Tensor({2, 3}, boolean);
  if (arity > 1) {
    auto bad = good;
    bad.back() = Tensor({4}, dtype);
    out.push_back({"shapes that do not broadcast", bad, {}, std::string(name) + ": shapes do not broadcast"});
    bad = good;
    bad.back() = Tensor({2, 3}, f64);
    out.push_back({"two dtypes", bad, {}, "dtype"});
  }
  const auto refuse = [&](const char* label, DType refused) {
    out.push_back(
        {label, std::vector<Tensor>(inputs, Tensor({2}, refused)), {}, std::string("it is ") + name_of(refused)});
  };
  if (!takes.boolean) refuse("bool", boolean);
  if (!takes.integer) refuse("integers", i64);
  if (!takes.floating) refuse("numbers", f32);
  if (takes.mask_first_input) refuse("a condition that is not bool", f32);
  return out;
}

}  // namespace xgrad::inline v0
