#include <fstream>
#include <string>

#include <xgrad/nn/data/idx.hpp>

#include "fuzz.hpp"

namespace nn = xgrad::nn;

void fuzz::read(const std::filesystem::path& file) { (void)nn::load_idx(file, xgrad::f64); }

// The library has no writer for this format.
void fuzz::write_seeds(const std::filesystem::path& folder) {
  using namespace std::string_literals;
  const auto write = [&](const char* name, const std::string& content) {
    std::ofstream(folder / name, std::ios::binary) << content;
  };
  write("bytes",
        "\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x01"
        "abcd"s);
  write("floats", "\0\0\x0D\x01\0\0\0\x02\x3F\x80\0\0\xC0\0\0\0"s);
  write("packed",
        "\x1F\x8B\x08\0\0\0\0\0\0\x03\x01\x09\0\xF6\xFF\0\0\x08\x01\0\0\0\x01\x61\x3C\x08\xAC\x55\x09\0\0\0"s);
}
