// xtensor in and out. Tensors take any array as it is (see tensor.hpp); this is the only file that includes xtensor,
// and knows where its headers are in its old and its new versions.
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

// The tensor's numbers as an xtensor expression, in place: good as long as the tensor lives and is not written. Throws
// DTypeError if T is not the dtype.
template <Element T>
auto as_xtensor(const Tensor& tensor) {
  const auto values = tensor.values<T>();
  const std::vector<std::size_t> shape(tensor.shape().begin(), tensor.shape().end());
  return xt::adapt(values.data(), values.size(), xt::no_ownership(), shape);
}

}  // namespace xgrad::inline v0
