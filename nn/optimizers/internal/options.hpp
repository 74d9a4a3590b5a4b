// Option checks of optimizers and schedules.
#pragma once

namespace xgrad::inline v0::nn {

// Each throws UserError, naming the optimizer or schedule and the option, unless the value is finite and
void require_not_negative(const char* where, const char* option, double value);  // at least 0
void require_positive(const char* where, const char* option, double value);      // above 0
void require_fraction(const char* where, const char* option, double value);      // in [0, 1)

}  // namespace xgrad::inline v0::nn
