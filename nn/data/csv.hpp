// CSV reader: loads tables of numbers and class names, plain or gzip-compressed.
//
//   Table boston = load_csv("boston_housing.csv");
//   Dataset data = boston.dataset("MEDV");               // x: every other column, y: f32 [rows, 1]
//   Tensor rooms = boston.select({"RM", "AGE"});         // f32 [rows, 2]
//   Table iris = load_csv("iris.csv", {.exclude = {"id"}, .classes = {"species"}});
//   Dataset flowers = iris.dataset("species");           // y: i64 [rows], for the sparse losses
//   std::string first = iris.class_names("species")[0];  // "setosa"
//
// Fields follow RFC 4180: within double quotes, "" is a quote, and separators and line ends are text. Lines end in LF
// or CRLF. A byte order mark, blank lines at the end, and spaces and tabs around unquoted fields are skipped. Parsing
// does not depend on the locale. Columns that are not selected may hold anything. A selected field that is not a finite
// number is an error with its line and column, unless an option handles it.
#pragma once

#include <concepts>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <xgrad/nn/data/dataset.hpp>

namespace xgrad::inline v0::nn {

// A table of numbers. Columns of class names hold class indices.
struct Table {
  std::vector<std::string> columns;
  Tensor values;  // f64 [rows, columns]; class columns hold class indices
  // Class names by index, for each column that was read as classes.
  std::map<std::string, std::vector<std::string>, std::less<>> classes{};
  Index dropped_rows = 0;  // number of rows that Missing::drop_row dropped

  // The position of a column. Throws UserError for an unknown name.
  Index column(std::string_view name) const;
  // The named columns in that order, as f32 [rows, names]. Throws UserError for an unknown name or no name, ValueError
  // for a number too large for f32.
  Tensor select(const std::vector<std::string>& names) const;
  // A column of classes or integers as i64 [rows]. Throws UserError for an unknown name, ValueError for a fraction, NaN
  // or an integer beyond 2^53.
  Tensor labels(std::string_view name) const;
  // Class names of a column, by index. Throws UserError unless the column was read as classes.
  const std::vector<std::string>& class_names(std::string_view name) const;
  // x: all columns but the target, in table order, f32 [rows, n]. y: the target, i64 [rows] if it was read as classes,
  // otherwise f32 [rows, 1]. Throws as `select`, and UserError if the target is the only column.
  Dataset dataset(const std::string& target) const;
};

// A column of a file, by name or by position; negative positions count from the end, as in Python.
class CsvColumn {
 public:
  template <class T>
  requires std::convertible_to<T, std::string> CsvColumn(T&& name) : key_(std::string(std::forward<T>(name))) {}
  CsvColumn(std::integral auto position) : key_(static_cast<Index>(position)) {}
  const std::variant<std::string, Index>& key() const { return key_; }

 private:
  std::variant<std::string, Index> key_;
};

// A column of class names. Class i is names[i]; any other text throws. Without `names` the classes are the distinct
// texts, sorted as numbers if all are numbers, otherwise bytewise.
struct CsvClasses {
  template <class T>
  requires std::constructible_from<CsvColumn, T> CsvClasses(T&& text, std::vector<std::string> its_names = {})
      : column(std::forward<T>(text)), names(std::move(its_names)) {}
  CsvColumn column;
  std::vector<std::string> names;
};

// How to handle a missing value in a selected column.
enum class Missing {
  error,
  drop_row,
  replace,  // by CsvOptions::replacement; an error in class columns
};

// The format of a CSV file, and the selection of its columns.
struct CsvOptions {
  // A space stands for any run of spaces and tabs, which are skipped at the ends of a line.
  char separator = ',';
  // Whether the first line holds column names. Without them columns are named "0", "1" ... . If not set, names are
  // expected, and a first line that looks like data is an error. An empty name becomes "Unnamed: 0", by its position,
  // as in pandas.
  std::optional<bool> header{};
  std::vector<CsvColumn> columns{};   // columns to read, in this order; all if empty
  std::vector<CsvColumn> exclude{};   // columns to skip
  std::vector<CsvClasses> classes{};  // columns to read as classes, even if not in `columns`
  Missing missing = Missing::error;
  double replacement = std::numeric_limits<double>::quiet_NaN();
  // Fields that mean a missing value; case-insensitive.
  std::vector<std::string> missing_markers{"", "?", "NA", "N/A", "<NA>", "#N/A", "NaN", "NULL", "None"};
  char decimal = '.';   // or ','
  char comment = '\0';  // begins a comment, outside quotes, up to the end of the line; NUL for none
};

// Loads a CSV file. Throws FormatError with file, line and column for invalid content, EnvironmentError if the file
// cannot be read, UserError for unknown columns and contradictory options.
Table load_csv(const std::filesystem::path& file, const CsvOptions& options = {});

}  // namespace xgrad::inline v0::nn
