// The version of the headers, for the preprocessor. CMake reads it from here.
#pragma once

#define XGRAD_VERSION_MAJOR 0
#define XGRAD_VERSION_MINOR 1
#define XGRAD_VERSION_PATCH 0

// One number to compare with, 10000 major + 100 minor + patch: `#if XGRAD_VERSION >= 200`.
#define XGRAD_VERSION (XGRAD_VERSION_MAJOR * 10000 + XGRAD_VERSION_MINOR * 100 + XGRAD_VERSION_PATCH)

namespace xgrad::inline v0 {

// The version of the library that the program is linked to, as XGRAD_VERSION. It differs from the macro where headers
// and library are of two releases.
int version();
// The same as text: "0.1.0".
const char* version_text();

}  // namespace xgrad::inline v0
