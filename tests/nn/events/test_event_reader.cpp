// Reading event files: of our writer, of other writers, damaged and malicious ones.
#include <algorithm>
#include <cstdint>
#include <ctime>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/events/event_reader.hpp>
#include <xgrad/nn/events/event_writer.hpp>
#include <xgrad/nn/events/runs.hpp>

#include "support/dice.hpp"
#include "support/event_wire.hpp"
#include "support/scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using namespace scratch;
using event_wire::field;
using event_wire::record;

namespace {

std::vector<nn::Event> read_all(const fs::path& path, EventReaderOptions options = {}) {
  EventReader reader(path, options);
  std::vector<nn::Event> out;
  while (auto event = reader.next()) out.push_back(std::move(*event));
  return out;
}

// A record with a summary of one value.
std::string value_record(const std::string& value, std::int64_t step = 1) {
  return record(field(1, 1.5) + field(2, step) + field(5, field(1, value)));
}
std::string metadata(const std::string& plugin) { return field(9, field(1, field(1, plugin))); }
std::string extents(const std::vector<std::int64_t>& sizes) {
  std::string shape;
  for (const std::int64_t size : sizes) shape += field(2, field(1, size));
  return field(2, shape);
}
std::string float_bytes(float x) { return field(1, x).substr(1); }

const std::string version = record(field(1, 1.5) + field(3, "brain.Event:2"));

std::string file_of_writer(const ScratchFolder& folder) {
  EventWriter writer(folder / "made");
  writer.scalar("loss", 0.25, 1);
  writer.histogram("h", Tensor::from<float>({4}, {1, 2, 3, 4}), 1, 3);
  writer.image("i", Tensor({3, 2}), 2);
  writer.text("t", "words", 2);
  writer.begin_session({{"units", 64}, {"relu", true}, {"by", "adam"}});
  Graph g;
  const Value x = g.input("x", {2});
  writer.graph(g);
  writer.layers(x);
  writer.restart(0);
  writer.scalars({{"a", 1}, {"b", 2}}, 3);
  return event_wire::content(writer.path());
}

}  // namespace

TEST_CASE("event reader: reads what EventWriter writes") {
  const ScratchFolder folder;
  const fs::path path = write_file(folder / "f", file_of_writer(folder));
  const auto events = read_all(path);
  REQUIRE(events.size() == 10);
  CHECK(events[0].file_version == "brain.Event:2");
  CHECK(events[0].offset == 0);
  CHECK(events[0].wall_time > 1.7e9);
  const EventValue& scalar = events[1].values.at(0);
  CHECK((scalar.tag == "loss" && scalar.plugin == "scalars" && scalar.scalar == 0.25 && events[1].step == 1));
  const auto& bins = events[2].values.at(0).histogram;
  REQUIRE(bins.size() == 3);
  CHECK((bins[0].left == 1 && bins[0].right == 2 && bins[0].count == 1 && bins[2].right == 4 && bins[2].count == 2));
  const auto& image = events[3].values.at(0).strings;
  REQUIRE(image.size() == 3);
  CHECK((image[0] == "2" && image[1] == "3" && image[2].starts_with("\x89PNG")));
  CHECK(events[4].values.at(0).strings == std::vector<std::string>{"words"});
  CHECK(events[5].values.at(0).plugin == "hparams");
  CHECK(events[5].values.at(0).hyper_parameters ==
        std::vector<std::pair<std::string, std::string>>{{"units", "64"}, {"relu", "true"}, {"by", "adam"}});
  CHECK(!events[6].graph_def.empty());
  CHECK(contains(events[7].values.at(0).strings.at(0), "InputLayer"));
  CHECK((events[8].restart && !events[9].restart));
  CHECK(events[9].values.size() == 2);
}

