// Lists of names, and suggestions for misspelled ones, for messages.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/parameter.hpp>

namespace xgrad::inline v0::nn {

// Lists the quoted names of the parameters: the first eight, and the number of the others.
std::string quoted_names(const std::vector<Parameter>& parameters);

// Returns a message such as `there is no "los"; there are: loss, accuracy`, with a hint if one of the names is similar.
std::string no_such_name(const std::string& name, const std::vector<std::string>& names);

}  // namespace xgrad::inline v0::nn
