// Lists of names, and the nearest of them, for messages.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/parameter.hpp>

namespace xgrad::inline v0::nn {

// The names of the parameters in quotes; of more than eight the first ones, and how many more there are.
std::string quoted_names(const std::vector<Parameter>& parameters);

// "there is no "los"; there are: loss, accuracy", with a hint if one of the names is like the wanted one.
std::string no_such_name(const std::string& name, const std::vector<std::string>& names);

}  // namespace xgrad::inline v0::nn