TEST_CASE("event reader: reads files of other writers") {
  const ScratchFolder folder;
  const std::string old_histogram =
      field(1, 0.5) + field(2, 3.5) + field(3, 4.0) +
      field(6, field(1, 1.0).substr(1) + field(1, 2.0).substr(1) + field(1, 9.0).substr(1)) +
      field(7, field(1, 3.0).substr(1) + field(1, 0.0).substr(1) + field(1, 1.0).substr(1));
  const std::string file =
      version + value_record(field(1, "old") + field(2, 0.75F)) +
      value_record(field(1, "bytes") + field(8, field(1, std::int64_t{1}) + field(4, float_bytes(1.25F))) +
                   metadata("scalars")) +
      value_record(field(1, "bytes") + field(8, field(1, std::int64_t{1}) + field(4, float_bytes(2.5F))), 2) +
      value_record(field(1, "double") + field(8, field(1, std::int64_t{2}) + field(4, event_wire::bytes_of(0, 8))) +
                   metadata("scalars")) +
      value_record(field(1, "h") + field(5, old_histogram)) +
      value_record(field(1, "i") + field(4, field(1, std::int64_t{2}) + field(2, std::int64_t{3}) + field(4, "png"))) +
      value_record(field(1, "complex") + field(8, field(1, std::int64_t{8}) + field(4, "abcdefgh")) +
                   metadata("scalars")) +
      value_record(field(1, "new") + field(8, field(1, std::int64_t{1})) + metadata("a plugin to come")) +
      record(field(1, 1.5) + field(15, "a field to come"));
  const auto events = read_all(write_file(folder / "f", file));
  REQUIRE(events.size() == 10);
  CHECK((events[1].values[0].scalar == 0.75 && events[1].values[0].plugin == "scalars"));
  CHECK(events[2].values[0].scalar == 1.25);
  CHECK((events[3].values[0].scalar == 2.5 && events[3].values[0].plugin == "scalars"));
  CHECK(events[4].values[0].scalar == 0);
  const auto& bins = events[5].values[0].histogram;
  REQUIRE(bins.size() == 2);
  CHECK((bins[0].left == 0.5 && bins[0].right == 1 && bins[0].count == 3));
  CHECK((bins[1].left == 2 && bins[1].right == 3.5 && bins[1].count == 1));
  CHECK(events[6].values[0].strings == std::vector<std::string>{"3", "2", "png"});
  CHECK((events[7].values[0].plugin == "scalars" && !events[7].values[0].scalar));
  CHECK(events[8].values[0].plugin == "a plugin to come");
}

TEST_CASE("event reader: a truncated last record is read once it is complete") {
  const ScratchFolder folder;
  const std::string file = file_of_writer(folder);
  const std::size_t count = event_wire::records(file).data.size();
  for (std::size_t length = 0; length < file.size(); ++length) {
    const event_wire::Records whole = event_wire::records(std::string_view(file).substr(0, length));
    const fs::path path = write_file(folder / "f", std::string_view(file).substr(0, length));
    EventReader reader(path);
    std::size_t read = 0;
    while (reader.next()) ++read;
    REQUIRE(read == whole.data.size());
    REQUIRE(reader.partial_bytes() == whole.rest);
    REQUIRE(reader.offset() + reader.partial_bytes() == length);
    REQUIRE(!reader.next());
    if (length % 7 != 0) continue;
    write_file(path, file);
    while (reader.next()) ++read;
    REQUIRE(read == count);
    REQUIRE(reader.partial_bytes() == 0);
  }
}

TEST_CASE("event reader: follows a writer that replaces a partial record") {
  const ScratchFolder folder;
  const std::string good = version, part = value_record(field(1, std::string(50, 'x')) + field(2, 1.0F));
  const fs::path path = write_file(folder / "f", good + part.substr(0, 40));
  EventReader reader(path);
  CHECK(reader.next());
  CHECK(!reader.next());
  CHECK(reader.partial_bytes() == 40);
  write_file(path, good + value_record(field(1, "y") + field(2, 1.0F)));
  CHECK(reader.next()->values.at(0).tag == "y");
}

