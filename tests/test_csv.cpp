#include <clocale>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/nn/data/csv.hpp>

#include "scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using namespace scratch;

namespace {

Table parse(std::string_view content, const CsvOptions& options = {}) {
  const ScratchFolder folder;
  return read_csv(write_file(folder / "t.csv", content), options);
}

std::vector<double> numbers(const Tensor& t) {
  std::vector<double> out;
  for (Index i = 0; i < t.elements(); ++i) out.push_back(t.at(i));
  return out;
}

using Names = std::vector<std::string>;
using Numbers = std::vector<double>;

}  // namespace

TEST_CASE("csv: a plain table, and the ways lines may end") {
  for (const char* content : {"a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4", "a,b\r\n1,2\r\n3,4\r\n", "a,b\r\n1,2\r\n3,4",
                              "a,b\n1,2\n3,4\r", "a,b\n1,2\n3,4\n\n\r\n  \n",
                              "\xEF\xBB\xBF"
                              "a,b\n1,2\n3,4\n",
                              " a ,\tb\n1 , 2\n 3,4\t\n"}) {
    CAPTURE(content);
    const Table table = parse(content);
    CHECK(table.columns == Names{"a", "b"});
    CHECK(table.values.dtype() == f64);
    CHECK(table.values.shape() == Shape{2, 2});
    CHECK(numbers(table.values) == Numbers{1, 2, 3, 4});
  }
}

TEST_CASE("csv: one column, one row, no header, other separators") {
  CHECK(parse("x\n5").values.shape() == Shape{1, 1});
  const Table bare = parse("1;-2;3e2\n4;5;6\n", {';', false});
  CHECK(bare.columns == Names{"0", "1", "2"});
  CHECK(numbers(bare.values) == Numbers{1, -2, 300, 4, 5, 6});
  CHECK(numbers(parse("a\tb\n1\t 2 \n", {'\t', true}).values) == Numbers{1, 2});
  CHECK(numbers(parse("a b\n1 2\n", {' ', true}).values) == Numbers{1, 2});
  for (char separator : {'\n', '\r', '\0', '"', '.', '-', '+', 'e', '0', '\x80'}) {
    CHECK_THROWS_AS(parse("a\n1\n", {separator, true}), UserError);
  }
}

TEST_CASE("csv: quoted fields hold separators, quotes and line ends") {
  const Table table = parse("\"a,\"\"x\"\"\",\"two\r\nlines\" , plain\n\"1.5\",\" 2 \",3\n");
  CHECK(table.columns == Names{"a,\"x\"", "two\r\nlines", "plain"});
  CHECK(numbers(table.values) == Numbers{1.5, 2, 3});
}

TEST_CASE("csv: numbers are read exactly and in every form") {
  const Table table = parse("x\n0.1\n-0\n+7\n1E-3\n.5\n5.\n4.9406564584124654e-324\n1.7976931348623157e308\n00012\n");
  CHECK(numbers(table.values) ==
        Numbers{0.1, 0.0, 7, 0.001, 0.5, 5, 4.9406564584124654e-324, 1.7976931348623157e308, 12});
  CHECK(std::signbit(table.values.at(1)));
}

