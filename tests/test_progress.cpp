// What a fit prints: a bar on terminals, plain lines in files and pipes.
#include <cstdio>
#include <string>

#include <doctest/doctest.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/nn/training/progress.hpp>

using namespace xgrad;

namespace {

nn::Logs some_logs() {
  nn::Logs logs;
  logs.add("loss", 0.02881);
  logs.add("accuracy", 0.9906);
  return logs;
}

// What a progress of two epochs writes to a file.
std::string written(nn::Verbose verbose) {
  std::FILE* file = std::tmpfile();
  nn::Progress progress(verbose, 2, 10, file);
  for (int epoch = 0; epoch < 2; ++epoch) {
    progress.begin_epoch(epoch);
    if (progress.wants_update()) progress.update(5, some_logs());
    progress.end_epoch(10, some_logs());
  }
  std::string out(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  CHECK(std::fread(out.data(), 1, out.size(), file) == out.size());
  std::fclose(file);
  return out;
}

}  // namespace

TEST_CASE("the line of a running epoch has a bar, the time left and the numbers so far") {
  CHECK(nn::progress_line(0, 469, 0, {}, 80) == "  0/469 [>.............................] - ETA: ?");
  CHECK(nn::progress_line(117, 469, 1, some_logs(), 120) ==
        "117/469 [=======>......................] - ETA: 3.0s - loss: 0.0288 - accuracy: 0.9906");
  CHECK(nn::progress_line(469, 469, 0.469, some_logs(), 120) ==
        "469/469 [==============================] - 469ms 1ms/step - loss: 0.0288 - accuracy: 0.9906");
  CHECK(nn::progress_line(117, 469, 1, some_logs(), 120, true) ==
        "117/469 [=======>......................] - 1.0s 9ms/step - loss: 0.0288 - accuracy: 0.9906");
}

TEST_CASE("where there is little room the bar gives way first, and a line that is not done never wraps") {
  CHECK(nn::progress_line(117, 469, 1, some_logs(), 64) ==
        "117/469 [=>......] - ETA: 3.0s - loss: 0.0288 - accuracy: 0.9906");
  CHECK(nn::progress_line(117, 469, 1, some_logs(), 55) == "117/469 - ETA: 3.0s - loss: 0.0288 - accuracy: 0.9906");
  CHECK(nn::progress_line(117, 469, 1, some_logs(), 20) == "117/469 - ETA: 3.0s ");
  CHECK(nn::progress_line(469, 469, 0.469, some_logs(), 20) ==
        "469/469 - 469ms 1ms/step - loss: 0.0288 - accuracy: 0.9906");
}

TEST_CASE("durations are short") {
  CHECK(nn::duration(0.00085) == "850us");
  CHECK(nn::duration(0.012) == "12ms");
  CHECK(nn::duration(1.5) == "1.5s");
  CHECK(nn::duration(123) == "2:03");
  CHECK(nn::duration(3723) == "1:02:03");
}

TEST_CASE("files and pipes get one plain line an epoch, without escape codes") {
  const std::string out = written(nn::Verbose::automatic);
  CHECK(out.find('\x1b') == std::string::npos);
  CHECK(out.find('\r') == std::string::npos);
  CHECK(out.find("Epoch 1/2 - ") == 0);
  CHECK(out.find(" - loss: 0.0288 - accuracy: 0.9906\nEpoch 2/2 - ") != std::string::npos);
  CHECK(written(nn::Verbose::silent).empty());
  CHECK(written(nn::Verbose::bar).find("\r\x1b[K10/10 [====") != std::string::npos);
}

TEST_CASE("logs print small numbers so that something of them is seen, and know their names") {
  nn::Logs logs;
  logs.add("loss", 1.5e-7);
  CHECK(logs.str() == "loss: 1.5000e-07");
  CHECK(logs["loss"] == 1.5e-7);
  CHECK_FALSE(logs.has("accuracy"));
  CHECK_THROWS_WITH_AS(logs["accuracy"], doctest::Contains("there is no \"accuracy\"; there are: loss"), UserError);
  CHECK_THROWS_WITH_AS(nn::History()["loss"], doctest::Contains("no epoch"), UserError);
}
