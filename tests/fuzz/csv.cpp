#include <fstream>
#include <iterator>

#include <xgrad/nn/data/csv.hpp>

#include "fuzz.hpp"

namespace nn = xgrad::nn;

namespace {

const nn::CsvOptions all_options[] = {
    {},
    {.header = false, .columns = {0}, .missing = nn::Missing::drop_row},
    {.separator = ';', .classes = {-1}, .missing = nn::Missing::replace, .decimal = ',', .comment = '#'},
    {.separator = ' ', .exclude = {0}},
};

}  // namespace

// The file size selects the options, so that each input is read once.
void fuzz::read(const std::filesystem::path& file) {
  const nn::Table table = nn::load_csv(file, all_options[std::filesystem::file_size(file) % std::size(all_options)]);
  if (table.columns.size() > 1) (void)table.dataset(table.columns.back());
}

// The library writes tables only in CSVLogger.
void fuzz::write_seeds(const std::filesystem::path& folder) {
  const auto write = [&](const char* name, const char* text) { std::ofstream(folder / name) << text; };
  write("plain", "a,b\n1,-2.5e3\n3,4\n");
  write("quoted", "\xEF\xBB\xBF\"a \"\"x\"\"\",b\r\n\"1\",?\r\n+3,\r\n");
  write("classes", "a;b # text\n1,5;setosa\n2;ash\n");
  write("spaces", " a\tb  c\n 1 2 3 \n4 5 6");
}