TEST_CASE("event reader: a damaged length throws with file and byte on each call") {
  const ScratchFolder folder;
  const fs::path path = folder / "f";
  const auto damage = [&](const std::string& rest, const std::string& what, EventReaderOptions options = {}) {
    write_file(path, version + rest);
    EventReader reader(path, options);
    REQUIRE(reader.next());
    const std::string begin = "event reader: " + path.string() + ": at byte " + std::to_string(version.size()) + ": ";
    for (int i = 0; i < 2; ++i) {
      const std::string message = message_of<FormatError>([&] { (void)reader.next(); });
      CHECK_MESSAGE((message.starts_with(begin) && contains(message, what)), message);
    }
    CHECK(reader.skipped() == 0);
  };
  std::string bad = record("x");
  bad[8] ^= 1;
  damage(bad, "wrong checksum of a record's length");
  // A length above the limit throws even if the file may still grow.
  const std::string length = event_wire::bytes_of(std::uint64_t{1} << 40U, 8);
  damage(length + event_wire::bytes_of(event_wire::masked(event_wire::crc32c(length)), 4),
         "a record of 1099511627776 bytes exceeds the limit of 67108864");
  const std::string max = event_wire::bytes_of(std::numeric_limits<std::uint64_t>::max(), 8);
  damage(max + event_wire::bytes_of(event_wire::masked(event_wire::crc32c(max)), 4), "18446744073709551615",
         {.max_record = std::numeric_limits<std::uint64_t>::max()});
  damage(record(std::string(101, 'x')).substr(0, 50), "a record of 101 bytes exceeds the limit of 100",
         {.max_record = 100});
}

