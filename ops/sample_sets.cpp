#include <xgrad/ops/sample_sets.hpp>

#include <utility>

namespace xgrad {

std::vector<Sample> unary_samples(const Domain& domain, bool zero_gradient, bool zero_second) {
  std::vector<Sample> out;
  for (const Shape& shape :
       {Shape{}, Shape{1}, Shape{7}, Shape{8}, Shape{9}, Shape{19}, Shape{3, 5}, Shape{0}, Shape{2, 0}}) {
    const bool nothing = shape.elements() == 0;
    out.push_back({shape.str(), {{shape, domain}}, {}, 0, zero_gradient || nothing, zero_second || nothing});
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
    out.push_back({a.str() + " and " + b.str(),
                   {{a, left}, {b, right}},
                   {},
                   0,
                   zero_gradient || nothing,
                   zero_second || nothing});
  }
  return out;
}

std::vector<BadSample> elementwise_bad_samples(const char* name, int arity, bool mask_first_input, bool takes_bool) {
  std::vector<BadSample> out;
  const bool only_bool = takes_bool && !mask_first_input;
  const DType dtype = only_bool ? boolean : f32;
  std::vector<Tensor> good(static_cast<std::size_t>(arity), Tensor({2, 3}, dtype));
  if (mask_first_input) good[0] = Tensor({2, 3}, boolean);
  if (arity > 1) {
    auto bad = good;
    bad.back() = Tensor({4}, dtype);
    out.push_back({"shapes that do not broadcast", bad, {}, std::string(name) + ": shapes do not broadcast"});
    bad = good;
    bad.back() = Tensor({2, 3}, f64);
    out.push_back({"two dtypes", bad, {}, "dtype"});
  }
  if (!takes_bool) {
    out.push_back({"bool", std::vector<Tensor>(static_cast<std::size_t>(arity), Tensor({2}, boolean)), {}, name});
  } else if (arity == 1) {
    out.push_back({"not bool", {Tensor({2})}, {}, name});
  } else if (mask_first_input) {
    out.push_back({"a condition that is not bool", {Tensor({2}), Tensor({2}), Tensor({2})}, {}, "bool"});
  }
  return out;
}

}  // namespace xgrad
