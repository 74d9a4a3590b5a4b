// Event files, parsed by the definition of their formats (event_wire.hpp), and errors of the writer.
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <png.h>
#include <sys/resource.h>
#include <unistd.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/events/event_writer.hpp>
#include <xgrad/nn/events/internal/record.hpp>

#include "support/dice.hpp"
#include "support/event_wire.hpp"
#include "support/scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using namespace scratch;
using event_wire::WireEvent;
using event_wire::WireValue;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

// The only value of the last event in the file.
WireValue last_value(const EventWriter& writer) {
  static std::vector<WireEvent> all;  // the value refers to it
  all = event_wire::events(writer.path());
  const std::vector<WireValue> values = all.back().values();
  REQUIRE(values.size() == 1);
  return values[0];
}

}  // namespace

TEST_CASE("event records: checksums match known values and a bitwise implementation") {
  CHECK(event_wire::crc32c("123456789") == 0xE3069283);
  CHECK(event_wire::masked(event_wire::crc32c("123456789")) == 0xC78AB0E5);
  CHECK(record::check("123456789") == 0xC78AB0E5);
  testing::Dice dice(3);
  for (Index size = 0; size < 300; ++size) {
    std::string data;
    for (Index i = 0; i < size; ++i) data += static_cast<char>(dice.below(256));
    CHECK(record::check(data) == event_wire::masked(event_wire::crc32c(data)));
    std::string framed = std::string(record::head_bytes, 'x') + data;
    record::frame(framed);
    CHECK(framed == event_wire::record(data));
  }
}

TEST_CASE("event writer: the file starts with its version; its name has time, host and process") {
  const ScratchFolder folder;
  const double before = now();
  EventWriter writer(folder / "a/b");
  const double after = now();
  const std::string name = writer.path().filename().string();
  CHECK(writer.path().parent_path() == folder / "a/b");
  const std::string begin = "events.out.tfevents.";
  REQUIRE(name.starts_with(begin));
  const double seconds = std::stod(name.substr(begin.size(), 10));
  CHECK((seconds >= std::floor(before) && seconds <= after));
  CHECK(contains(name, "." + std::to_string(::getpid()) + "."));
  const std::vector<WireEvent> all = event_wire::events(writer.path());
  REQUIRE(all.size() == 1);
  CHECK((all[0].wall_time() >= before && all[0].wall_time() <= after));
  CHECK(all[0].message.message(10).text(1) == "xgrad");
}

