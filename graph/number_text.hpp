// Numbers as text, the same on every machine.
#pragma once

#include <string>

namespace xgrad {

// With so many significant digits; 0: as few as tell it from others. NaN is "nan" whatever its sign bit, which means
// nothing and differs between processors.
std::string number_text(double number, int digits = 6);

}  // namespace xgrad
