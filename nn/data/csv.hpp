// Reader of tables written as comma-separated values, plain or packed with gzip.
//
//   Table boston = load_csv("boston_housing.csv");
//   Dataset data = boston.dataset("MEDV");               // x: every other column, y: f32 [rows, 1]
//   Tensor rooms = boston.select({"RM", "AGE"});         // f32 [rows, 2]
//   Table iris = load_csv("iris.csv", {.exclude = {"id"}, .classes = {"species"}});
//   Dataset flowers = iris.dataset("species");           // y: i64 [rows], for the sparse losses
//   std::string first = iris.class_names("species")[0];  // "setosa"
//
// Fields follow RFC 4180: one may stand in double quotes, within which "" is a quote, and separators and line ends are
// text. Lines end in LF or CRLF. Beyond it, a byte order mark, blank lines at the end, and spaces and tabs around
// fields without quotes are skipped. Numbers are read the same in every locale. Columns are chosen before anything in
// them is read, so the others may hold anything. Whatever is left that is not a finite number is an error that says
// where it is, unless options say what becomes of it.
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

struct Table {
  std::vector<std::string> columns;
  Tensor values;  // f64 [rows, columns]; in columns of classes their indices
  // The names of the classes, by index, of the columns that were read as classes.
  std::map<std::string, std::vector<std::string>, std::less<>> classes{};
  Index dropped_rows = 0;  // by Missing::drop_row

  // The position of a column. Throws UserError if there is none of that name.
  Index column(std::string_view name) const;
  // The named columns in that order, as f32 [rows, names]. Throws UserError for an unknown name or no name, ValueError
  // for a number too large for f32.
  Tensor select(const std::vector<std::string>& names) const;
  // A column of classes or of integers as i64 [rows]. Throws UserError for an unknown name, ValueError for a number
  // with a fraction, NaN, or an integer beyond 2^53.
  Tensor labels(std::string_view name) const;
  // The name of each class of a column, by index. Throws UserError unless the column was read as classes.
  const std::vector<std::string>& class_names(std::string_view name) const;
  // x: all columns but the target, in the order of the table, f32 [rows, n]; y: the target, as i64 [rows] if it was
  // read as classes, otherwise f32 [rows, 1]. Throws as select does, and UserError if the target is the only column.
  Dataset dataset(const std::string& target) const;
};

// A column of a file by its name, by its position from 0, or from the last backwards: -1, -2 and so on.
class CsvColumn {
 public:
  template <class T>
  requires std::convertible_to<T, std::string> CsvColumn(T&& name) : key_(std::string(std::forward<T>(name))) {}
  CsvColumn(std::integral auto position) : key_(static_cast<Index>(position)) {}
  const std::variant<std::string, Index>& key() const { return key_; }

 private:
  std::variant<std::string, Index> key_;
};

// A column of which each distinct text is a class. Class i is names[i], and other texts are refused; without names the
// classes are the texts there are, sorted: as numbers if all are numbers, otherwise byte by byte.
struct CsvClasses {
  template <class T>
  requires std::constructible_from<CsvColumn, T> CsvClasses(T&& text, std::vector<std::string> its_names = {})
      : column(std::forward<T>(text)), names(std::move(its_names)) {}
  CsvColumn column;
  std::vector<std::string> names;
};

// What becomes of a missing value in a column that is read.
enum class Missing {
  error,
  drop_row,
  replace,  // by CsvOptions::replacement; in a column of classes it is an error all the same
};

struct CsvOptions {
  // A space stands for runs of spaces and tabs, also in front of the first field and behind the last.
  char separator = ',';
  // Whether the first line names the columns; otherwise they are called "0", "1" and so on. If it is not said, it does,
  // and a first line of numbers like those of the second is an error, since a row would be lost. A column without a
  // name is called "Unnamed: 0", by its position, as pandas does.
  std::optional<bool> header{};
  std::vector<CsvColumn> columns{};   // these alone, in this order; all if empty
  std::vector<CsvColumn> exclude{};   // and without these
  std::vector<CsvClasses> classes{};  // text that is read as classes; read also if `columns` does not name it
  Missing missing = Missing::error;
  double replacement = std::numeric_limits<double>::quiet_NaN();
  // Fields that say that a value is missing, in letters of either case.
  std::vector<std::string> missing_markers{"", "?", "NA", "N/A", "<NA>", "#N/A", "NaN", "NULL", "None"};
  char decimal = '.';   // or ','
  char comment = '\0';  // what begins with it, outside quotes, is skipped up to the end of the line; none if NUL
};

// Throws FormatError naming file, line and column for content that is no such table, EnvironmentError if the file
// cannot be read, UserError for columns that are not there and options that contradict each other.
Table load_csv(const std::filesystem::path& file, const CsvOptions& options = {});

}  // namespace xgrad::inline v0::nn