TEST_CASE("event reader: skips and counts records that cannot be read") {
  const ScratchFolder folder;
  const fs::path path = folder / "f";
  const std::string good = value_record(field(1, "good") + field(2, 0.5F), 7);
  // A bad record or value between two good records.
  const auto skipped = [&](const std::string& bad, const std::string& what, EventReaderOptions options = {}) {
    write_file(path, version + bad + good);
    EventReader reader(path, options);
    REQUIRE(reader.next());
    std::optional<nn::Event> event = reader.next();
    if (event && event->offset == version.size()) {
      CHECK(event->values.empty());
      event = reader.next();
    }
    REQUIRE(event);
    REQUIRE(event->values.size() == 1);
    CHECK((event->step == 7 && event->values[0].tag == "good" && event->values[0].scalar == 0.5));
    CHECK(!reader.next());
    CHECK(reader.skipped() == 1);
    REQUIRE(reader.problems().size() == 1);
    const std::string& message = reader.problems()[0];
    const std::string begin = "event reader: " + path.string() + ": at byte " + std::to_string(version.size()) + ": ";
    CHECK_MESSAGE((message.starts_with(begin) && contains(message, what)), message);
  };
  std::string bad = value_record(field(1, "a") + field(2, 1.0F));
  bad[20] ^= 4;
  skipped(bad, "wrong checksum of a record's data");
  skipped(record("\xFF\xFF\xFF"), "a record is not an event");
  skipped(record(field(5, "\x0A\x7F")), "a record is not an event");
  // Field number 0 is invalid, in messages that are not read too.
  skipped(value_record(field(1, "t") + field(8, field(2, field(0, field(0, field(0, "")))))),
          "a record is not an event");
  skipped(record(std::string(101, 'x')), "a record of 101 bytes exceeds the limit of 100", {.max_record = 100});

  // Small in the file, large in memory.
  std::string values, strings, dims;
  for (int i = 0; i < 200001; ++i) {
    values += field(1, "");
    strings += field(8, "");
    dims += field(2, "");
  }
  skipped(record(field(5, values)), "a record has more than 200000 fields");
  skipped(value_record(field(1, "t") + field(8, field(1, std::int64_t{7}) + strings) + metadata("text")),
          "a record has more than 200000 fields");
  skipped(value_record(field(1, "t") + field(8, field(2, dims)) + metadata("scalars")), "more than 200000 fields");

  const auto tensor = [](const std::string& plugin, const std::string& t) {
    return value_record(field(1, "tag") + field(8, t) + metadata(plugin));
  };
  const std::string f = field(1, std::int64_t{1}), d = field(1, std::int64_t{2}), s = field(1, std::int64_t{7});
  skipped(tensor("scalars", f), "\"tag\": the tensor has 0 values for 1 elements");
  skipped(tensor("scalars", f + field(4, "abc")), "the tensor has 3 bytes for 1 elements");
  skipped(tensor("scalars", f + extents({2}) + field(4, "abcdefgh")), "the scalar has 2 elements");
  skipped(tensor("scalars", f + extents({0})), "the scalar has 0 elements");
  skipped(tensor("scalars", field(1, std::int64_t{9}) + field(4, "abcd")), "4 bytes for 1 elements");
  const std::string half = field(1, std::int64_t{19}), bfloat16 = field(1, std::int64_t{14});
  skipped(tensor("scalars", half + field(4, "abc")), "3 bytes for 1 elements");
  skipped(tensor("scalars", half + field(13, std::int64_t{65536})), "65536 has more than 16 bits");
  skipped(tensor("scalars", bfloat16 + field(13, std::int64_t{-1})), "-1 has more than 16 bits");
  skipped(tensor("scalars", bfloat16), "the tensor has 0 values for 1 elements");
  skipped(tensor("histograms", d + extents({3}) + field(4, "abcd")), "the histogram's shape is not [bins, 3]");
  skipped(tensor("histograms", d + extents({2, 3}) + field(4, std::string(8, 'x'))), "8 bytes for 6 elements");
  skipped(tensor("histograms", d + extents({-2, 3})), "extents are negative or too large");
  skipped(tensor("histograms", d + extents({std::numeric_limits<std::int64_t>::max(), 3})), "extents are negative");
  skipped(tensor("histograms", d + extents({std::int64_t{1} << 40, 3})), "values for 3298534883328 elements");
  skipped(tensor("images", s + field(8, "1")), "the image has no width and height");
  skipped(tensor("text", f), "the tensor is not text");
  skipped(value_record(field(1, "tag") + field(9, field(1, field(1, "hparams") + field(2, "\xFF")))),
          "the hyper-parameters cannot be parsed");
  skipped(value_record(field(1, "tag") + field(5, field(7, field(1, 1.0).substr(1)))), "not have one limit per bin");

  // Good values in the same record are read; the first ten problems are reported.
  values.clear();
  for (int i = 0; i < 30; ++i) values += field(1, field(1, "bad") + field(8, f) + metadata("scalars"));
  write_file(path, version + record(field(1, 1.5) + field(5, field(1, field(1, "a") + field(2, 1.0F)) + values +
                                                                 field(1, field(1, "b") + field(2, 2.0F)))));
  EventReader reader(path);
  REQUIRE(reader.next());
  const auto event = reader.next();
  REQUIRE(event);
  REQUIRE(event->values.size() == 2);
  CHECK((event->values[0].scalar == 1 && event->values[1].scalar == 2));
  CHECK(reader.skipped() == 30);
  CHECK(reader.problems().size() == 10);
}

