// Converts between Tensor and xtensor. Only this file includes xtensor, whose headers have moved between versions; the
// conversions themselves are those of tensor.hpp for any array type.
//
//   Tensor t = xt::xarray<float>{{1, 2}, {3, 4}};
//   xt::xarray<double> a = t;
//   auto view = as_xtensor<float>(t);           // no copy: reads the tensor's own memory
#pragma once

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#endif

#include <vector>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0 {

// The elements as an xtensor expression that reads the tensor's memory; valid while the tensor lives and is not
// written. Throws DTypeError unless T matches the dtype.
template <Element T>
auto as_xtensor(const Tensor& tensor) {
  const auto values = tensor.values<T>();
  const std::vector<std::size_t> shape(tensor.shape().begin(), tensor.shape().end());
  return xt::adapt(values.data(), values.size(), xt::no_ownership(), shape);
}

}  // namespace xgrad::inline v0
