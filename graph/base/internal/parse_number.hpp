// std::from_chars for f64, also for standard libraries that lack it (libc++ before 20).
#pragma once

#include <charconv>

namespace xgrad::inline v0 {

// Same as std::from_chars in general format: decimal numbers, "inf" and "nan" in any locale; no leading plus sign or
// whitespace. Does not modify `value` if the result is out of range.
std::from_chars_result parse_number(const char* first, const char* last, double& value);

// The fallback where std::from_chars lacks f64; declared for the tests.
std::from_chars_result parse_number_by_strtod(const char* first, const char* last, double& value);

}  // namespace xgrad::inline v0