TEST_CASE("event reader: reads scalars of all types, also with axes of extent 1") {
  const ScratchFolder folder;
  struct Case {
    std::int64_t type;
    std::string content;  // tensor_content
    std::uint64_t field;  // number of the typed field
    std::string number;   // value of the typed field
    double value;
  };
  const auto bytes = [](std::int64_t x, std::size_t count) {
    return event_wire::bytes_of(static_cast<std::uint64_t>(x), count);
  };
  const auto varint = [](std::int64_t x) { return event_wire::varint(static_cast<std::uint64_t>(x)); };
  const std::string real = field(1, -0.375).substr(1);
  const std::vector<Case> cases{{1, float_bytes(-1.25F), 5, float_bytes(-1.25F), -1.25},
                                {2, real, 6, real, -0.375},
                                {3, bytes(-5, 4), 7, varint(-5), -5},
                                {4, bytes(200, 1), 7, varint(200), 200},
                                {5, bytes(-300, 2), 7, varint(-300), -300},
                                {6, bytes(-7, 1), 7, varint(-7), -7},
                                {9, bytes(-6, 8), 10, varint(-6), -6},
                                {10, bytes(1, 1), 11, varint(1), 1},
                                {14, bytes(0xC049, 2), 13, varint(0xC049), -3.140625},  // bfloat16
                                {14, bytes(0x0001, 2), 13, varint(0x0001), 0x1p-133},
                                {17, bytes(60000, 2), 7, varint(60000), 60000},
                                {19, bytes(0xBE00, 2), 13, varint(0xBE00), -1.5},  // float16
                                {19, bytes(0x7BFF, 2), 13, varint(0x7BFF), 65504},
                                {19, bytes(0x0001, 2), 13, varint(0x0001), 0x1p-24},
                                {19, bytes(0xFC00, 2), 13, varint(0xFC00), -std::numeric_limits<double>::infinity()},
                                {22, bytes(4000000000, 4), 16, varint(4000000000), 4e9},
                                {23, bytes(1LL << 40, 8), 17, varint(1LL << 40), 0x1p40}};
  std::string file = version;
  std::int64_t step = 0;
  for (const Case& c : cases) {
    const std::uint64_t wire_type = c.type == 1 ? 5 : c.type == 2 ? 1 : 0;
    const std::string alone = event_wire::varint(c.field << 3U | wire_type) + c.number,
                      packed = field(c.field, c.number);
    for (const std::string& shape : {std::string(), extents({}), extents({1}), extents({1, 1})}) {
      for (const std::string& number : {field(4, c.content), alone, packed}) {
        file += value_record(field(1, "n") + field(8, field(1, c.type) + shape + number) + metadata("scalars"), ++step);
      }
    }
  }
  const auto events = read_all(write_file(folder / "tfevents", file));
  REQUIRE(events.size() == 1 + 12 * cases.size());
  for (std::size_t i = 1; i < events.size(); ++i) {
    const Case& c = cases[(i - 1) / 12];
    CAPTURE(c.type);
    REQUIRE(events[i].values.size() == 1);
    REQUIRE(events[i].values[0].scalar);
    CHECK(*events[i].values[0].scalar == c.value);
  }
  const EventRun run = load_run(folder.path());
  CHECK(run.scalars.at("n").size() == 12 * cases.size());
  CHECK(run.problems.empty());
}

TEST_CASE("event reader: repeats a single value for all elements, as TensorBoard") {
  const ScratchFolder folder;
  const auto histogram = [](std::int64_t bins) {
    return value_record(field(1, "h") + field(8, field(1, std::int64_t{2}) + extents({bins, 3}) + field(6, 0.5)) +
                        metadata("histograms"));
  };
  write_file(folder / "f", version + histogram(2) + histogram(100) + histogram(std::int64_t{1} << 40));
  EventReader reader(folder / "f");
  REQUIRE(reader.next());
  const auto event = reader.next();
  REQUIRE(event);
  const auto& bins = event->values.at(0).histogram;
  REQUIRE(bins.size() == 2);
  CHECK((bins[1].left == 0.5 && bins[1].right == 0.5 && bins[1].count == 0.5));
  // A small record cannot allocate a large tensor.
  for (int i = 0; i < 2; ++i) CHECK(reader.next()->values.empty());
  REQUIRE(reader.problems().size() == 2);
  CHECK(contains(reader.problems()[0], "1 values for 300 elements"));
  CHECK(contains(reader.problems()[1], "1 values for 3298534883328 elements"));
}

