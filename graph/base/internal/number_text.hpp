// Numbers as text, the same on every machine.
#pragma once

#include <string>

namespace xgrad::inline v0 {

// A number to be formatted: NaN without its sign bit, which fmt would print, and which means nothing and differs
// between processors.
double printable(double number);
// With so many significant digits; 0: as few as tell it from others. NaN is "nan".
std::string number_text(double number, int digits = 6);

}  // namespace xgrad::inline v0
