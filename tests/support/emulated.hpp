// Whether the tests run on an emulated processor, where slow tests try fewer cases.
#pragma once

#include <cstdlib>

namespace xgrad::testing {

// The emulator's command; null on a real processor. ctest sets it when cross-compiling.
inline const char* emulator() { return std::getenv("XGRAD_EMULATOR"); }

}  // namespace xgrad::testing