TEST_CASE("event reader: other files throw") {
  const ScratchFolder folder;
  CHECK(contains(message_of<EnvironmentError>([&] { EventReader(folder / "none"); }),
                 "event reader: cannot read " + (folder / "none").string()));
  CHECK(contains(message_of<FormatError>([&] { EventReader{folder.path()}; }), "not a regular file"));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(contains(message_of<FormatError>([&] { EventReader(folder / "pipe"); }), "not a regular file"));
  EventReader text(write_file(folder / "text", "This is not a file of events, but a text."));
  CHECK(contains(message_of<FormatError>([&] { (void)text.next(); }), "at byte 0: wrong checksum"));
  CHECK(read_all(write_file(folder / "empty", "")).empty());
  // The message names the actual format, such as a Git LFS pointer.
  const std::pair<std::string, const char*> others[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a Git LFS pointer"},
      {"<!DOCTYPE html><html>Not found</html>", "an HTML page"},
      {std::string("\x1F\x8B\x08\0\0\0\0\0\0\x03\xE3\x92", 12), "gzip data"}};
  for (const auto& [content, kind] : others) {
    EventReader reader(write_file(folder / "other", content));
    CHECK(contains(message_of<FormatError>([&] { (void)reader.next(); }),
                   std::string("at byte 0: not an event file: it is ") + kind));
  }
}

TEST_CASE("event reader: random bytes are read or throw FormatError") {
  const ScratchFolder folder(memory());
  const std::string file = file_of_writer(folder);
  const std::vector<std::string> data = event_wire::records(file).data;
  testing::Dice dice(11);
  int damaged = 0, read = 0;
  std::uint64_t skipped = 0;
  for (int attempt = 0; attempt < 4000; ++attempt) {
    std::string bytes;
    if (dice.chance(0.3)) {
      // Noise in the file: the checksums detect it.
      bytes = file;
      for (Index i = dice.between(1, 6); i > 0; --i)
        bytes[static_cast<std::size_t>(dice.below(static_cast<Index>(bytes.size())))] =
            static_cast<char>(dice.below(256));
    } else {
      // Noise in records with valid checksums: the parser must detect it.
      for (int i = 0; i < 4; ++i) {
        std::string one = dice.one_of(data);
        for (Index n = dice.between(0, 8); n > 0 && !one.empty(); --n) {
          const auto at = static_cast<std::size_t>(dice.below(static_cast<Index>(one.size())));
          const Index what = dice.below(3);
          if (what == 0) one[at] = static_cast<char>(dice.below(256));
          if (what == 1) one.erase(at, static_cast<std::size_t>(dice.between(1, 9)));
          if (what == 2)
            one.insert(at,
                       std::string(static_cast<std::size_t>(dice.between(1, 9)), static_cast<char>(dice.below(256))));
        }
        bytes += record(one);
      }
    }
    const fs::path path = write_file(folder / "f", bytes);
    try {
      EventReader reader(path);
      while (reader.next()) ++read;
      skipped += reader.skipped();
      REQUIRE((reader.problems().size() == std::min<std::uint64_t>(reader.skipped(), 10)));
    } catch (const FormatError& error) {
      REQUIRE(contains(error.what(), "f: at byte "));
      ++damaged;
    }
  }
  CHECK(damaged > 100);
  CHECK(skipped > 1000);
  CHECK(read > 3000);
}

