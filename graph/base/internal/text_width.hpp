// How wide text is on a terminal, and whether it is UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xgrad::inline v0::nn {

// Columns that UTF-8 text takes: 2 for wide East Asian characters and emoji, 0 for marks that are set above or below
// others, and 1 for anything else, bytes that are not UTF-8 among them.
int text_width(std::string_view text);

// The longest beginning that takes no more than `width` columns, whole characters only.
std::string_view cut_to_width(std::string_view text, int width);

// The same text with a question mark for everything that a terminal would act on instead of showing it.
std::string without_controls(std::string_view text);

// The text in quotes for a message: on one line, at most 40 columns of it, and \xNN for each byte that is a control
// character or no UTF-8.
std::string in_quotes(std::string_view text);

// Names for a message, "a, b, and 5 more": 20 of them at most, without controls.
std::string name_list(const std::vector<std::string>& names);

// Whether all of it is UTF-8 as the Unicode standard defines it: no character is written longer than need be, and none
// is half of a pair.
bool is_utf8(std::string_view text);

}  // namespace xgrad::inline v0::nn