TEST_CASE("event writer: names of files created within a second sort by creation") {
  const ScratchFolder folder;
  std::vector<std::string> names;
  for (int i = 0; i < 25; ++i) names.push_back(EventWriter(folder.path()).path().filename().string());
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

TEST_CASE("event writer: scalars have tag, step, time and value") {
  const ScratchFolder folder;
  EventWriter writer(folder.path());
  const double before = now();
  writer.scalar("loss", 0.25, 7);
  CHECK(last_value(writer).tag == "loss");
  CHECK(last_value(writer).scalar() == 0.25);
  const WireEvent event = event_wire::events(writer.path()).back();
  CHECK(event.step() == 7);
  CHECK((event.wall_time() >= before && event.wall_time() <= now()));
  for (const double x : {0.0, -1e-40, 3.1415926535, 1e300, -std::numeric_limits<double>::infinity()}) {
    writer.scalar("x", x, std::numeric_limits<std::int64_t>::max());
    CHECK(last_value(writer).scalar() == static_cast<double>(static_cast<float>(x)));
  }
  CHECK(event_wire::events(writer.path()).back().step() == std::numeric_limits<std::int64_t>::max());
  writer.scalar("x", std::nan(""), 0);
  CHECK(std::isnan(last_value(writer).scalar()));

  writer.scalars({{"a", 1}, {"b/\xC3\xA4", 2}}, 3);
  const WireEvent two = event_wire::events(writer.path()).back();
  REQUIRE(two.values().size() == 2);
  CHECK((two.values()[0].tag == "a" && two.values()[0].scalar() == 1));
  CHECK((two.values()[1].tag == "b/\xC3\xA4" && two.values()[1].scalar() == 2));
  const std::size_t count = event_wire::events(writer.path()).size();
  writer.scalars({}, 4);
  CHECK(event_wire::events(writer.path()).size() == count);
}

TEST_CASE("event writer: a record is in the file when the call returns") {
  const ScratchFolder folder;
  EventWriter writer(folder.path());
  for (int i = 0; i < 50; ++i) {
    writer.scalar("x", i, i);
    CHECK(event_wire::events(writer.path()).size() == static_cast<std::size_t>(i) + 2);
  }
}

TEST_CASE("event writer: histograms count every value in the right bin") {
  const ScratchFolder folder;
  EventWriter writer(folder.path());
  testing::Dice dice(5);
  for (int attempt = 0; attempt < 60; ++attempt) {
    const Index n = dice.between(2, 400);
    const double scale = std::pow(10, dice.real(-300, 300)), shift = dice.chance(0.5) ? 0 : dice.real(-1, 1) * scale;
    Tensor values(Shape{n}, f64);
    for (double& x : values.mutable_values<double>()) {
      // Some values lie on edges.
      x = shift + scale * (dice.chance(0.5) ? static_cast<double>(dice.between(0, 30)) / 30 : dice.real(0, 1));
    }
    const int bins = attempt % 3 == 0 ? static_cast<int>(dice.between(1, 70)) : 30;
    CHECK(writer.histogram("h", values, attempt, bins) == 0);
    const auto found = last_value(writer).histogram();
    const auto x = values.values<double>();
    const auto [least, largest] = std::minmax_element(x.begin(), x.end());
    if (*least == *largest) continue;
    REQUIRE(found.size() == static_cast<std::size_t>(bins));
    CHECK(found.front().left == *least);
    CHECK(found.back().right == *largest);
    double total = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (i > 0) CHECK(found[i].left == found[i - 1].right);
      const bool last = i + 1 == found.size();
      double count = 0;
      for (const double v : x) count += v >= found[i].left && (v < found[i].right || (last && v <= found[i].right));
      CHECK(found[i].count == count);
      total += found[i].count;
    }
    CHECK(total == static_cast<double>(n));
  }
}

TEST_CASE("event writer: histograms of all types, equal values, NaN and infinity") {
  const ScratchFolder folder;
  EventWriter writer(folder.path());
  const auto counts = [&] {
    std::vector<double> out;
    for (const auto& bin : last_value(writer).histogram()) out.push_back(bin.count);
    return out;
  };
  writer.histogram("h", Tensor::from<float>({2, 3}, {0, 1, 2, 3, 4, 4}), 0, 4);
  CHECK(counts() == std::vector<double>{1, 1, 1, 3});
  CHECK(last_value(writer).shape() == std::vector<std::int64_t>{4, 3});
  CHECK(last_value(writer).histogram()[1].left == 1);
  writer.histogram("h", Tensor::from<std::int64_t>({3}, {-5, 5, 5}), 0, 2);
  CHECK(counts() == std::vector<double>{1, 2});
  writer.histogram("h", Tensor::from<bool>({3}, {true, false, true}), 0, 2);
  CHECK(counts() == std::vector<double>{1, 2});
  // Equal values, and no values.
  writer.histogram("h", Tensor::full({5}, 3), 0);
  REQUIRE(counts() == std::vector<double>{5});
  CHECK(last_value(writer).histogram()[0].left == 2.5);
  CHECK(last_value(writer).histogram()[0].right == 3.5);
  writer.histogram("h", Tensor(Shape{0}), 0);
  CHECK(counts().empty());
  CHECK(last_value(writer).shape() == std::vector<std::int64_t>{0, 3});
  const float infinite = std::numeric_limits<float>::infinity();
  CHECK(writer.histogram("h", Tensor::from<float>({5}, {1, infinite, 2, -infinite, std::nanf("")}), 0, 2) == 3);
  CHECK(counts() == std::vector<double>{1, 1});
  CHECK(writer.histogram("h", Tensor::full({2}, std::nan("")), 0, 2) == 2);
  CHECK(counts().empty());
  // The full range of doubles.
  const double most = std::numeric_limits<double>::max();
  writer.histogram("h", Tensor::from<double>({4}, {-most, most, 0, 5e-324}), 0, 2);
  CHECK(counts() == std::vector<double>{1, 3});
  writer.histogram("h", Tensor::from<double>({3}, {0, 5e-324, 1e-323}), 0, 2);
  CHECK(counts() == std::vector<double>{1, 2});
}