TEST_CASE("runs: loads folders recursively, and the last value of a step counts") {
  const ScratchFolder folder;
  fs::create_directories(folder / "empty");
  write_file(folder / "notes.txt", "no events");
  {
    EventWriter first(folder / "a/train");
    for (int step = 0; step < 5; ++step) first.scalar("loss", step, step);
    first.scalar("once", 1, 7);
    first.histogram("h", Tensor::zeros({3}), 2);
    EventWriter b(folder / "b");
    b.scalar("loss", 1, 0);
    b.restart(0);
    EventWriter top(folder.path());
    top.begin_session({{"rate", 0.5}});
    top.scalar("x", 1, 0);
  }
  {
    EventWriter second(folder / "a/train");
    for (int step = 3; step < 5; ++step) second.scalar("loss", 10 * step, step);
  }
  fs::create_directory_symlink(folder / "a", folder / "link");
  const std::vector<EventRun> runs = load_runs(folder.path());
  REQUIRE(runs.size() == 3);
  CHECK((runs[0].name == "." && runs[1].name == "a/train" && runs[2].name == "b"));
  CHECK(runs[0].hyper_parameters == std::map<std::string, std::string>{{"rate", "0.5"}});
  const EventRun& run = runs[1];
  CHECK(run.files.size() == 2);
  CHECK(run.problems.empty());
  std::vector<double> values;
  for (const ScalarPoint& p : run.scalars.at("loss")) values.push_back(p.value);
  CHECK(values == std::vector<double>{0, 1, 2, 30, 40});
  CHECK(run.scalars.at("once").size() == 1);
  CHECK((run.others.at("h").count == 1 && run.others.at("h").plugin == "histograms" &&
         run.others.at("h").last_step == 2));
  CHECK(runs[2].scalars.empty());  // all before the restart

  CHECK(contains(message_of<UserError>([&] { (void)load_runs(folder / "empty"); }), "no event files in"));
  CHECK(contains(message_of<EnvironmentError>([&] { (void)load_runs(folder / "none"); }), "none"));
}

TEST_CASE("runs: a restart discards its step and later ones for all tags") {
  const ScratchFolder folder(memory());
  testing::Dice dice(5);
  for (int attempt = 0; attempt < 20; ++attempt) {
    const fs::path path = folder / std::to_string(attempt);
    std::map<std::string, std::vector<std::pair<std::int64_t, double>>> expected;
    {
      EventWriter writer(path);
      for (int i = 0; i < 60; ++i) {
        const std::int64_t step = dice.between(0, 20);
        const auto forget = [&](auto& points) {
          std::erase_if(points, [&](const auto& p) { return p.first >= step; });
        };
        if (dice.chance(0.3)) {
          writer.restart(step);
          for (auto& [tag, points] : expected) forget(points);
        } else {
          const std::string tag = dice.chance(0.5) ? "a" : "b";
          writer.scalar(tag, i, step);
          forget(expected[tag]);
          expected[tag].emplace_back(step, i);
        }
      }
    }
    std::erase_if(expected, [](const auto& entry) { return entry.second.empty(); });
    const EventRun run = load_run(path);
    REQUIRE(run.scalars.size() == expected.size());
    for (const auto& [tag, points] : run.scalars) {
      std::vector<std::pair<std::int64_t, double>> read;
      for (const ScalarPoint& p : points) read.emplace_back(p.step, p.value);
      REQUIRE(read == expected.at(tag));
    }
  }
}

