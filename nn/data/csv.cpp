#include <xgrad/nn/data/csv.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <span>
#include <sstream>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/graph/parse_number.hpp>

namespace xgrad::nn {
namespace {

namespace fs = std::filesystem;

// Text of a file for a message: one line, not too long, nothing in it that a terminal would act on.
std::string shown(std::string_view text) {
  constexpr std::size_t most = 40;
  std::string out = "\"";
  for (char c : text.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out + (text.size() > most ? "...\"" : "\"");
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string read_whole(const fs::path& path) {
  std::error_code ignored;
  std::ifstream file(path, std::ios::binary);
  // A directory opens like a file on Linux, and reads as one without content.
  if (!file || fs::is_directory(path, ignored)) {
    throw EnvironmentError(fmt::format("read_csv: cannot open {}", path.string()));
  }
  std::ostringstream content;
  if (file.peek() != std::ifstream::traits_type::eof()) content << file.rdbuf();
  if (file.bad() || content.fail()) throw EnvironmentError(fmt::format("read_csv: cannot read {}", path.string()));
  return std::move(content).str();
}

class Parser {
 public:
  Parser(const fs::path& path, std::string_view text, const CsvOptions& options)
      : path_(path), text_(text), options_(options) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);  // the byte order mark some spreadsheets write
  }

  Table parse() {
    refuse_nul();
    if (options_.header) {
      if (!next_record()) fail("the file is empty: expected a line of column names");
      take_names();
    }
    std::vector<double> numbers;
    Index rows = 0;
    while (next_record()) {
      if (columns_.empty()) number_columns();
      if (record_.size() != columns_.size()) {
        fail(fmt::format("line {}: it has {}, the table has {}", line_, fields(record_.size()),
                         fields(columns_.size())));
      }
      for (std::size_t i = 0; i < record_.size(); ++i) numbers.push_back(number(record_[i], columns_[i]));
      ++rows;
    }
    if (rows == 0)
      fail(options_.header ? "there are no rows below the column names" : "the file is empty: there are no rows");
    const Shape shape{rows, static_cast<Index>(columns_.size())};
    return {std::move(columns_), Tensor::from<double>(shape, std::span<const double>(numbers))};
  }

 private:
  struct Field {
    std::string text;
    std::size_t line;  // where it begins
    bool quoted;
  };

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("read_csv: {}: {}", path_.string(), what));
  }
  static std::string fields(std::size_t count) { return fmt::format("{} field{}", count, count == 1 ? "" : "s"); }

  void refuse_nul() const {
    const auto at = text_.find('\0');
    if (at == std::string_view::npos) return;
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    fail(fmt::format("line {}: there is a NUL byte: the file is not text, or text of 16 bits a character", line));
  }

  // ---- from text to fields

  bool at_end() const { return at_ == text_.size(); }
  // The length of the line end at the cursor: 0 if there is none.
  std::size_t line_end() const {
    if (text_[at_] == '\n') return 1;
    if (text_[at_] != '\r') return 0;
    if (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') {
      fail(fmt::format("line {}, field {}: a carriage return without a line feed", reading_, record_.size() + 1));
    }
    return std::min<std::size_t>(2, text_.size() - at_);
  }

  // Reads the next line that is not blank into record_; false at the end of the file.
  bool next_record() {
    std::size_t blank = 0;
    while (!at_end()) {
      line_ = reading_;
      read_fields();
      if (record_.size() > 1 || !record_[0].text.empty() || record_[0].quoted) {
        // At the end of a file blank lines mean nothing; further up, a row is missing.
        if (blank != 0) fail(fmt::format("line {}: it is blank, and more lines follow", blank));
        return true;
      }
      if (blank == 0) blank = line_;
    }
    return false;
  }

  void read_fields() {
    record_.clear();
    for (;;) {
      record_.push_back(read_field());
      if (at_end()) return;
      if (const std::size_t length = line_end(); length != 0) {
        at_ += length;
        ++reading_;
        return;
      }
      ++at_;  // the separator; a field follows even if the text ends here
    }
  }

  // Leaves the cursor at a separator, a line end or the end of the text.
  Field read_field() {
    const std::size_t begin = at_;
    std::size_t quote = begin;
    while (quote < text_.size() && text_[quote] != options_.separator && (text_[quote] == ' ' || text_[quote] == '\t'))
      ++quote;
    if (quote < text_.size() && text_[quote] == '"') {
      at_ = quote + 1;
      return read_quoted();
    }
    while (!at_end() && text_[at_] != options_.separator && line_end() == 0) {
      if (text_[at_] == '"') {
        fail(fmt::format("line {}, field {}: a quote within a field that does not begin with one", reading_,
                         record_.size() + 1));
      }
      ++at_;
    }
    return {std::string(trimmed(text_.substr(begin, at_ - begin))), reading_, false};
  }

