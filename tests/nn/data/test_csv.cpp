#include <clocale>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <thread>

#include <doctest/doctest.h>
#include <zlib.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/csv.hpp>

#include "support/scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using namespace scratch;

namespace {

Table parse(std::string_view content, const CsvOptions& options = {}) {
  const ScratchFolder folder;
  return load_csv(write_file(folder / "t.csv", content), options);
}

std::vector<double> numbers(const Tensor& t) {
  std::vector<double> out;
  for (Index i = 0; i < t.elements(); ++i) out.push_back(t.at(i));
  return out;
}

using Names = std::vector<std::string>;
using Numbers = std::vector<double>;

}  // namespace

TEST_CASE("csv: reads a plain table with LF and CRLF") {
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

TEST_CASE("csv: reads one column, one row, no header and other separators") {
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

TEST_CASE("csv: quoted fields may contain separators, quotes and line ends") {
  const Table table = parse("\"a,\"\"x\"\"\",\"two\r\nlines\" , plain\n\"1.5\",\" 2 \",3\n");
  CHECK(table.columns == Names{"a,\"x\"", "two\r\nlines", "plain"});
  CHECK(numbers(table.values) == Numbers{1.5, 2, 3});
}

TEST_CASE("csv: parses numbers exactly in every notation") {
  const Table table = parse("x\n0.1\n-0\n+7\n1E-3\n.5\n5.\n4.9406564584124654e-324\n1.7976931348623157e308\n00012\n");
  CHECK(numbers(table.values) ==
        Numbers{0.1, 0.0, 7, 0.001, 0.5, 5, 4.9406564584124654e-324, 1.7976931348623157e308, 12});
  CHECK(std::signbit(table.values.at(1)));
}

TEST_CASE("csv: parsing does not depend on the locale") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8"}) {
    if (std::setlocale(LC_ALL, name) == nullptr) continue;
    CHECK(numbers(parse("x\n1.5\n").values) == Numbers{1.5});
    CHECK_THROWS_AS(parse("x;y\n1,5;2\n", {';', true}), FormatError);
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("csv: invalid content throws with line and column") {
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
      {"a,b\n1,2\n3\n", "line 3: expected 2 fields, got 1 field"},
      {"a,b\n1,2,3\n", "line 2: expected 2 fields, got 3 fields"},
      {"a,b\n1,2,\n", "line 2: expected 2 fields, got 3 fields"},
      {"a,b\n1,2\n\n3,4\n", "line 3: blank line"},
      {"\na,b\n1,2\n", "line 1: blank line"},
      {"a\n1\n\n2\n", "line 3: blank line"},
      {"a,b\n1,x\n", "line 2, column \"b\": \"x\" is not a number"},
      {"a,b\n1,2\n1,2 3\n", "line 3, column \"b\": \"2 3\" is not a number"},
      {"a,b\n1,\n", "line 2, column \"b\": the field is empty"},
      {"a,b\n,1\n", "line 2, column \"a\": the field is empty"},
      {"a,b\n1,\"\"\n", "line 2, column \"b\": the field is empty"},
      {"a\n\" \"\n", "line 2, column \"a\": the field is empty"},
      {"a\nnan\n", "line 2, column \"a\": \"nan\" stands for a missing value"},
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
      {"a\nNA\n", "\"NA\" stands for a missing value"},
      {"a,a\n1,2\n", "line 1: columns 1 and 2 are both named \"a\""},
      {"a, a\n1,2\n", "columns 1 and 2 are both named \"a\""},
      {"a\n1\0\n"sv, "line 2: NUL byte"},
      {"a\0b\n1\n"sv, "line 1: NUL byte"},
      {"\"a\n1\n", "line 1, field 1: the quote is never closed"},
      {"a,b\n1,\"2\n3,4\n", "line 2, field 2: the quote is never closed"},
      {"a\n\"", "line 2, field 1: the quote is never closed"},
      {"a\n\"1\"\"\n", "line 2, field 1: the quote is never closed"},
      {"a\n\"1\"2\n", "line 2, field 1: \"2\" follows the closing quote"},
      {"a\n1\"2\"\n", "line 2, column \"a\": \"1\"2\"\" is not a number"},
      {"a,b\r1,2\r", "line 1, field 2: carriage return without a line feed"},
      {"\"a\nb\",c\n1,x\n", "line 3, column \"c\": \"x\" is not a number"},
  };
  const ScratchFolder folder;
  for (const Bad& bad : all) {
    CAPTURE(bad.content);
    const fs::path file = write_file(folder / "bad.csv", bad.content);
    const std::string message = message_of<FormatError>([&] { (void)load_csv(file); });
    CAPTURE(message);
    CHECK(contains(message, bad.message));
    CHECK(message.starts_with("load_csv: " + file.string() + ": "));
  }
  CHECK(contains(message_of<FormatError>([&] { (void)parse("", {',', false}); }), "the file is empty"));
  CHECK(contains(message_of<FormatError>([&] { (void)parse("1,x\n", {',', false}); }), "line 1, column \"1\""));
}

TEST_CASE("csv: messages abbreviate long fields") {
  const std::string content = "a\n" + std::string(1 << 20, 'z') + "\n";
  CHECK(message_of<FormatError>([&] { (void)parse(content); }).size() < 500);
}

TEST_CASE("csv: a file truncated anywhere is read or throws") {
  const std::string whole = "\"a\",\"b \"\"q\"\"\"\r\n1.25,\"-3\"\r\n4,5\r\n";
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    try {
      const Table table = parse(whole.substr(0, length));
      CHECK(table.values.shape()[1] == static_cast<Index>(table.columns.size()));
      CHECK(table.values.shape()[0] > 0);
    } catch (const FormatError&) {}
  }
}

