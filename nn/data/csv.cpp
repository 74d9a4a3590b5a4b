#include <xgrad/nn/data/csv.hpp>

#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_map>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/parse_number.hpp>
#include <xgrad/nn/data/internal/csv_records.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>

namespace xgrad::inline v0::nn {
namespace {

namespace fs = std::filesystem;
using Fields = std::vector<CsvField>;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The whole text parsed as f64 (infinity and NaN included), or the reason why it could not be parsed.
struct ParsedNumber {
  double value = 0;
  std::errc error{};
};
ParsedNumber parse_f64(std::string_view text, char decimal) {
  std::string with_point;
  if (decimal != '.') {
    if (text.find('.') != std::string_view::npos) return {0, std::errc::invalid_argument};
    with_point = text;
    std::replace(with_point.begin(), with_point.end(), decimal, '.');
    text = with_point;
  }
  // parse_number rejects the leading plus sign that some programs write.
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  ParsedNumber out;
  const auto [end, error] = parse_number(text.data(), text.data() + text.size(), out.value);
  out.error = end == text.data() + text.size() ? error : std::errc::invalid_argument;
  return out;
}
bool is_number(std::string_view text, char decimal) {
  return !text.empty() && parse_f64(text, decimal).error == std::errc();
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

// Whether the text is a date with a month name: 5-Jan-2024, March 5, 2024, Tue 3 Sep.
bool names_month(std::string_view text) {
  constexpr std::string_view months[] = {"january", "february", "march",     "april",   "may",      "june",
                                         "july",    "august",   "september", "october", "november", "december"};
  bool month = false, number = false;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find_first_of(" ,-/."));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    month = month || std::any_of(std::begin(months), std::end(months), [&](std::string_view name) {
              return same_letters(word, name) || same_letters(word, name.substr(0, 3));
            });
    number = number || (!word.empty() && std::all_of(word.begin(), word.end(), is_digit));
  }
  return month && number;
}

// Whether the text is a numeric date or time: 2024-01-31, 31/1/24, 31.1.2024, 12:30.
bool looks_like_date(std::string_view text) {
  if (names_month(text)) return true;
  const auto digits = [&] {
    const auto count = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
    text.remove_prefix(count);
    return count;
  };
  if (const std::size_t first = digits(); first < 1 || first > 4 || text.empty()) return false;
  const char mark = text[0];
  text.remove_prefix(1);
  const std::size_t second = digits();
  if (mark == ':') return second == 2;
  return (mark == '-' || mark == '/' || mark == '.') && second >= 1 && second <= 2 && text.starts_with(mark);
}

bool may_separate(char c) {
  const bool letter = (lower(c) >= 'a' && lower(c) <= 'z') || is_digit(c);
  return ((c >= 0x20 && c < 0x7F) || c == '\t') && !letter &&
         std::string_view("\"+-.").find(c) == std::string_view::npos;
}

void check_options(const fs::path& path, const CsvOptions& options) {
  const auto refuse = [&](const std::string& what) {
    throw UserError(fmt::format("load_csv: {}: {}", path.string(), what));
  };
  const auto byte = [](char c) { return static_cast<unsigned>(static_cast<unsigned char>(c)); };
  if (!may_separate(options.separator))
    refuse(fmt::format("separator cannot be the character {:#04x}", byte(options.separator)));
  if (options.decimal != '.' && options.decimal != ',')
    refuse(fmt::format("decimal must be '.' or ',', got the character {:#04x}", byte(options.decimal)));
  if (options.decimal == options.separator) refuse("decimal and separator must be different characters");
  if (options.comment != '\0' &&
      (!may_separate(options.comment) || options.comment == options.separator || options.comment == options.decimal))
    refuse(fmt::format("comment cannot be the character {:#04x}", byte(options.comment)));
}

// The class names of a column, indexed in order of first appearance.
class ClassNames {
 public:
  explicit ClassNames(std::vector<std::string> names) : given_(!names.empty()), names_(std::move(names)) {
    for (std::size_t i = 0; i < names_.size(); ++i) numbers_.emplace(names_[i], i);
  }
  // The class index of `text`; empty if the names were given in the options and `text` is not among them.
  std::optional<std::size_t> index_of(const std::string& text) {
    const auto found = numbers_.find(text);
    if (found != numbers_.end()) return found->second;
    if (given_) return std::nullopt;
    numbers_.emplace(text, names_.size());
    names_.push_back(text);
    return names_.size() - 1;
  }
  const std::vector<std::string>& names() const { return names_; }
  // Sorts the names; returns the new index of each old one.
  std::vector<std::size_t> sort() {
    std::vector<std::size_t> order(names_.size()), out(names_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (!given_) {
      const bool numbers =
          std::all_of(names_.begin(), names_.end(), [](const auto& name) { return is_number(name, '.'); });
      std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const double x = numbers ? parse_f64(names_[a], '.').value : 0,
                     y = numbers ? parse_f64(names_[b], '.').value : 0;
        return x != y ? x < y : names_[a] < names_[b];
      });
    }
    std::vector<std::string> sorted;
    for (std::size_t i = 0; i < order.size(); ++i) {
      out[order[i]] = i;
      sorted.push_back(std::move(names_[order[i]]));
    }
    names_ = std::move(sorted);
    return out;
  }

