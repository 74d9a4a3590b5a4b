// Errors of all readers for files of another format and files that cannot be opened.
#include <functional>
#include <string>

#include <sys/stat.h>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/csv.hpp>
#include <xgrad/nn/data/idx.hpp>
#include <xgrad/nn/data/image.hpp>
#include <xgrad/nn/data/npy.hpp>
#include <xgrad/nn/data/safetensors.hpp>

#include "support/scratch.hpp"

using namespace xgrad;
using namespace scratch;

namespace {

struct Reader {
  const char* name;
  std::function<void(const fs::path&)> read;
};
const Reader readers[] = {
    {"load_npy", [](const fs::path& p) { (void)nn::load_npy(p); }},
    {"load_npz", [](const fs::path& p) { (void)nn::load_npz(p); }},
    {"load_csv", [](const fs::path& p) { (void)nn::load_csv(p, {.separator = ' '}); }},
    {"load_idx", [](const fs::path& p) { (void)nn::load_idx(p, f32); }},
    {"load_png", [](const fs::path& p) { (void)nn::load_png(p); }},
    {"safetensors", [](const fs::path& p) { (void)nn::load_safetensors(p); }},
};

}  // namespace

TEST_CASE("readers: errors name the actual format") {
  using namespace std::string_literals;
  const std::pair<std::string, const char*> files[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a Git LFS pointer"},
      {"<!DOCTYPE html><html>Not found</html>", "an HTML page"},
      {"\xEF\xBB\xBF\n <HTML lang=en>Not found</html>", "an HTML page"},
      {"\x89HDF\r\n\x1A\n\0\0\0\0"s, "an HDF5 file"},
      {"\x80\x02}q\0."s, "a Python pickle"},
      {"\xFF\xD8\xFF\xE0 JFIF", "a JPEG image"},
  };
  const ScratchFolder folder;
  for (const auto& [content, expected] : files) {
    const std::string kind = expected;
    const fs::path path = write_file(folder / "file", content);
    for (const Reader& reader : readers) {
      CAPTURE(kind);
      CAPTURE(reader.name);
      const std::string message = message_of<FormatError>([&, &r = reader] { r.read(path); });
      CHECK(contains(message, std::string(reader.name) + ": " + path.string() + ": not a"));
      CHECK(contains(message, std::string("it is ") + kind));
    }
  }
  // Formats that some of the readers accept.
  const std::string zip = "PK\x03\x04\x14", gzip = "\x1F\x8B\x08";
  for (const Reader& reader : readers) {
    CAPTURE(reader.name);
    const std::string name = reader.name;
    const std::string of_zip = message_of<FormatError>([&, &r = reader] { r.read(write_file(folder / "file", zip)); });
    CHECK(contains(of_zip, name == "load_npz" ? "a damaged zip archive" : "it is a zip archive"));
    if (name == "load_csv" || name == "load_idx") continue;
    CHECK(contains(message_of<FormatError>([&, &r = reader] { r.read(write_file(folder / "file", gzip)); }),
                   "it is gzip data"));
  }
}

TEST_CASE("readers: errors name empty files, directories, pipes and missing files") {
  const ScratchFolder folder;
  const fs::path empty = write_file(folder / "empty", ""), pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const Reader& reader : readers) {
    CAPTURE(reader.name);
    CHECK(contains(message_of<FormatError>([&, &r = reader] { r.read(empty); }), "the file is empty"));
    CHECK(contains(message_of<EnvironmentError>([&, &r = reader] { r.read(folder.path()); }), "it is a directory"));
    CHECK(contains(message_of<EnvironmentError>([&, &r = reader] { r.read(folder / "none"); }),
                   "cannot open " + (folder / "none").string() + ": No such file"));
    if (std::string(reader.name) == "load_csv") continue;  // accepts pipes
    CHECK(contains(message_of<EnvironmentError>([&, &r = reader] { r.read(pipe); }), "it is not a regular file"));
  }
}
