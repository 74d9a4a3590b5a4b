// Checks of options.
#pragma once

#include <string_view>
#include <type_traits>

namespace xgrad::inline v0 {

// Each throws UserError, "WHERE: OPTION must be ..., got VALUE", unless the value is
void require_not_negative(std::string_view where, std::string_view option, double value);  // finite and at least 0
void require_positive(std::string_view where, std::string_view option, double value);      // finite and above 0
void require_fraction(std::string_view where, std::string_view option, double value);      // in [0, 1)
void require_within(std::string_view where, std::string_view option, double value, double low, double high);
// Defined for int, Index and double.
template <class T>
void require_at_least(std::string_view where, std::string_view option, T value, std::type_identity_t<T> least);

}  // namespace xgrad::inline v0