 private:
  bool given_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::size_t> numbers_;
};

class Builder {
 public:
  Builder(const fs::path& path, const InputFile& file, std::string_view text, const CsvOptions& options)
      : path_(path), file_(file), options_(options), records_(file, text, options) {}

  Table build() {
    const bool header = options_.header.value_or(true);
    bool more = records_.next();
    if (header) {
      if (!more) file_.fail("the file is empty; expected a line of column names");
      const Fields names = records_.fields();
      take_names(names);
      more = records_.next();
      if (!options_.header) refuse_headerless(names, more);
    } else if (more) {
      for (std::size_t i = 0; i < records_.fields().size(); ++i) names_.push_back(std::to_string(i));
      choose();
    }
    for (; more; more = records_.next()) take_row();
    if (rows_ == 0 && dropped_ == 0)
      file_.fail(header ? "there are no rows below the column names" : "the file is empty; expected rows");
    if (rows_ == 0) file_.fail(fmt::format("all {} rows have missing values and were dropped", dropped_));
    return table();
  }
  // Rows read so far.
  Index rows() const { return rows_ + dropped_; }

 private:
  struct Column {
    std::size_t position;  // index of the column in the file
    std::string name;
    std::optional<ClassNames> classes{};
  };

  static std::string fields(std::size_t count) { return fmt::format("{} field{}", count, count == 1 ? "" : "s"); }
  static std::string hint(const std::string& text) { return "\n  hint: " + text; }

  // ---- column selection

  void take_names(const Fields& first) {
    for (std::size_t i = 0; i < first.size(); ++i)
      names_.push_back(trimmed(first[i].text).empty() ? fmt::format("Unnamed: {}", i) : first[i].text);
    choose();
    std::unordered_map<std::string_view, std::size_t> seen;
    for (const Column& c : columns_) {
      const auto [before, added] = seen.emplace(c.name, c.position);
      if (added) continue;
      file_.fail(fmt::format("line {}: columns {} and {} are both named {}", first[c.position].line, before->second + 1,
                             c.position + 1, in_quotes(c.name)));
    }
  }

  std::size_t position_of(const CsvColumn& wanted, const char* option) const {
    const auto refuse = [&](const std::string& what) {
      throw UserError(
          fmt::format("load_csv: {}: {}: {}; the columns are {}", path_.string(), option, what, name_list(names_)));
    };
    if (const auto* name = std::get_if<std::string>(&wanted.key())) {
      const auto found = std::find(names_.begin(), names_.end(), *name);
      if (found == names_.end()) refuse("there is no column " + in_quotes(*name));
      return static_cast<std::size_t>(found - names_.begin());
    }
    const Index position = std::get<Index>(wanted.key()), count = static_cast<Index>(names_.size());
    if (position < -count || position >= count) refuse(fmt::format("there is no column {} among {}", position, count));
    return static_cast<std::size_t>(position < 0 ? position + count : position);
  }

  void choose() {
    std::vector<std::size_t> chosen;
    const auto add = [&](std::size_t position) {
      if (std::find(chosen.begin(), chosen.end(), position) == chosen.end()) chosen.push_back(position);
    };
    for (const CsvColumn& c : options_.columns) add(position_of(c, "columns"));
    for (std::size_t i = 0; options_.columns.empty() && i < names_.size(); ++i) chosen.push_back(i);
    for (const CsvColumn& c : options_.exclude) std::erase(chosen, position_of(c, "exclude"));
    for (const CsvClasses& c : options_.classes) add(position_of(c.column, "classes"));
    if (chosen.empty()) throw UserError(fmt::format("load_csv: {}: exclude removes all columns", path_.string()));
    for (const std::size_t position : chosen) columns_.push_back({position, names_[position]});
    for (const CsvClasses& c : options_.classes) {
      const std::size_t position = position_of(c.column, "classes");
      const auto at =
          std::find_if(columns_.begin(), columns_.end(), [&](const Column& x) { return x.position == position; });
      at->classes.emplace(c.names);
    }
  }

