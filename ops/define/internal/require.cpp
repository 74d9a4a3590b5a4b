#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/require.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/source_location_scope.hpp>

namespace xgrad::inline v0 {

void require_floating(const char* function, Value x) {
  if (is_floating(x.dtype())) return;
  throw DTypeError(fmt::format("{}: needs a floating dtype, got {}\n  {}\n  hint: use cast(x, f32)",
                               SourceLocationScope::function_or(function), name_of(x.dtype()), x.describe()));
}

void fail_division_by_zero(const char* operation) {
  throw ValueError(fmt::format("{}: integer division by 0", operation));
}

}  // namespace xgrad::inline v0
