// Terminal column width of text, and UTF-8 validation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xgrad::inline v0 {

struct Utf8Character {
  char32_t code = 0;  // the byte itself if it is not valid
  std::size_t bytes = 1;
  bool valid = true;  // as the Unicode standard defines UTF-8: no overlong sequences and no surrogates
};
// The first character of a text that is not empty.
Utf8Character first_character(std::string_view text);

// Terminal columns of UTF-8 text: 2 for wide East Asian characters and emoji, 0 for combining marks, 1 for others,
// including bytes that are not UTF-8.
int text_width(std::string_view text);

// The longest prefix of complete characters that takes at most `width` columns.
std::string_view cut_to_width(std::string_view text, int width);

// Replaces control characters and invalid bytes by question marks.
std::string without_controls(std::string_view text);

// Quotes text for a message: one line, at most 40 columns, \xNN for each byte of a control character or invalid UTF-8.
std::string in_quotes(std::string_view text);

// A list of names for a message, "a, b, and 5 more": at most 20, without control characters.
std::string name_list(const std::vector<std::string>& names);

// Whether all characters are valid.
bool is_utf8(std::string_view text);

}  // namespace xgrad::inline v0
