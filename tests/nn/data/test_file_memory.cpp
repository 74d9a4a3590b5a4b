// Files that need more memory than is available, since they are large or decompress to a large size: each reader throws
// an OutOfMemoryError that names the file and the request.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <png.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/csv.hpp>
#include <xgrad/nn/data/idx.hpp>
#include <xgrad/nn/data/image.hpp>
#include <xgrad/nn/data/npy.hpp>
#include <xgrad/nn/data/safetensors.hpp>
#include <xgrad/nn/events/event_reader.hpp>
#include <xgrad/nn/events/event_writer.hpp>
#include <xgrad/nn/events/runs.hpp>

#include "support/allocations.hpp"
#include "support/child_process.hpp"
#include "support/event_wire.hpp"
#include "support/sanitizers.hpp"
#include "support/scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using namespace scratch;
using testing::exit_code_of;
using testing::limit_memory;

namespace {

constexpr std::size_t mebi = std::size_t{1} << 20U;
constexpr std::size_t size = 128 * mebi;  // of the data in a file

// `head` followed by zeros, as a sparse file.
fs::path write_sparse(const fs::path& path, const std::string& head, std::size_t zeros) {
  write_file(path, head);
  REQUIRE(::truncate(path.c_str(), static_cast<off_t>(head.size() + zeros)) == 0);
  return path;
}

// `head` followed by `bytes` bytes of repeated `body`.
fs::path write_gz(const fs::path& path, const std::string& head, std::string_view body, std::size_t bytes) {
  std::string part;
  while (part.size() < mebi) part += body;
  part.resize(mebi / body.size() * body.size());
  const gzFile file = gzopen(path.c_str(), "wb1");
  REQUIRE(file != nullptr);
  if (!head.empty()) REQUIRE(gzwrite(file, head.data(), static_cast<unsigned>(head.size())) > 0);
  for (std::size_t done = 0; done < bytes; done += part.size())
    REQUIRE(gzwrite(file, part.data(), static_cast<unsigned>(std::min(part.size(), bytes - done))) > 0);
  REQUIRE(gzclose(file) == Z_OK);
  return path;
}

std::string npy_head(const std::string& shape) {
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  text.resize(117, ' ');
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + text + "\n";
}

// An archive of a large array, compressed or not, and a small one.
fs::path write_npz(const fs::path& path, bool packed) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  REQUIRE(archive != nullptr);
  std::string large = npy_head(std::to_string(size / 4) + ","), small = npy_head("2,");
  large.resize(large.size() + size);
  small += std::string(8, '\0');
  for (const auto& [name, content] : {std::pair<const char*, std::string&>{"large.npy", large}, {"small.npy", small}}) {
    zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
    const auto at = zip_file_add(archive, name, source, ZIP_FL_ENC_UTF_8);
    REQUIRE(at >= 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(at), packed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 1);
  }
  REQUIRE(zip_close(archive) == 0);
  return path;
}

std::string safetensors_head(const std::string& type, std::size_t count, std::size_t bytes) {
  const std::string text = R"({"a":{"dtype":")" + type + R"(","shape":[)" + std::to_string(count) +
                           R"(],"data_offsets":[0,)" + std::to_string(bytes) + "]}}";
  return event_wire::bytes_of(text.size(), 8) + text;
}

std::string idx_head(int code, std::size_t count) {
  std::string out{'\0', '\0', static_cast<char>(code), '\x01'};
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>((count >> static_cast<unsigned>(shift)) & 0xFFU);
  return out;
}

