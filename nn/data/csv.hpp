// Reader of tables of numbers written as comma-separated values.
//
//   Table boston = read_csv("boston_housing.csv");
//   Dataset data = boston.dataset("MEDV");               // x: every other column, y: [rows, 1]
//   Tensor rooms = boston.select({"RM", "AGE"});         // f32 [rows, 2]
//
// Fields follow RFC 4180: one may stand in double quotes, within which "" is a quote, and separators and line ends are
// text. Lines end in LF or CRLF. Beyond it, a byte order mark, blank lines at the end, and spaces and tabs around
// fields without quotes are skipped. Numbers are read the same in every locale. Whatever is not a finite number is an
// error that says where it is: a hole in a table is to be filled or cut by somebody who knows the data.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <xgrad/nn/data/dataset.hpp>

namespace xgrad::nn {

struct Table {
  std::vector<std::string> columns;
  Tensor values;  // f64 [rows, columns]

  // The position of a column. Throws UserError if there is none of that name.
  Index column(std::string_view name) const;
  // The named columns in that order, as f32 [rows, names]. Throws UserError for an unknown name or no name, ValueError
  // for a number too large for f32.
  Tensor select(const std::vector<std::string>& names) const;
  // x: all columns but the target, in the order of the table, f32 [rows, n]; y: the target, f32 [rows, 1]. Throws as
  // select does, and UserError if the target is the only column.
  Dataset dataset(const std::string& target) const;
};

struct CsvOptions {
  char separator = ',';
  bool header = true;  // the first line names the columns; without it they are called "0", "1" and so on
};

// Throws FormatError naming file, line and column for content that is no table of numbers, EnvironmentError if the file
// cannot be read, UserError for a separator that cannot separate numbers.
Table read_csv(const std::filesystem::path& file, const CsvOptions& options = {});

}  // namespace xgrad::nn