  // Throws if the first line looks like data: a missing header would silently lose a row.
  void refuse_headerless(const Fields& first, bool has_second) const {
    const Fields& second = records_.fields();
    std::size_t numbers = 0;
    for (std::size_t i = 0; i < first.size(); ++i) {
      const std::string_view text = trimmed(first[i].text);
      const bool number = !first[i].quoted && is_number(text, options_.decimal);
      numbers += number ? 1U : 0U;
      if (!has_second || is_missing(text) || i >= second.size()) continue;
      const std::string_view below = trimmed(second[i].text);
      if (!is_missing(below) && number != is_number(below, options_.decimal)) return;
    }
    if (numbers == 0) return;
    file_.fail(fmt::format("line {}: expected column names, got what looks like a row of data{}", first[0].line,
                           hint("set .header = false if it is data, .header = true if it is names")));
  }

  // ---- rows

  void take_row() {
    const Fields& record = records_.fields();
    if (record.size() != names_.size()) {
      file_.fail(fmt::format("line {}: expected {}, got {}{}", records_.line(), fields(names_.size()),
                             fields(record.size()), hint_at_cut()));
    }
    const std::size_t before = numbers_.size();
    bool drop = false;
    for (Column& column : columns_) {
      const CsvField& field = record[column.position];
      if (is_missing(trimmed(field.text))) {
        drop = drop || options_.missing == Missing::drop_row;
        numbers_.push_back(drop ? 0 : replacement(field, column));
      } else {
        numbers_.push_back(column.classes ? class_of(field, column) : f64_of(field, column));
      }
    }
    if (drop) numbers_.resize(before);
    (drop ? dropped_ : rows_) += 1;
  }

  bool is_missing(std::string_view text) const {
    return std::any_of(options_.missing_markers.begin(), options_.missing_markers.end(),
                       [&](const std::string& marker) { return same_letters(marker, text); });
  }

  [[noreturn]] void refuse(const CsvField& field, const Column& column, const std::string& what) const {
    file_.fail(fmt::format("line {}, column {}: {}", field.line, in_quotes(column.name), what));
  }

  double replacement(const CsvField& field, const Column& column) const {
    if (options_.missing == Missing::replace && !column.classes) return options_.replacement;
    const std::string what =
        trimmed(field.text).empty() ? "the field is empty" : in_quotes(field.text) + " stands for a missing value";
    refuse(field, column,
           what + hint(column.classes
                           ? ".missing = Missing::drop_row drops such rows"
                           : ".missing = Missing::drop_row drops such rows, Missing::replace fills in a number"));
  }

  double class_of(const CsvField& field, Column& column) const {
    const auto number = column.classes->index_of(field.text);
    if (!number) {
      refuse(field, column,
             fmt::format("{} is not one of the classes {}", in_quotes(field.text), name_list(column.classes->names())));
    }
    return static_cast<double>(*number);
  }

  double f64_of(const CsvField& field, const Column& column) const {
    const std::string_view text = trimmed(field.text);
    const ParsedNumber number = parse_f64(text, options_.decimal);
    if (number.error == std::errc::result_out_of_range)
      refuse(field, column, in_quotes(field.text) + " is out of the range of f64");
    if (number.error != std::errc()) refuse_text(field, column);
    if (!std::isfinite(number.value)) refuse(field, column, in_quotes(field.text) + " is not a finite number");
    return number.value;
  }

  [[noreturn]] void refuse_text(const CsvField& field, const Column& column) const {
    const std::string_view text = trimmed(field.text);
    const std::string name = in_quotes(column.name);
    if (looks_like_date(text)) {
      refuse(field, column,
             in_quotes(field.text) + " is a date or a time, not a number" +
                 hint(fmt::format(".exclude = {{{}}} skips the column", name)));
    }
    std::string advice = hint_at_cut();
    if (advice.empty() && options_.decimal == '.' && is_number(text, ',')) advice = hint(".decimal = ','");
    if (advice.empty()) {
      advice = hint(fmt::format(".classes = {{{0}}} reads text as classes, .exclude = {{{0}}} skips the column", name));
    }
    refuse(field, column, in_quotes(field.text) + " is not a number" + advice);
  }

  // A hint if the lines were probably split at the wrong characters.
  std::string hint_at_cut() const {
    if (records_.begins_with_comment()) return hint(".comment = '#' skips lines that begin with it");
    const char separator = names_.size() == 1 ? records_.likelier_separator() : '\0';
    if (separator == '\0') return {};
    return hint(fmt::format(".separator = '{}'", separator == '\t' ? "\\t" : std::string(1, separator)));
  }

