// The version of the headers, as macros. CMake reads it from here.
#pragma once

#define XGRAD_VERSION_MAJOR 0
#define XGRAD_VERSION_MINOR 1
#define XGRAD_VERSION_PATCH 0

// One comparable number, 10000 major + 100 minor + patch: `#if XGRAD_VERSION >= 200`.
#define XGRAD_VERSION (XGRAD_VERSION_MAJOR * 10000 + XGRAD_VERSION_MINOR * 100 + XGRAD_VERSION_PATCH)

namespace xgrad::inline v0 {

// The version of the linked library, as XGRAD_VERSION. It differs from the macro if headers and library belong to
// different releases.
int version();
// The version as text: "0.1.0".
const char* version_text();

}  // namespace xgrad::inline v0