TEST_CASE("csv: a locale with a decimal comma changes nothing") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8"}) {
    if (std::setlocale(LC_ALL, name) == nullptr) continue;
    CHECK(numbers(parse("x\n1.5\n").values) == Numbers{1.5});
    CHECK_THROWS_AS(parse("x;y\n1,5;2\n", {';', true}), FormatError);
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("csv: content that is no table of numbers is refused, saying where") {
  struct Bad {
    std::string_view content;
    const char* message;
  };
  using namespace std::string_view_literals;
  const Bad all[] = {
      {"", "the file is empty"},
      {"\n\n", "the file is empty"},
      {"\xEF\xBB\xBF", "the file is empty"},
      {"a,b\n", "there are no rows"},
      {"a,b", "there are no rows"},
      {"a,b\n1,2\n3\n", "line 3: it has 1 field, the table has 2 fields"},
      {"a,b\n1,2,3\n", "line 2: it has 3 fields, the table has 2 fields"},
      {"a,b\n1,2,\n", "line 2: it has 3 fields"},
      {"a,b\n1,2\n\n3,4\n", "line 3: it is blank"},
      {"\na,b\n1,2\n", "line 1: it is blank"},
      {"a\n1\n\n2\n", "line 3: it is blank"},
      {"a,b\n1,x\n", "line 2, column \"b\": \"x\" is not a number"},
      {"a,b\n1,2\n1,2 3\n", "line 3, column \"b\": \"2 3\" is not a number"},
      {"a,b\n1,\n", "line 2, column \"b\": the field is empty"},
      {"a,b\n,1\n", "line 2, column \"a\": the field is empty"},
      {"a,b\n1,\"\"\n", "line 2, column \"b\": the field is empty"},
      {"a\n\" \"\n", "line 2, column \"a\": the field is empty"},
      {"a\nnan\n", "\"nan\" is not a finite number"},
      {"a\n-inf\n", "\"-inf\" is not a finite number"},
      {"a\nINFINITY\n", "is not a finite number"},
      {"a\nNaN(7)\n", "is not a finite number"},
      {"a\n1e999\n", "\"1e999\" is out of the range of f64"},
      {"a\n1e-999\n", "out of the range"},
      {"a\n0x10\n", "\"0x10\" is not a number"},
      {"a\n1e\n", "is not a number"},
      {"a\n+-1\n", "\"+-1\" is not a number"},
      {"a\n++1\n", "\"++1\" is not a number"},
      {"a\n+\n", "\"+\" is not a number"},
      {"a\n1_000\n", "is not a number"},
      {"a\n1\x1b[31m\n", "\"1\\x1b[31m\" is not a number"},
      {"a\n\xd9\xa1\n", "is not a number"},
      {"a\nNA\n", "\"NA\" is not a number"},
      {"a,a\n1,2\n", "line 1: columns 1 and 2 are both called \"a\""},
      {"a, a\n1,2\n", "columns 1 and 2 are both called \"a\""},
      {"a,\n1,2\n", "line 1: column 2 has no name"},
      {"\"\",b\n1,2\n", "line 1: column 1 has no name"},
      {"a,\" \"\n1,2\n", "column 2 has no name"},
      {"a\n1\0\n"sv, "line 2: there is a NUL byte"},
      {"a\0b\n1\n"sv, "line 1: there is a NUL byte"},
      {"\"a\n1\n", "line 1, field 1: the quote is never closed"},
      {"a,b\n1,\"2\n3,4\n", "line 2, field 2: the quote is never closed"},
      {"a\n\"", "line 2, field 1: the quote is never closed"},
      {"a\n\"1\"\"\n", "line 2, field 1: the quote is never closed"},
      {"a\n\"1\"2\n", "line 2, field 1: \"2\" follows the closing quote"},
      {"a\n1\"2\"\n", "line 2, field 1: a quote within a field"},
      {"a,b\r1,2\r", "line 1, field 2: a carriage return without a line feed"},
      {"\"a\nb\",c\n1,x\n", "line 3, column \"c\": \"x\" is not a number"},
  };
  const ScratchFolder folder;
  for (const Bad& bad : all) {
    CAPTURE(bad.content);
    const fs::path file = write_file(folder / "bad.csv", bad.content);
    const std::string message = message_of<FormatError>([&] { (void)read_csv(file); });
    CAPTURE(message);
    CHECK(contains(message, bad.message));
    CHECK(message.starts_with("read_csv: " + file.string() + ": "));
  }
  CHECK(contains(message_of<FormatError>([&] { (void)parse("", {',', false}); }), "the file is empty"));
  CHECK(contains(message_of<FormatError>([&] { (void)parse("1,x\n", {',', false}); }), "line 1, column \"1\""));
}

TEST_CASE("csv: a very long field does not make a very long message") {
  const std::string content = "a\n" + std::string(1 << 20, 'z') + "\n";
  CHECK(message_of<FormatError>([&] { (void)parse(content); }).size() < 500);
}