TEST_CASE("csv: random bytes are read or throw") {
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

TEST_CASE("csv: unreadable files throw EnvironmentError") {
  const ScratchFolder folder;
  const std::string missing = message_of<EnvironmentError>([&] { (void)load_csv(folder / "none.csv"); });
  CHECK(contains(missing, "none.csv"));
  CHECK_THROWS_AS(load_csv(folder.path()), EnvironmentError);
}

TEST_CASE("csv: selects columns by name or position before parsing") {
  const char* content = "id,sl,species,sw,when\nx1,5.1,setosa,3.5,2024-01-05\nx2,4.9,virginica,3.0,2024-01-06\n";
  const auto chosen = [&](const CsvOptions& options) { return parse(content, options).columns; };
  CHECK(chosen({.columns = {"sw", "sl"}}) == Names{"sw", "sl"});
  CHECK(chosen({.columns = {3, "sl"}}) == Names{"sw", "sl"});
  CHECK(chosen({.columns = {-2, 1}}) == Names{"sw", "sl"});
  CHECK(chosen({.exclude = {"id", "species", -1}}) == Names{"sl", "sw"});
  CHECK(chosen({.columns = {"sl"}, .classes = {"species"}}) == Names{"sl", "species"});
  CHECK(numbers(parse(content, {.columns = {"sw", "sl"}}).values) == Numbers{3.5, 5.1, 3.0, 4.9});
  CHECK(contains(message_of<UserError>([&] { chosen({.columns = {"petal"}}); }),
                 "columns: there is no column \"petal\"; the columns are id, sl, species, sw, when"));
  CHECK(contains(message_of<UserError>([&] { chosen({.exclude = {5}}); }), "exclude: there is no column 5 among 5"));
  CHECK(contains(message_of<UserError>([&] { chosen({.classes = {-6}}); }), "classes: there is no column -6 among 5"));
  CHECK(contains(message_of<UserError>([] { (void)parse("a\n1\n", {.exclude = {"a"}}); }), "removes all columns"));
  // Duplicate names throw only if both columns are selected.
  CHECK(numbers(parse("a,b,a\n1,2,x\n", {.columns = {"b", 0}}).values) == Numbers{2, 1});
  CHECK(parse("1,2,3\n", {.header = false, .columns = {"2", 0}}).columns == Names{"2", "0"});
  // The index column that pandas writes.
  CHECK(parse(",a\n0,5\n1,6\n").columns == Names{"Unnamed: 0", "a"});
  CHECK(numbers(parse(",a\n0,5\n1,6\n", {.exclude = {0}}).values) == Numbers{5, 6});
}

TEST_CASE("csv: reads text as classes and keeps their names") {
  const Table table =
      parse("sl,sw,species\n5.1,3.5,setosa\n4.9,3.0,versicolor\n6,3,\"setosa\"\n7,3,ash\n", {.classes = {"species"}});
  CHECK(table.class_names("species") == Names{"ash", "setosa", "versicolor"});
  CHECK(numbers(table.values) == Numbers{5.1, 3.5, 1, 4.9, 3.0, 2, 6, 3, 1, 7, 3, 0});
  const Dataset data = table.dataset("species");
  CHECK(data.x.shape() == Shape{4, 2});
  CHECK(bitwise_equal(data.y, Tensor::from<std::int64_t>({4}, {1, 2, 1, 0})));
  // Other rows with the same class names.
  const std::vector<std::string> names = table.class_names("species");
  const Table more = parse("sl,sw,species\n1,2,versicolor\n", {.classes = {{"species", names}}});
  CHECK(bitwise_equal(more.labels("species"), Tensor::from<std::int64_t>({1}, {2})));
  CHECK(more.class_names("species") == names);
  CHECK(contains(message_of<FormatError>([&] {
                   (void)parse("species\nelm\n", {.classes = {{"species", names}}});
                 }),
                 "line 2, column \"species\": \"elm\" is not one of the classes ash, setosa, versicolor"));
  CHECK(
      contains(message_of<UserError>([&] { (void)table.class_names("sl"); }), "column \"sl\" was not read as classes"));
  CHECK_THROWS_AS(table.class_names("x"), UserError);
  // Numeric class names are sorted numerically; several columns may be classes.
  const Table two = parse("a,b\n10,u\n9,v\n-1,u\n", {.classes = {"a", 1}});
  CHECK(two.class_names("a") == Names{"-1", "9", "10"});
  CHECK(numbers(two.values) == Numbers{2, 0, 1, 1, 0, 0});
}

TEST_CASE("csv: text in a numeric column throws with a hint") {
  const std::string text = message_of<FormatError>([] { (void)parse("sl,species\n5.1,setosa\n"); });
  CHECK(contains(text, "line 2, column \"species\": \"setosa\" is not a number\n  hint: .classes = {\"species\"}"));
  for (const char* date : {"2024-01-05", "05/01/2024", "1.2.24", "2024-01-05T10:00:00", "10:30", "2024-1-5 10:30",
                           "5-Jan-2024", "05 February 2024", "Mar 5 2024", "Dec-24", "Tue 3 sep 2024 10:30"}) {
    CAPTURE(date);
    const std::string message = message_of<FormatError>([&] { (void)parse("when,x\n" + std::string(date) + ",1\n"); });
    CHECK(contains(message, "line 2, column \"when\": \"" + std::string(date) + "\" is a date or a time"));
    CHECK(contains(message, "hint: .exclude = {\"when\"}"));
  }
  for (const char* word : {"may", "mar5", "marble 5", "5 a", "may be 3x"}) {
    CAPTURE(word);
    const std::string message = message_of<FormatError>([&] { (void)parse("a,x\n" + std::string(word) + ",1\n"); });
    CHECK(contains(message, "is not a number\n  hint: .classes"));
  }
}

TEST_CASE("table: labels are class indices for sparse losses") {
  const Table table = parse("x,y,z,w\n1,0,0.5,1e17\n2,1,1,2\n3,-2,2,3\n");
  CHECK(bitwise_equal(table.labels("y"), Tensor::from<std::int64_t>({3}, {0, 1, -2})));
  CHECK(contains(message_of<ValueError>([&] { (void)table.labels("z"); }),
                 "row 0, column \"z\": 0.5 is not a class index"));
  CHECK_THROWS_AS(table.labels("w"), ValueError);
  CHECK_THROWS_AS(table.labels("v"), UserError);
  CHECK(parse("x,y\n1,0\n2,1\n3,2\n", {.classes = {"y"}}).dataset("y").y.dtype() == i64);
}

TEST_CASE("csv: missing values throw, drop the row or are replaced") {
  const std::string content = "mpg,hp\n18.0,130\n25.0,?\n20,\n,7\n21, nA \n1,2\n";
  const std::string error = message_of<FormatError>([&] { (void)parse(content); });
  CHECK(contains(error, "line 3, column \"hp\": \"?\" stands for a missing value"));
  CHECK(contains(error, "hint: .missing = Missing::drop_row"));
  const Table dropped = parse(content, {.missing = Missing::drop_row});
  CHECK(numbers(dropped.values) == Numbers{18, 130, 1, 2});
  CHECK(dropped.dropped_rows == 4);
  const Table filled = parse(content, {.missing = Missing::replace, .replacement = -1});
  CHECK(numbers(filled.values) == Numbers{18, 130, 25, -1, 20, -1, -1, 7, 21, -1, 1, 2});
  const Table holes = parse(content, {.missing = Missing::replace});
  CHECK(std::isnan(holes.values.at(3)));
  CHECK(std::isnan(holes.select({"hp"}).at(1)));
  CHECK_THROWS_AS(holes.labels("hp"), ValueError);
  CHECK(numbers(parse("a\n-9\n1\n", {.missing = Missing::drop_row, .missing_markers = {"-9"}}).values) == Numbers{1});
  // A missing class has no replacement.
  const char* labels = "x,y\n1,a\n2,?\n";
  CHECK_THROWS_AS(parse(labels, {.classes = {"y"}, .missing = Missing::replace}), FormatError);
  CHECK(parse(labels, {.classes = {"y"}, .missing = Missing::drop_row}).class_names("y") == Names{"a"});
  CHECK(contains(message_of<FormatError>([] { (void)parse("a\n?\n\"\"\n", {.missing = Missing::drop_row}); }),
                 "all 2 rows have missing values"));
  // Values may be missing in columns that are not selected.
  CHECK(numbers(parse(content, {.columns = {"mpg"}, .missing = Missing::drop_row}).values) ==
        Numbers{18, 25, 20, 21, 1});
}

TEST_CASE("csv: reads comments, runs of spaces and decimal commas") {
  const char* saved = "# made by numpy.savetxt\n1.0,2.0\n# more\n3.0,4.0 # behind\n  # indented\n";
  const Table comments = parse(saved, {.header = false, .comment = '#'});
  CHECK(numbers(comments.values) == Numbers{1, 2, 3, 4});
  CHECK(contains(message_of<FormatError>([&] { (void)parse(saved); }), "hint: .comment = '#'"));
  CHECK(parse("\"#a\",b\r\n#\r\n1,2\r\n#", {.comment = '#'}).columns == Names{"#a", "b"});

  const char* housing = " 0.00632  18.00   2.310  0  0.5380\n 0.02731\t 0.00   7.070 0  0.4690  \n\n";
  const Table spaces = parse(housing, {.separator = ' ', .header = false});
  CHECK(spaces.values.shape() == Shape{2, 5});
  CHECK(numbers(spaces.values) == Numbers{0.00632, 18, 2.31, 0, 0.538, 0.02731, 0, 7.07, 0, 0.469});
  CHECK(contains(message_of<FormatError>([&] { (void)parse(housing); }), "hint: .separator = ' '"));
  CHECK(parse("\"a b\"  c\n1  \"2\"\n", {.separator = ' '}).columns == Names{"a b", "c"});
  CHECK(contains(message_of<FormatError>([] { (void)parse("a b\n1 2\n3 4 5\n", {.separator = ' '}); }),
                 "line 3: expected 2 fields, got 3 fields"));

  const char* commas = "a;b\n1,5;-2,25e1\n";
  CHECK(numbers(parse(commas, {.separator = ';', .decimal = ','}).values) == Numbers{1.5, -22.5});
  CHECK(contains(message_of<FormatError>([&] { (void)parse(commas); }), "hint: .separator = ';'"));
  CHECK(contains(message_of<FormatError>([&] { (void)parse(commas, {.separator = ';'}); }),
                 "\"1,5\" is not a number\n  hint: .decimal = ','"));
  CHECK_THROWS_AS(parse("a;b\n1.5;2\n", {.separator = ';', .decimal = ','}), FormatError);
  CHECK(contains(message_of<UserError>([] { (void)parse("a\n1\n", {.decimal = ','}); }), "different characters"));
  CHECK_THROWS_AS(parse("a\n1\n", {.decimal = ';'}), UserError);
  for (const char comment : {'1', 'x', ',', '"'}) CHECK_THROWS_AS(parse("a\n1\n", {.comment = comment}), UserError);
}

TEST_CASE("csv: a first row of data is not mistaken for a header") {
  for (const char* content : {"1,2,7\n3,4,8\n5,6,9\n", "5.1,3.5,setosa\n4.9,3.0,versicolor\n", "1,?\n2,3\n",
                              ",1\n2,3\n", "1,2\n", "-1e5\n2\n"}) {
    CAPTURE(content);
    const std::string message = message_of<FormatError>([&] { (void)parse(content, {.columns = {0}}); });
    CHECK(contains(message, "line 1: expected column names, got what looks like a row of data"));
    CHECK(contains(message, "hint: set .header = false if it is data"));
  }
  const char* content = "1,2,7\n3,4,8\n5,6,9\n";
  CHECK(parse(content, {.header = false}).values.shape() == Shape{3, 3});
  CHECK(parse(content, {.header = true}).columns == Names{"1", "2", "7"});
  // Names may contain digits, and may be numbers if quoted or above text.
  CHECK(parse("x1,2020\n1,a\n", {.columns = {0}}).columns == Names{"x1"});
  CHECK(parse("\"1\",\"2\"\n3,4\n").columns == Names{"1", "2"});
}

TEST_CASE("csv: reads gzip files and pipes") {
  const ScratchFolder folder;
  const fs::path packed = folder / "t.csv.gz";
  gzFile file = gzopen(packed.c_str(), "wb");
  REQUIRE(file != nullptr);
  std::string content = "a,b\n";
  for (int i = 0; i < 20000; ++i) content += std::to_string(i) + "," + std::to_string(-i) + "\n";
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
  const Table table = load_csv(packed);
  CHECK(table.values.shape() == Shape{20000, 2});
  CHECK(table.values.at(39999) == -19999);
  fs::resize_file(packed, fs::file_size(packed) - 9);
  CHECK(contains(message_of<FormatError>([&] { (void)load_csv(packed); }), "damaged gzip data"));

  const fs::path pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] { std::ofstream(pipe) << "a\n1\n"; });
  CHECK(numbers(load_csv(pipe).values) == Numbers{1});
  writer.join();
  // Gzip data that arrives in pieces.
  const std::string small_packed = [&] {
    const fs::path path = folder / "small.gz";
    gzFile out = gzopen(path.c_str(), "wb");
    gzputs(out, "a,b\n1,2\n");
    gzclose(out);
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }();
  std::thread slow([&] {
    std::ofstream out(pipe, std::ios::binary);
    for (const char c : small_packed) out << c << std::flush;
  });
  CHECK(numbers(load_csv(pipe).values) == Numbers{1, 2});
  slow.join();
}

