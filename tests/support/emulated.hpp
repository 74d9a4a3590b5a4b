// Whether the tests run on an emulated processor, where those that try very many numbers or graphs try fewer.
#pragma once

#include <cstdlib>

namespace xgrad::testing {

// The program that runs those of another processor; null where there is none. ctest says so when cross-compiling.
inline const char* emulator() { return std::getenv("XGRAD_EMULATOR"); }

}  // namespace xgrad::testing
