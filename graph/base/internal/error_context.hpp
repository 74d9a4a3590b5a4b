// The hook that adds the last line of error messages, where the error happened. It is a function pointer, because
// error.hpp does not know graphs; SourceLocationScope sets it.
#pragma once

#include <string>

namespace xgrad::inline v0 {

// Returns the last line, such as `at model.cpp:42, in layer "deep/dense_1"`; empty for none.
using ErrorContext = std::string (*)();

// Sets the context of errors constructed on this thread from now on.
void set_error_context(ErrorContext context);

}  // namespace xgrad::inline v0