TEST_CASE("event writer: images are PNG files that libpng reads") {
  const ScratchFolder folder;
  EventWriter writer(folder.path());
  writer.image("digit", Tensor::from<float>({2, 3}, {0, 1, 0.5, -3, 7, 0.2F}), 4);
  const WireValue value = last_value(writer);
  CHECK((value.tag == "digit" && value.plugin == "images" && value.data_class == 3));
  CHECK(value.tensor.integer(1) == 7);  // DT_STRING
  CHECK(value.shape() == std::vector<std::int64_t>{3});
  const std::vector<std::string> strings = value.tensor.texts(8);
  REQUIRE(strings.size() == 3);
  CHECK((strings[0] == "3" && strings[1] == "2"));
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_memory(&png, strings[2].data(), strings[2].size()) != 0);
  std::vector<png_byte> bytes(PNG_IMAGE_SIZE(png));
  REQUIRE(png_image_finish_read(&png, nullptr, bytes.data(), 0, nullptr) != 0);
  CHECK((png.width == 3 && png.height == 2));
  CHECK(bytes == std::vector<png_byte>{0, 255, 128, 0, 255, 51});
}

TEST_CASE("event writer: text, hyper-parameters and restarts") {
  const ScratchFolder folder;
  EventWriter writer(folder.path());
  writer.text("notes", "**bold** \xE2\x9C\x93\n", 2);
  const WireValue text = last_value(writer);
  CHECK((text.tag == "notes" && text.plugin == "text" && text.data_class == 2 && text.shape().empty()));
  CHECK(text.tensor.texts(8) == std::vector<std::string>{"**bold** \xE2\x9C\x93\n"});

  writer.begin_session({{"units", 64}, {"rate", 1e-3}, {"shuffle", true}, {"optimizer", "adam"}});
  const WireValue begin = last_value(writer);
  CHECK((begin.tag == "_hparams_/session_start_info" && begin.plugin == "hparams" && begin.data_class == 2));
  CHECK(begin.shape() == std::vector<std::int64_t>{0});
  const event_wire::Message data(begin.content);
  const event_wire::Message info = data.message(3);
  CHECK(std::abs(info.real(5) - now()) < 60);
  const auto entries = info.messages(1);
  REQUIRE(entries.size() == 4);
  CHECK((entries[0].text(1) == "units" && entries[0].message(2).real(2) == 64));
  CHECK((entries[1].text(1) == "rate" && entries[1].message(2).real(2) == 1e-3));
  CHECK((entries[2].text(1) == "shuffle" && entries[2].message(2).integer(4) == 1));
  CHECK((entries[3].text(1) == "optimizer" && entries[3].message(2).text(3) == "adam"));
  writer.end_session();
  const WireValue end = last_value(writer);
  CHECK(end.tag == "_hparams_/session_end_info");
  const event_wire::Message end_data(end.content);
  CHECK(end_data.message(4).integer(1) == 1);
  CHECK(std::abs(end_data.message(4).real(2) - now()) < 60);

  writer.restart(5);
  const WireEvent restart = event_wire::events(writer.path()).back();
  CHECK(restart.step() == 5);
  CHECK(restart.message.message(7).integer(1) == 1);  // START
}