TEST_CASE("csv: an endless device throws after its first bytes") {
  CHECK(contains(message_of<FormatError>([] { (void)load_csv("/dev/zero"); }), "/dev/zero: line 1: NUL byte"));
  CHECK(contains(message_of<FormatError>([] { (void)load_csv("/dev/null"); }), "/dev/null: the file is empty"));
}

TEST_CASE("table: selects columns by name") {
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

TEST_CASE("table: dataset splits columns into inputs and target") {
  const Table table = parse("a,b,c\n1,2,3\n4,5,6\n");
  const Dataset data = table.dataset("b");
  CHECK(data.x.shape() == Shape{2, 2});
  CHECK(data.y.shape() == Shape{2, 1});
  CHECK(numbers(data.x) == Numbers{1, 3, 4, 6});
  CHECK(numbers(data.y) == Numbers{2, 5});
  CHECK_THROWS_AS(table.dataset("z"), UserError);
  CHECK(contains(message_of<UserError>([] { (void)parse("y\n1\n").dataset("y"); }), "the only column"));
}

TEST_CASE("csv: loads Boston housing") {
  const auto file = real_data("boston_housing.csv");
  if (!file) return;
  const Table table = load_csv(*file);
  CHECK(table.values.shape() == Shape{506, 14});
  CHECK(table.columns.front() == "CRIM");
  const Dataset data = table.dataset("MEDV");
  CHECK(data.x.shape() == Shape{506, 13});
  CHECK(data.y.at(0) == 24);
  CHECK(data.y.at(505) == doctest::Approx(11.9));
  CHECK(table.values.at(0) == 0.00632);
}

TEST_CASE("csv: loads optical digits, a table without a header") {
  const auto file = real_data("optdigits/optdigits.tra");
  if (!file) return;
  const Table table = load_csv(*file, {',', false});
  CHECK(table.values.shape()[1] == 65);
  CHECK(table.dataset("64").x.shape()[1] == 64);
}