// Gray pixels, all black.
fs::path write_png(const fs::path& path, std::size_t side) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, file);
  png_set_compression_level(png, 1);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
  png_set_IHDR(png, info, static_cast<png_uint_32>(side), static_cast<png_uint_32>(side), 8, PNG_COLOR_TYPE_GRAY,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  const std::vector<png_byte> row(side);
  for (std::size_t i = 0; i < side; ++i) png_write_row(png, row.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  std::fclose(file);
  return path;
}

fs::path write_events(const fs::path& path, std::size_t bytes) {
  const auto value = [](const std::string& tag) {
    return event_wire::record(
        event_wire::field(2, std::int64_t{1}) +
        event_wire::field(5, event_wire::field(1, event_wire::field(1, tag) + event_wire::field(2, 0.5F))));
  };
  return write_file(path, value(std::string(bytes, 'x')) + value("y"));
}

// Limits this process to `bytes` more memory, without memory that earlier tests freed.
void leave_memory(std::size_t bytes) {
  limit_memory(0);
  for (std::size_t part = 64 * mebi; part >= 16; part /= 2) {
    static void* volatile last;
    do last = std::malloc(part);
    while (last != nullptr);
  }
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur += bytes;
  if (setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(1);
}

struct Case {
  std::string name;
  fs::path file;
  std::function<void(const fs::path&)> read;
  std::string message;  // after the file name
};

const auto of_events = [](const fs::path& path) {
  EventReader reader(path);
  while (reader.next())
    ;
};
const auto of_npy = [](const fs::path& p) { (void)load_npy(p); };
const auto of_npz = [](const fs::path& p) { (void)load_npz(p); };
const auto of_safetensors = [](const fs::path& p) { (void)load_safetensors(p); };
const auto of_idx = [](const fs::path& p) { (void)load_idx(p, f32); };
const auto of_csv = [](const fs::path& p) { (void)load_csv(p); };
const auto of_png = [](const fs::path& p) { (void)load_png(p); };

// 0 if the file can be read, 7 for an OutOfMemoryError with the expected beginning and message, 8 for another message.
int outcome(const Case& c) {
  try {
    c.read(c.file);
  } catch (const OutOfMemoryError& error) {
    const std::string message = error.message();
    if (contains(message, ": " + c.file.string() + ": ") && contains(message, "out of memory for ") &&
        contains(message, c.message))
      return 7;
    std::fprintf(stderr, "%s: %s\n", c.name.c_str(), error.what());
    return 8;
  }
  return 0;
}

// Sanitizers need more address space than these tests leave.
const doctest::skip skip_with_sanitizer(ADDRESS_SANITIZER || THREAD_SANITIZER);

}  // namespace

TEST_CASE("readers: out-of-memory errors name the file and the request" * skip_with_sanitizer) {
  const ScratchFolder folder(memory());
  const std::string count = std::to_string(size / 4), bytes = std::to_string(size);
  const std::vector<Case> cases{
      {"npy", write_sparse(folder / "a.npy", npy_head(count + ","), size), of_npy,
       "out of memory for " + bytes + " bytes of [" + count + "]"},
      {"npz", write_npz(folder / "stored.npz", false), of_npz, "large.npy: out of memory for " + bytes + " bytes of"},
      {"npz, packed", write_npz(folder / "packed.npz", true), of_npz,
       "large.npy: out of memory for " + bytes + " bytes of"},
      {"safetensors", write_sparse(folder / "a.st", safetensors_head("F32", size / 4, size), size), of_safetensors,
       "tensor \"a\": out of memory for " + bytes + " bytes"},
      {"safetensors, small numbers",
       write_sparse(folder / "b.st", safetensors_head("U8", size / 8, size / 8), size / 8), of_safetensors,
       "tensor \"a\": out of memory for " + bytes + " bytes"},
      {"idx", write_sparse(folder / "a.idx", idx_head(0x0D, size / 4), size), of_idx,
       "out of memory for " + bytes + " bytes of [" + count + "]"},
      {"idx, packed", write_gz(folder / "a.idx.gz", idx_head(0x08, size), std::string_view("\0", 1), size), of_idx,
       "out of memory for " + bytes + " bytes of [" + bytes + "]"},
      {"csv", write_sparse(folder / "a.csv", "a\n" + std::string(1000, '1') + "\n", size), of_csv,
       "out of memory for its text after "},
      {"csv, packed", write_gz(folder / "a.csv.gz", "a\n", "1\n", size), of_csv, "out of memory for its text after "},
      // The text fits, the values do not.
      {"csv, numbers", write_gz(folder / "b.csv.gz", "a\n", "1\n", 15 * mebi), of_csv, "out of memory for "},
      {"png", write_png(folder / "a.png", 12000), of_png, "out of memory for 12000 x 12000 pixels"},
      {"events", write_events(folder / "tfevents", 60 * mebi), of_events, "at byte 0: out of memory for a record of "},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    CHECK(exit_code_of([&] {
            limit_memory(48 * mebi);
            std::_Exit(outcome(c));
          }) == 7);
  }
  // Other members of an archive and other records of a run can be read.
  for (const char* name : {"stored.npz", "packed.npz"}) {
    CHECK(exit_code_of([&] {
            limit_memory(16 * mebi);
            if (NpzFile(folder / name).read("small").elements() != 2) std::_Exit(1);
          }) == 0);
  }
  CHECK(exit_code_of([&] {
          write_events(folder / "2.tfevents", 3);
          limit_memory(48 * mebi);
          const EventRun run = load_run(folder.path());
          const bool said = run.problems.size() == 1 && contains(run.problems[0], "tfevents: at byte 0: out of memory");
          if (!said || run.scalars.at("y").empty()) std::_Exit(1);
        }) == 0);
}

TEST_CASE("readers: with any memory limit a file is read or the error names the request" * skip_with_sanitizer) {
  const ScratchFolder folder(memory());
  save_npy(folder / "a.npy", Tensor::zeros({100'000}));
  save_npz(folder / "a.npz", {{"x", Tensor::zeros({100'000})}, {"y", Tensor(1.5)}});
  save_safetensors(folder / "a.st", {.tensors = {{"x", Tensor::zeros({100'000})}, {"y", Tensor({1000}, i64)}}});
  std::string text = "a,b\n";
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i) + "," + std::to_string(i % 7) + "\n";
  const std::vector<Case> cases{
      {"npy", folder / "a.npy", of_npy, ""},
      {"npz", folder / "a.npz", of_npz, ""},
      {"safetensors", folder / "a.st", of_safetensors, ""},
      {"idx", write_gz(folder / "a.idx.gz", idx_head(0x08, 100'000), std::string_view("\0", 1), 100'000), of_idx, ""},
      {"csv", write_gz(folder / "a.csv.gz", "", text, text.size()), of_csv, ""},
      {"csv, classes", write_file(folder / "b.csv", text),
       [](const fs::path& p) {
         (void)load_csv(p, {.classes = {"a", "b"}});
       },
       ""},
      {"png", write_png(folder / "a.png", 400), of_png, ""},
      {"events", write_events(folder / "tfevents", 100'000), of_events, ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    bool read = false, refused = false;
    // With less memory the message cannot be allocated either; malloc may need a page for each piece.
    constexpr std::size_t least = 256 << 10;
    for (std::size_t left = least; left < 1024 * mebi && !(read && refused); left += std::max(least / 8, left / 8)) {
      CAPTURE(left);
      const int code = exit_code_of([&] {
        leave_memory(left);
        std::_Exit(outcome(c));
      });
      CHECK((code == 0 || code == 7));
      read = code == 0;
      refused = refused || code == 7;
    }
    CHECK(read);
    CHECK(refused);
  }
}

TEST_CASE("readers and writers: survive a failure of each allocation") {
  const ScratchFolder folder(memory());
  save_npy(folder / "a.npy", Tensor({2, 3}));
  save_npz(folder / "a.npz", {{"x", Tensor::zeros({4})}, {"y", Tensor(1.5)}});
  save_safetensors(folder / "a.st",
                   {.tensors = {{"x", Tensor::zeros({4})}, {"y", Tensor({10}, i64)}}, .metadata = {{"who", "me"}}});
  {
    EventWriter writer(folder / "run");
    writer.scalar("loss", 0.25, 1);
    writer.histogram("h", Tensor::from<float>({4}, {1, 2, 3, 4}), 1, 3);
    writer.text("t", "words", 2);
    writer.begin_session({{"units", 64}, {"by", "adam"}});
  }
  const std::string text = "a,b\n10,x\n20,\"y \"\"z\"\n30,?\n";
  const Tensor image({2, 2});
  const Arrays arrays{{"x", image}};
  const TensorFile tensors{.tensors = {{"x", image}}, .metadata = {{"who", "me"}}};
  const CsvOptions options{.classes = {"b"}, .missing = Missing::drop_row};
  const std::vector<Case> cases {
    {"npy", folder / "a.npy", of_npy, ""}, {"npz", folder / "a.npz", of_npz, ""},
        {"safetensors", folder / "a.st", of_safetensors, ""},
        {"idx", write_gz(folder / "a.idx.gz", idx_head(0x08, 100), std::string_view("\0", 1), 100), of_idx, ""},
        {"csv", write_file(folder / "a.csv", text), [&](const fs::path& p) { (void)load_csv(p, options); }, ""},
        {"csv, packed", write_gz(folder / "a.csv.gz", "", text, text.size()),
         [&](const fs::path& p) { (void)load_csv(p, options); }, ""},
        {"png", write_png(folder / "a.png", 40), of_png, ""},
#if !ADDRESS_SANITIZER  // protobuf leaks an element if growing its list fails
        {"events", event_files(folder / "run").front(), of_events, ""},
#endif
        {"saving npy", folder / "b.npy", [&](const fs::path& p) { save_npy(p, image); }, ""},
        {"saving npz", folder / "b.npz", [&](const fs::path& p) { save_npz(p, arrays); }, ""},
        {"saving safetensors", folder / "b.st", [&](const fs::path& p) { save_safetensors(p, tensors); }, ""},
        {"saving png", folder / "b.png", [&](const fs::path& p) { save_png(p, image); }, ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    int code = 7;
    long count = 0;
    for (; count < 10'000 && code == 7; ++count) {
      const fs::path path = c.file;
      fail_allocation_after(count);
      try {
        c.read(path);
        code = 0;
      } catch (const OutOfMemoryError& error) {
        fail_allocation_after(-1);
        code = contains(error.message(), c.file.string()) && contains(error.message(), "out of memory for ") ? 7 : 8;
        CHECK_MESSAGE(code == 7, error.what());
      } catch (const std::exception& error) {
        fail_allocation_after(-1);
        code = 9;
        CHECK_MESSAGE(false, count, ": ", error.what());
      }
      fail_allocation_after(-1);
    }
    CHECK(code == 0);
    CHECK(count > 5);
  }
  // No temporary file remains.
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    const std::string name = entry.path().filename().string();
    CHECK_MESSAGE((name == "run" || name.starts_with("a.") || name.starts_with("b.")), name);
  }
}