TEST_CASE("csv: a file cut anywhere is read or refused, never more") {
  const std::string whole = "\"a\",\"b \"\"q\"\"\"\r\n1.25,\"-3\"\r\n4,5\r\n";
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    try {
      const Table table = parse(whole.substr(0, length));
      CHECK(table.values.shape()[1] == static_cast<Index>(table.columns.size()));
      CHECK(table.values.shape()[0] > 0);
    } catch (const FormatError&) {}
  }
}

TEST_CASE("csv: garbage is read or refused, never more") {
  std::mt19937 dice(7);
  constexpr std::string_view alphabet = ",\"\r\n 1-.eax\t";
  for (int trial = 0; trial < 3000; ++trial) {
    std::string content;
    for (auto length = dice() % 24; length > 0; --length) content += alphabet[dice() % alphabet.size()];
    CAPTURE(content);
    try {
      const Table table = parse(content, {',', trial % 2 == 0});
      CHECK(table.values.shape()[1] == static_cast<Index>(table.columns.size()));
    } catch (const FormatError&) {}
  }
}

TEST_CASE("csv: files that cannot be read are errors of the machine") {
  const ScratchFolder folder;
  const std::string missing = message_of<EnvironmentError>([&] { (void)read_csv(folder / "none.csv"); });
  CHECK(contains(missing, "none.csv"));
  CHECK_THROWS_AS(read_csv(folder.path()), EnvironmentError);
}

TEST_CASE("table: columns by name") {
  const Table table = parse("a,b,c\n1,2,3\n4,5,6\n");
  CHECK(table.column("c") == 2);
  const std::string message = message_of<UserError>([&] { (void)table.column("d"); });
  CHECK(contains(message, "no column \"d\""));
  CHECK(contains(message, "a, b, c"));
  const Tensor picked = table.select({"c", "a", "c"});
  CHECK(picked.dtype() == f32);
  CHECK(picked.shape() == Shape{2, 3});
  CHECK(numbers(picked) == Numbers{3, 1, 3, 6, 4, 6});
  CHECK_THROWS_AS(table.select({}), UserError);
  CHECK_THROWS_AS(table.select({"a", "A"}), UserError);
  CHECK(contains(message_of<ValueError>([] {
                   (void)parse("a,b\n1,2\n3,1e300\n").select({"a", "b"});
                 }),
                 "row 1, column \"b\": 1e+300 does not fit f32"));
}

TEST_CASE("table: a data set predicts one column from the others") {
  const Table table = parse("a,b,c\n1,2,3\n4,5,6\n");
  const Dataset data = table.dataset("b");
  CHECK(data.x.shape() == Shape{2, 2});
  CHECK(data.y.shape() == Shape{2, 1});
  CHECK(numbers(data.x) == Numbers{1, 3, 4, 6});
  CHECK(numbers(data.y) == Numbers{2, 5});
  CHECK_THROWS_AS(table.dataset("z"), UserError);
  CHECK(contains(message_of<UserError>([] { (void)parse("y\n1\n").dataset("y"); }), "the only column"));
}

TEST_CASE("csv: Boston housing") {
  const auto file = real_data("boston_housing.csv");
  if (!file) return;
  const Table table = read_csv(*file);
  CHECK(table.values.shape() == Shape{506, 14});
  CHECK(table.columns.front() == "CRIM");
  const Dataset data = table.dataset("MEDV");
  CHECK(data.x.shape() == Shape{506, 13});
  CHECK(data.y.at(0) == 24);
  CHECK(data.y.at(505) == doctest::Approx(11.9));
  CHECK(table.values.at(0) == 0.00632);
}

TEST_CASE("csv: optical digits, a table without a header") {
  const auto file = real_data("optdigits/optdigits.tra");
  if (!file) return;
  const Table table = read_csv(*file, {',', false});
  CHECK(table.values.shape()[1] == 65);
  CHECK(table.dataset("64").x.shape()[1] == 64);
}
