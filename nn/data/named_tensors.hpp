// NamedTensors: tensors by name, as files store them.
#pragma once

#include <map>
#include <string>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

using NamedTensors = std::map<std::string, Tensor>;

}  // namespace xgrad::inline v0::nn
