// Formats floating-point values identically on every machine.
#pragma once

#include <string>

namespace xgrad::inline v0 {

// The value with the sign bit of NaN cleared: fmt would print it, and it differs between processors.
double printable(double number);
// Formats `number` with `digits` significant digits; 0: the shortest text that parses back to it. NaN is "nan".
std::string number_text(double number, int digits = 6);

}  // namespace xgrad::inline v0