  Field read_quoted() {
    Field field{{}, reading_, true};
    for (;;) {
      if (at_end()) fail(fmt::format("line {}, field {}: the quote is never closed", field.line, record_.size() + 1));
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
    while (!at_end() && text_[at_] != options_.separator && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    if (!at_end() && text_[at_] != options_.separator && line_end() == 0) {
      fail(fmt::format("line {}, field {}: {} follows the closing quote", reading_, record_.size() + 1,
                       shown(text_.substr(at_, 1))));
    }
    return field;
  }

  // ---- from fields to names and numbers

  void take_names() {
    std::unordered_map<std::string_view, std::size_t> seen;
    for (std::size_t i = 0; i < record_.size(); ++i) {
      const Field& field = record_[i];
      if (trimmed(field.text).empty()) fail(fmt::format("line {}: column {} has no name", field.line, i + 1));
      const auto [first, added] = seen.emplace(field.text, i);
      if (!added) {
        fail(fmt::format("line {}: columns {} and {} are both called {}", field.line, first->second + 1, i + 1,
                         shown(field.text)));
      }
    }
    for (Field& field : record_) columns_.push_back(std::move(field.text));
  }

  void number_columns() {
    for (std::size_t i = 0; i < record_.size(); ++i) columns_.push_back(std::to_string(i));
  }

  double number(const Field& field, const std::string& column) const {
    const auto refuse = [&](std::string_view what) {
      fail(fmt::format("line {}, column {}: {}", field.line, shown(column), what));
    };
    std::string_view text = trimmed(field.text);
    if (text.empty()) refuse("the field is empty");
    // from_chars takes no plus sign, which some programs write.
    if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = parse_number(text.data(), text.data() + text.size(), value);
    if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
      refuse(fmt::format("{} is not a number", shown(field.text)));
    }
    if (error == std::errc::result_out_of_range)
      refuse(fmt::format("{} is out of the range of f64", shown(field.text)));
    if (!std::isfinite(value)) refuse(fmt::format("{} is not a finite number", shown(field.text)));
    return value;
  }

  const fs::path& path_;
  std::string_view text_;
  const CsvOptions& options_;
  std::size_t at_ = 0;
  std::size_t reading_ = 1;  // the line the cursor is in
  std::size_t line_ = 1;     // the line record_ begins in
  std::vector<Field> record_;
  std::vector<std::string> columns_;
};

}  // namespace

Table read_csv(const fs::path& file, const CsvOptions& options) {
  const auto byte = static_cast<unsigned char>(options.separator);
  const bool printable = (byte >= 0x20 && byte < 0x7F) || options.separator == '\t';
  const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
  if (!printable || letter || std::string_view("\"+-.").find(options.separator) != std::string_view::npos) {
    throw UserError(fmt::format("read_csv: {}: the character {:#04x} cannot separate numbers", file.string(), byte));
  }
  return Parser(file, read_whole(file), options).parse();
}

Index Table::column(std::string_view name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) {
    throw UserError(
        fmt::format("table: there is no column {}: the columns are {}", shown(name), fmt::join(columns, ", ")));
  }
  return found - columns.begin();
}

Tensor Table::select(const std::vector<std::string>& names) const {
  if (names.empty()) throw UserError("table: no columns are named: a selection needs at least one");
  std::vector<std::size_t> from;
  for (const std::string& name : names) from.push_back(static_cast<std::size_t>(column(name)));
  const auto numbers = values.values<double>();
  const std::size_t width = columns.size();
  const std::size_t rows = numbers.size() / width;
  Tensor out({static_cast<Index>(rows), static_cast<Index>(from.size())}, f32);
  auto to = out.mutable_values<float>().begin();
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t c : from) {
      const auto value = static_cast<float>(numbers[row * width + c]);
      if (!std::isfinite(value)) {
        throw ValueError(fmt::format("table: row {}, column {}: {} does not fit f32", row, shown(columns[c]),
                                     numbers[row * width + c]));
      }
      *to++ = value;
    }
  }
  return out;
}

Dataset Table::dataset(const std::string& target) const {
  column(target);  // an unknown target is the first thing to complain of
  std::vector<std::string> inputs;
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(inputs),
               [&](const auto& name) { return name != target; });
  if (inputs.empty()) {
    throw UserError(fmt::format("table: {} is the only column: nothing is left to predict it from", shown(target)));
  }
  return {select(inputs), select({target})};
}

}  // namespace xgrad::nn
