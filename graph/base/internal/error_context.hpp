// What every error says of where it happened. Errors know neither lines nor graphs: SourceLocationScope, which does,
// tells them.
#pragma once

#include <string>

namespace xgrad::inline v0 {

// Makes the last line of errors, such as `at model.cpp:42, in layer "deep/dense_1"`; none if it is empty.
using ErrorContext = std::string (*)();

// For errors that this thread makes from now on.
void set_error_context(ErrorContext context);

}  // namespace xgrad::inline v0
