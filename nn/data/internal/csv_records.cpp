#include <xgrad/nn/data/internal/csv_records.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xgrad/nn/data/csv.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>

namespace xgrad::inline v0::nn {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

CsvRecords::CsvRecords(const InputFile& file, std::string_view text, const CsvOptions& options)
    : file_(file),
      text_(text),
      separator_(options.separator),
      comment_(options.comment),
      spaces_(options.separator == ' ') {
  if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);  // the byte order mark that some spreadsheets write
  if (const auto at = text_.find('\0'); at != std::string_view::npos) {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    file.fail(fmt::format("line {}: NUL byte; the file is binary, or text in UTF-16", line));
  }
}

char CsvRecords::likelier_separator() const {
  const std::string_view first = trimmed(text_.substr(0, text_.find_first_of("\r\n")));
  if (first.find(separator_) != std::string_view::npos) return '\0';
  for (const char c : {';', '\t', ',', '|', ' '}) {
    if (first.find(c) != std::string_view::npos) return c;
  }
  return '\0';
}

bool CsvRecords::next() {
  std::size_t blank = 0;
  while (!at_end()) {
    line_ = reading_;
    const std::size_t begin = at_;
    skip_blanks();
    if (at_comment()) {
      skip_comment();
      if (!at_end()) ++at_, ++reading_;
      continue;
    }
    at_ = begin;
    read_fields();
    if (fields_.size() > 1 || !fields_[0].text.empty() || fields_[0].quoted) {
      // Blank lines are allowed at the end only; elsewhere a row is missing.
      if (blank != 0) file_.fail(fmt::format("line {}: blank line before the end of the file", blank));
      return true;
    }
    if (blank == 0) blank = line_;
  }
  return false;
}

void CsvRecords::skip_blanks() {
  while (!at_end() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
}

// Moves the cursor to the line feed or the end.
void CsvRecords::skip_comment() {
  if (at_comment()) at_ = std::min(text_.find('\n', at_), text_.size());
}

// The length of the line end at the cursor; 0 if there is none.
std::size_t CsvRecords::line_end() const {
  if (text_[at_] == '\n') return 1;
  if (text_[at_] != '\r') return 0;
  if (at_ + 1 < text_.size() && text_[at_ + 1] != '\n')
    file_.fail(fmt::format("line {}, field {}: carriage return without a line feed", reading_, fields_.size() + 1));
  return std::min<std::size_t>(2, text_.size() - at_);
}

void CsvRecords::read_fields() {
  fields_.clear();
  if (spaces_) skip_blanks();
  for (;;) {
    fields_.push_back(read_field());
    if (spaces_) skip_blanks();
    skip_comment();
    if (at_end()) return;
    if (const std::size_t length = line_end(); length != 0) {
      at_ += length;
      ++reading_;
      return;
    }
    if (!spaces_) ++at_;  // the separator; a field follows even if the text ends here
  }
}

// Reads a field and moves the cursor to the following separator, comment, line end or end of the text.
CsvField CsvRecords::read_field() {
  const std::size_t begin = at_;
  std::size_t quote = begin;
  while (quote < text_.size() && is_blank(text_[quote])) ++quote;
  if (quote < text_.size() && text_[quote] == '"') {
    at_ = quote + 1;
    return read_quoted();
  }
  while (!at_end() && !is_separator(text_[at_]) && !at_comment() && line_end() == 0) ++at_;
  return {std::string(trimmed(text_.substr(begin, at_ - begin))), reading_, false};
}

CsvField CsvRecords::read_quoted() {
  CsvField field{{}, reading_, true};
  const auto fail = [&](std::size_t line, const std::string& what) {
    file_.fail(fmt::format("line {}, field {}: {}", line, fields_.size() + 1, what));
  };
  for (;;) {
    if (at_end()) fail(field.line, "the quote is never closed");
    const char c = text_[at_++];
    if (c == '\n') ++reading_;
    if (c != '"') {
      field.text += c;
    } else if (!at_end() && text_[at_] == '"') {
      field.text += '"';
      ++at_;
    } else {
      break;
    }
  }
  while (!at_end() && is_blank(text_[at_])) ++at_;
  if (!at_end() && !is_separator(text_[at_]) && !at_comment() && line_end() == 0)
    fail(reading_, fmt::format("{} follows the closing quote", in_quotes(text_.substr(at_, 1))));
  return field;
}

}  // namespace xgrad::inline v0::nn
