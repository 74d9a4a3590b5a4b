// CsvRecords: splits the text of a CSV file into records of fields.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad::inline v0::nn {

class InputFile;
struct CsvOptions;

struct CsvField {
  std::string text;
  std::size_t line;  // number of the line in which the field begins
  bool quoted;
};

class CsvRecords {
 public:
  // Keeps references to the arguments. Errors are thrown by `file.fail`.
  CsvRecords(const InputFile& file, std::string_view text, const CsvOptions& options);

  // Reads the next record; false at the end of the text.
  bool next();
  const std::vector<CsvField>& fields() const { return fields_; }
  std::size_t line() const { return line_; }  // number of the line in which the record begins
  // Another separator, for hints: one that splits the first line if the chosen one does not. NUL if there is none.
  char likelier_separator() const;
  bool begins_with_comment() const { return text_.starts_with('#') && comment_ == '\0'; }

 private:
  bool at_end() const { return at_ == text_.size(); }
  bool is_blank(char c) const { return (c == ' ' || c == '\t') && c != separator_; }
  bool is_separator(char c) const { return c == separator_ || (spaces_ && c == '\t'); }
  bool at_comment() const { return comment_ != '\0' && !at_end() && text_[at_] == comment_; }
  void skip_blanks();
  void skip_comment();
  std::size_t line_end() const;
  void read_fields();
  CsvField read_field();
  CsvField read_quoted();

  const InputFile& file_;
  std::string_view text_;
  char separator_, comment_;
  bool spaces_;  // runs of spaces and tabs separate fields
  std::size_t at_ = 0;
  std::size_t reading_ = 1;  // the line of the cursor
  std::size_t line_ = 1;
  std::vector<CsvField> fields_;
};

// The text without leading and trailing spaces and tabs.
std::string_view trimmed(std::string_view text);

}  // namespace xgrad::inline v0::nn
