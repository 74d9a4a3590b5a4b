// Numbers, counts and byte sizes as text, identical on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace xgrad::inline v0 {

// The value with the sign bit of NaN cleared: fmt would print it, and it differs between processors.
double printable(double number);
// Formats `number` with `digits` significant digits; 0: the shortest text that parses back to it. NaN is "nan".
std::string number_text(double number, int digits = 6);
// For example "12 bytes", "217.0 KiB" or "1.5 MiB".
std::string memory_text(std::size_t bytes);
// For example "12,345".
std::string thousands(std::uint64_t n);

}  // namespace xgrad::inline v0