  // ---- result

  Table table() {
    const std::size_t width = columns_.size();
    Table out;
    for (std::size_t c = 0; c < width; ++c) {
      if (columns_[c].classes) {
        const std::vector<std::size_t> sorted = columns_[c].classes->sort();
        for (std::size_t i = c; i < numbers_.size(); i += width)
          numbers_[i] = static_cast<double>(sorted[static_cast<std::size_t>(numbers_[i])]);
        out.classes.emplace(columns_[c].name, columns_[c].classes->names());
      }
      out.columns.push_back(columns_[c].name);
    }
    out.values = Tensor::from<double>({rows_, static_cast<Index>(width)}, std::span<const double>(numbers_));
    out.dropped_rows = dropped_;
    return out;
  }

  const fs::path& path_;
  const InputFile& file_;
  const CsvOptions& options_;
  CsvRecords records_;
  std::vector<std::string> names_;  // names of all columns of the file
  std::vector<Column> columns_;     // the selected ones
  std::vector<double> numbers_;
  Index rows_ = 0, dropped_ = 0;
};

}  // namespace

Table load_csv(const fs::path& path, const CsvOptions& options) {
  const auto where = [&] { return "load_csv: " + path.string(); };
  const auto read = [&] {
    check_options(path, options);
    InputFile file("load_csv", path, {.unpack = true, .pipes = true});
    if (const std::string kind = kind_of_file(file.beginning(), true); !kind.empty())
      file.fail("not a table: it is " + kind);
    (void)CsvRecords(file, file.beginning(), options);  // rejects NUL bytes early, since /dev/zero never ends
    const std::string text = file.read_all();
    Builder builder(path, file, text, options);
    return with_file_memory(
        where, [&] { return builder.build(); },
        [&] { return fmt::format("its rows after {} were read", builder.rows()); });
  };
  return with_file_memory(where, read, [] { return std::string("its text and its rows"); });
}

Index Table::column(std::string_view name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) {
    throw UserError(
        fmt::format("table: there is no column {}; the columns are {}", in_quotes(name), name_list(columns)));
  }
  return found - columns.begin();
}

const std::vector<std::string>& Table::class_names(std::string_view name) const {
  (void)column(name);
  const auto found = classes.find(name);
  if (found == classes.end()) {
    throw UserError(fmt::format("table: column {0} was not read as classes\n  hint: load it with .classes = {{{0}}}",
                                in_quotes(name)));
  }
  return found->second;
}

Tensor Table::select(const std::vector<std::string>& names) const {
  if (names.empty()) throw UserError("table: a selection needs at least one column name");
  std::vector<std::size_t> from;
  for (const std::string& name : names) from.push_back(static_cast<std::size_t>(column(name)));
  const auto numbers = values.values<double>();
  const std::size_t width = columns.size();
  const std::size_t rows = numbers.size() / width;
  Tensor out({static_cast<Index>(rows), static_cast<Index>(from.size())}, f32);
  auto to = out.mutable_values<float>().begin();
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t c : from) {
      const double number = numbers[row * width + c];
      const auto value = static_cast<float>(number);
      if (std::isinf(value) && !std::isinf(number)) {
        throw ValueError(
            fmt::format("table: row {}, column {}: {} does not fit f32", row, in_quotes(columns[c]), number));
      }
      *to++ = value;
    }
  }
  return out;
}

Tensor Table::labels(std::string_view name) const {
  const auto c = static_cast<std::size_t>(column(name));
  const auto numbers = values.values<double>();
  const std::size_t rows = numbers.size() / columns.size();
  Tensor out({static_cast<Index>(rows)}, i64);
  const auto to = out.mutable_values<std::int64_t>();
  for (std::size_t row = 0; row < rows; ++row) {
    const double number = numbers[row * columns.size() + c];
    if (!(std::fabs(number) <= 0x1p53) || number != std::trunc(number)) {
      throw ValueError(
          fmt::format("table: row {}, column {}: {} is not a class index", row, in_quotes(columns[c]), number));
    }
    to[row] = static_cast<std::int64_t>(number);
  }
  return out;
}

Dataset Table::dataset(const std::string& target) const {
  column(target);  // throws for an unknown target
  std::vector<std::string> inputs;
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(inputs),
               [&](const auto& name) { return name != target; });
  if (inputs.empty()) {
    throw UserError(
        fmt::format("table: {} is the only column; a data set needs at least one input column", in_quotes(target)));
  }
  return {select(inputs), classes.contains(target) ? labels(target) : select({target})};
}

}  // namespace xgrad::inline v0::nn