TEST_CASE("runs: loading takes linear time, not tags times restarts") {
  const ScratchFolder folder(memory());
  const auto seconds = [&](int count) {
    const fs::path path = folder / std::to_string(count);
    fs::create_directory(path);
    const std::string restart =
        record(field(1, 1.5) + field(2, std::int64_t{1000}) + field(7, field(1, std::int64_t{1})));
    std::string file = version;
    for (int i = 0; i < count; ++i) file += value_record(field(1, std::to_string(i)) + field(2, 1.0F), 1);
    for (int i = 0; i < count; ++i) file += restart;
    write_file(path / "tfevents", file);
    double best = 1e9;
    for (int repeat = 0; repeat < 3; ++repeat) {
      const std::clock_t begin = std::clock();
      CHECK(load_run(path).scalars.size() == static_cast<std::size_t>(count));
      best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return best;
  };
  // 8 times as long if linear, 64 times if quadratic.
  const double few = seconds(2000), many = seconds(16000);
  CHECK(many < 24 * few);
}

TEST_CASE("runs: damage is reported as a problem and the rest is read") {
  const ScratchFolder folder;
  const auto scalar = [](int step) { return value_record(field(1, "x") + field(2, static_cast<float>(step)), step); };
  std::string bad = scalar(2);
  bad.back() ^= 1;
  write_file(folder / "1.tfevents", version + scalar(1) + bad + scalar(3));
  write_file(folder / "2.tfevents", version + scalar(4) + scalar(5).substr(0, 20));
  write_file(folder / "3.tfevents", version + scalar(6) + scalar(7).substr(0, 20));
  const EventRun run = load_run(folder.path());
  std::vector<std::int64_t> steps;
  for (const ScalarPoint& p : run.scalars.at("x")) steps.push_back(p.step);
  CHECK(steps == std::vector<std::int64_t>{1, 3, 4, 6});
  CHECK(run.skipped == 1);
  REQUIRE(run.problems.size() == 2);
  CHECK(contains(run.problems[0], "1.tfevents: at byte "));
  CHECK(contains(run.problems[1], "2.tfevents: at byte "));
  CHECK(contains(run.problems[1], "the last record is truncated"));
}

TEST_CASE("runs: unreadable files do not hide the others") {
  const ScratchFolder folder;
  const std::string one = value_record(field(1, "x") + field(2, 1.0F), 1);
  write_file(folder / "1.tfevents", version + one + "this is no record");
  write_file(folder / "3.tfevents", version + value_record(field(1, "x") + field(2, 3.0F), 3));
  fs::create_symlink("/dev/null", folder / "2.tfevents");
  EventRun run = load_run(folder.path());
  CHECK(run.scalars.at("x").size() == 2);
  REQUIRE(run.problems.size() == 1);
  CHECK(contains(run.problems[0], "1.tfevents: at byte " + std::to_string(version.size() + one.size())));
  run.files.insert(run.files.begin(), {folder / "0.tfevents", folder / "2.tfevents"});
  std::size_t events = 0;
  load_events(run, [&](const nn::Event&) { ++events; });
  CHECK(events == 4);
  REQUIRE(run.problems.size() == 3);
  CHECK(contains(run.problems[0], "0.tfevents"));
  CHECK(contains(run.problems[1], "2.tfevents: not a regular file"));
  // Exceptions of the callback propagate and are no problem of the file.
  CHECK_THROWS_AS(load_events(run, [](const nn::Event&) { throw UserError("mine"); }), UserError);
}

TEST_CASE("runs: plugins named in the first file apply to the other files") {
  const ScratchFolder folder;
  const auto tensor = [](float x) {
    return field(1, "x") + field(8, field(1, std::int64_t{1}) + field(4, float_bytes(x)));
  };
  write_file(folder / "1.tfevents", version + value_record(tensor(1) + metadata("scalars"), 1));
  write_file(folder / "2.tfevents", version + value_record(tensor(2), 2));
  fs::create_directory(folder / "other");
  write_file(folder / "other/3.tfevents", version + value_record(tensor(3), 3));
  const std::vector<EventRun> runs = load_runs(folder.path());
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].scalars.at("x").size() == 2);
  CHECK(runs[1].scalars.empty());  // another run
}

TEST_CASE("runs: follows links and reads each folder once") {
  const ScratchFolder folder, elsewhere;
  const auto run = [](const fs::path& path) { EventWriter(path).scalar("x", 1, 1); };
  run(folder / "logs/b");
  run(folder / "logs/c/train");
  run(elsewhere / "far");
  run(elsewhere / "deep/er");
  fs::create_directory_symlink("c", folder / "logs/a");      // a second path
  fs::create_directory_symlink("..", folder / "logs/c/up");  // a cycle
  fs::create_directory_symlink("self", folder / "logs/self");
  fs::create_directory_symlink(elsewhere / "far", folder / "logs/far");
  fs::create_directory_symlink(elsewhere / "deep", folder / "logs/c/deep");
  fs::create_directory_symlink(folder / "logs", elsewhere / "deep/back");
  fs::create_symlink("nowhere", folder / "logs/dangling");
  std::vector<std::string> names;
  for (const EventRun& one : load_runs(folder / "logs")) names.push_back(one.name);
  CHECK(names == std::vector<std::string>{"b", "c/deep/er", "c/train", "far"});
  // The requested folder is a link.
  fs::create_directory_symlink("logs", folder / "link");
  CHECK(load_runs(folder / "link").size() == 4);
}
