#include <xgrad/graph/base/version.hpp>

#define XGRAD_TEXT_OF(x) #x
#define XGRAD_TEXT(x) XGRAD_TEXT_OF(x)

namespace xgrad::inline v0 {

int version() { return XGRAD_VERSION; }

const char* version_text() {
  return XGRAD_TEXT(XGRAD_VERSION_MAJOR) "." XGRAD_TEXT(XGRAD_VERSION_MINOR) "." XGRAD_TEXT(XGRAD_VERSION_PATCH);
}

}  // namespace xgrad::inline v0