TEST_CASE("event writer: invalid arguments throw and leave the file unchanged") {
  const ScratchFolder folder;
  EventWriter writer(folder.path());
  writer.scalar("x", 1, 1);
  const std::string before = event_wire::content(writer.path());
  const auto user_error = [&](const auto& body) { return message_of<UserError>(body); };
  CHECK(contains(user_error([&] { writer.scalar("", 1, 1); }), "event writer: the tag is empty"));
  CHECK(contains(user_error([&] { writer.scalar("a\xFF", 1, 1); }), "the tag \"a?\" is not UTF-8"));
  CHECK(contains(user_error([&] { writer.scalar("\xED\xA0\x80", 1, 1); }), "is not UTF-8"));
  CHECK(contains(user_error([&] { writer.scalar("\xE0\x80\x80", 1, 1); }), "is not UTF-8"));
  CHECK(contains(user_error([&] { writer.scalar("x", 1, -1); }), "step must be at least 0, got -1"));
  CHECK(contains(user_error([&] { writer.scalars({{"a", 1}, {"", 2}}, 0); }), "the tag is empty"));
  CHECK(contains(user_error([&] { writer.histogram("h", Tensor::zeros({3}), 0, 0); }),
                 "\"h\": bins must be 1 to 100000, got 0"));
  CHECK(contains(user_error([&] { writer.text("t", "\x80", 0); }), "the text of \"t\" is not UTF-8"));
  CHECK(
      contains(message_of<ShapeError>([&] { writer.image("i", Tensor::zeros({3}), 0); }), "event writer: image \"i\""));
  CHECK(contains(user_error([&] { writer.begin_session({{"", 1}}); }), "has no name"));
  CHECK(contains(user_error([&] { writer.begin_session({{"a", 1}, {"a", 2}}); }), "duplicate hyper-parameter \"a\""));
  CHECK(contains(user_error([&] {
                   writer.begin_session({{"a", std::nan("")}});
                 }),
                 "hyper-parameter \"a\" must be finite, got nan"));
  CHECK(event_wire::content(writer.path()) == before);

  write_file(folder / "file", "");
  CHECK(contains(message_of<EnvironmentError>([&] { EventWriter(folder / "file"); }), "file"));
  CHECK(contains(message_of<EnvironmentError>([&] { EventWriter(folder / "file/below"); }),
                 "event writer: cannot create the folder " + (folder / "file/below").string()));
}

TEST_CASE("event writer: a failed constructor leaves no file; errors name a deleted working folder") {
  const ScratchFolder folder;
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  rlimit small = limit;
  small.rlim_cur = 10;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string message = message_of<EnvironmentError>([&] { EventWriter(folder / "run"); });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK_MESSAGE((contains(message, "event writer: cannot write") && contains(message, std::strerror(EFBIG))), message);
  CHECK(fs::is_empty(folder / "run"));

  const fs::path before = fs::current_path();
  fs::create_directory(folder / "gone");
  fs::current_path(folder / "gone");
  fs::remove(folder / "gone");
  const std::string gone = message_of<EnvironmentError>([&] { EventWriter("run"); });
  fs::current_path(before);
  CHECK(gone == "event writer: cannot create the folder run: the working folder was deleted");
}

TEST_CASE("event writer: a failed write is rolled back, and later records are complete") {
  const ScratchFolder folder;
  EventWriter writer(folder.path());
  writer.scalar("x", 1, 1);
  const std::string before = event_wire::content(writer.path());
  // As on a full disk: a partial write, then failures.
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  rlimit small = limit;
  small.rlim_cur = before.size() + 1000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string message = message_of<EnvironmentError>([&] { writer.text("long", std::string(5000, 'x'), 0); });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK(contains(message, "event writer: cannot write " + writer.path().string() + ": "));
  CHECK(event_wire::content(writer.path()) == before);
  writer.text("long", std::string(5000, 'x'), 0);
  CHECK(event_wire::events(writer.path()).size() == 3);
}
