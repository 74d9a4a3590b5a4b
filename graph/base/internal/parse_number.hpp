// std::from_chars for f64, also where the standard library has it for integers only (libc++ before 20).
#pragma once

#include <charconv>

namespace xgrad::inline v0 {

// As std::from_chars in its general format: decimal numbers, "inf" and "nan", whatever the locale; no sign but a minus,
// no blanks. Leaves `value` alone unless the number is in the range of f64.
std::from_chars_result parse_number(const char* first, const char* last, double& value);

// What it does where std::from_chars takes no f64; here for the tests.
std::from_chars_result parse_number_by_strtod(const char* first, const char* last, double& value);

}  // namespace xgrad::inline v0
