// Progress output of fit: a bar on terminals, plain lines in files and pipes.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/text_width.hpp>
#include <xgrad/nn/training/progress.hpp>

#include "support/dice.hpp"

using namespace xgrad;

namespace {

nn::Logs some_logs() {
  nn::Logs logs;
  logs.add("loss", 0.02881);
  logs.add("accuracy", 0.9906);
  return logs;
}

// The output for two epochs, written to a file.
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

TEST_CASE("progress: the line of a running epoch has a bar, the time left and the logs") {
  CHECK(nn::progress_line(0, 469, 0, {}, 80) == "  0/469 [>.............................] - ETA: ?");
  CHECK(nn::progress_line(117, 469, 1, some_logs(), 120) ==
        "117/469 [=======>......................] - ETA: 3.0s - loss: 0.0288 - accuracy: 0.9906");
  CHECK(nn::progress_line(469, 469, 0.469, some_logs(), 120) ==
        "469/469 [==============================] - 469ms 1ms/step - loss: 0.0288 - accuracy: 0.9906");
  CHECK(nn::progress_line(117, 469, 1, some_logs(), 120, true) ==
        "117/469 [=======>......................] - 1.0s 9ms/step - loss: 0.0288 - accuracy: 0.9906");
}

TEST_CASE("progress: in a narrow terminal the bar shrinks first; the line of a running epoch never wraps") {
  CHECK(nn::progress_line(117, 469, 1, some_logs(), 64) ==
        "117/469 [=>......] - ETA: 3.0s - loss: 0.0288 - accuracy: 0.9906");
  CHECK(nn::progress_line(117, 469, 1, some_logs(), 55) == "117/469 - ETA: 3.0s - loss: 0.0288 - accuracy: 0.9906");
  CHECK(nn::progress_line(117, 469, 1, some_logs(), 20) == "117/469 - ETA: 3.0s ");
  CHECK(nn::progress_line(469, 469, 0.469, some_logs(), 20) ==
        "469/469 - 469ms 1ms/step - loss: 0.0288 - accuracy: 0.9906");
}

TEST_CASE("progress: durations are short") {
  CHECK(nn::duration(0.00085) == "850us");
  CHECK(nn::duration(0.012) == "12ms");
  CHECK(nn::duration(1.5) == "1.5s");
  CHECK(nn::duration(123) == "2:03");
  CHECK(nn::duration(3723) == "1:02:03");
}

TEST_CASE("progress: files and pipes get one plain line per epoch, without escape codes") {
  const std::string out = written(nn::Verbose::automatic);
  CHECK(out.find('\x1b') == std::string::npos);
  CHECK(out.find('\r') == std::string::npos);
  CHECK(out.find("Epoch 1/2 - ") == 0);
  CHECK(out.find(" - loss: 0.0288 - accuracy: 0.9906\nEpoch 2/2 - ") != std::string::npos);
  CHECK(written(nn::Verbose::silent).empty());
  CHECK(written(nn::Verbose::bar).find("\r\x1b[K10/10 [====") != std::string::npos);
}

TEST_CASE("logs: small values are printed in scientific notation; an unknown name throws") {
  nn::Logs logs;
  logs.add("loss", 1.5e-7);
  CHECK(logs.str() == "loss: 1.5000e-07");
  CHECK(logs["loss"] == 1.5e-7);
  CHECK_FALSE(logs.has("accuracy"));
  CHECK_THROWS_WITH_AS(logs["accuracy"], doctest::Contains("there is no \"accuracy\"; there are: loss"), UserError);
  CHECK_THROWS_WITH_AS(nn::History()["loss"], doctest::Contains("no epoch"), UserError);
}

namespace {

// A minimal terminal emulator. It wraps lines at its width; after the last column the cursor stays until the next
// character, as in xterm.
class Screen {
 public:
  explicit Screen(int width) : width_(width) {}

  void set_width(int width) {  // truncates lines, as xterm does
    width_ = width;
    for (auto& line : lines_) line.resize(std::min(line.size(), static_cast<std::size_t>(width)));
    column_ = std::min(column_, width);
  }

  void write(std::string_view text) {
    while (!text.empty()) {
      if (text.starts_with("\x1b[K")) {
        line().resize(std::min(line().size(), static_cast<std::size_t>(column_)));
        text.remove_prefix(3);
        continue;
      }
      const char c = text[0];
      if (c == '\r') column_ = 0;
      if (c == '\n') ++row_;
      if (c == '\r' || c == '\n') {
        text.remove_prefix(1);
        continue;
      }
      CHECK(static_cast<unsigned char>(c) >= 0x20);
      std::size_t bytes = 1;
      while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80) ++bytes;
      const std::string one(text.substr(0, bytes));
      put(one, text_width(one));
      text.remove_prefix(bytes);
    }
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& cells : lines_) {
      out.emplace_back();
      for (const std::string& cell : cells) out.back() += cell;
    }
    while (!out.empty() && out.back().empty()) out.pop_back();
    return out;
  }
  int row() const { return row_; }

 private:
  std::vector<std::string>& line() {
    if (lines_.size() <= static_cast<std::size_t>(row_)) lines_.resize(static_cast<std::size_t>(row_) + 1);
    return lines_[static_cast<std::size_t>(row_)];
  }
  void put(const std::string& one, int width) {
    if (column_ + width > width_) {
      ++row_;
      column_ = 0;
    }
    auto& cells = line();
    if (cells.size() < static_cast<std::size_t>(column_ + std::max(width, 1)))
      cells.resize(static_cast<std::size_t>(column_ + std::max(width, 1)));
    if (width == 0 && column_ > 0)
      cells[static_cast<std::size_t>(column_) - 1] += one;
    else
      cells[static_cast<std::size_t>(column_)] = one;
    column_ += width;
  }

  int width_;
  int row_ = 0, column_ = 0;
  std::vector<std::vector<std::string>> lines_;
};

// A pseudo-terminal: text written to `out` arrives at `screen`.
class Terminal {
 public:
  explicit Terminal(int width) : screen(width), master_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    REQUIRE(master_ >= 0);
    REQUIRE(::grantpt(master_) == 0);
    REQUIRE(::unlockpt(master_) == 0);
    const int slave = ::open(::ptsname(master_), O_RDWR | O_NOCTTY);
    REQUIRE(slave >= 0);
    termios raw{};
    REQUIRE(::tcgetattr(slave, &raw) == 0);
    raw.c_oflag |= ONLCR | OPOST;
    raw.c_oflag &= ~static_cast<tcflag_t>(TAB3);
    REQUIRE(::tcsetattr(slave, TCSANOW, &raw) == 0);
    out = ::fdopen(slave, "w");
    REQUIRE(out != nullptr);
    set_width(width);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    std::fclose(out);
    ::close(master_);
  }

  void set_width(int width) {
    const winsize window{24, static_cast<unsigned short>(width), 0, 0};
    REQUIRE(::ioctl(master_, TIOCSWINSZ, &window) == 0);
    screen.set_width(width);
  }
  // Passes the output so far to the screen.
  void flush() {
    std::fflush(out);
    char buffer[4096];
    pollfd ready{master_, POLLIN, 0};
    while (::poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN) != 0) {
      const ssize_t got = ::read(master_, buffer, sizeof(buffer));
      REQUIRE(got > 0);
      screen.write({buffer, static_cast<std::size_t>(got)});
    }
  }

  std::FILE* out = nullptr;
  Screen screen;

 private:
  int master_;
};

nn::Logs many_logs() {
  nn::Logs logs;
  logs.add("loss", 1234567.125);
  logs.add("g\u00fcte", 0.5);              // one column each
  logs.add("\u7cbe\u5ea6", 0.25);          // two columns each
  logs.add("cafe\u0301", 0.125);           // e with a combining accent
  logs.add("bad\xff\x1b[2Jname\n", 1e-7);  // bytes that a terminal interprets
  return logs;
}

}  // namespace

TEST_CASE("metrics: larger_is_better follows from the name") {
  for (const char* name : {"accuracy", "val_accuracy", "top_5_accuracy", "precision", "val_recall", "f1", "auc", "r2"})
    CHECK(nn::larger_is_better(name));
  for (const char* name : {"loss", "val_loss", "mean_absolute_error", "accuracy_loss", ""})
    CHECK_FALSE(nn::larger_is_better(name));
}

TEST_CASE("text_width: width in terminal columns") {
  CHECK(text_width("loss: 0.1") == 9);
  CHECK(text_width("g\u00fcte") == 4);
  CHECK(text_width("\u7cbe\u5ea6") == 4);
  CHECK(text_width("cafe\u0301") == 4);
  CHECK(text_width("\U0001F600") == 2);
  CHECK(text_width("\xff\xe7") == 2);
  CHECK(cut_to_width("\u7cbe\u5ea6", 3) == "\u7cbe");
  CHECK(cut_to_width("cafe\u0301s", 4) == "cafe\u0301");
  CHECK(cut_to_width("abc", 0).empty());
  CHECK(without_controls("a\x1b[2J\n\x7f\xc2\x85\xff\u00e9") == "a?[2J????\u00e9");
}

TEST_CASE("progress: the bar stays on one line in a terminal of any width") {
  if (::getenv("TERM") == nullptr) ::setenv("TERM", "xterm", 1);
  for (int width = 1; width <= 200; ++width) {
    CAPTURE(width);
    Terminal terminal(width);
    nn::Progress progress(nn::Verbose::bar, 2, 469, terminal.out);
    progress.begin_epoch(0);
    terminal.flush();
    const int first = terminal.screen.row();
    for (const int done : {1, 117, 468}) {
      for (const nn::Logs& logs : {some_logs(), many_logs()}) {
        progress.update(done, logs);
        terminal.flush();
        CHECK(terminal.screen.row() == first);
        CHECK(terminal.screen.lines().size() <= static_cast<std::size_t>(first) + 1);
        const std::string line_text = terminal.screen.lines().size() > static_cast<std::size_t>(first)
                                          ? terminal.screen.lines().back()
                                          : std::string();
        CHECK(text_width(line_text) < std::max(width, 2));
        if (width > 10) CHECK(line_text.starts_with(fmt::format("{:>3}/469", done)));
      }
    }
    // The final line of an epoch has all logs and wraps if needed.
    progress.end_epoch(469, some_logs());
    terminal.flush();
    std::string all;
    for (const std::string& line : terminal.screen.lines()) {
      CHECK(text_width(line) <= width);
      all += line;
    }
    CHECK(all.starts_with("Epoch 1/2469/469 "));
    CHECK(all.ends_with(" - loss: 0.0288 - accuracy: 0.9906"));
  }
}

TEST_CASE("progress: the bar follows changes of the terminal's width") {
  Terminal terminal(120);
  nn::Progress progress(nn::Verbose::bar, 2, 469, terminal.out);
  progress.begin_epoch(0);
  testing::Dice dice(9);
  for (int done = 1; done < 469; done += 3) {
    const int width = static_cast<int>(dice.between(12, 200));
    terminal.set_width(width);
    progress.update(done, many_logs());
    terminal.flush();
    CHECK(terminal.screen.row() == 1);
    REQUIRE(terminal.screen.lines().size() == 2);
    const std::string line_text = terminal.screen.lines()[1];
    CHECK(text_width(line_text) < width);
    CHECK(text_width(line_text) > std::min(width, 90) - 4);  // the available width is used
  }
  terminal.set_width(120);
  progress.end_epoch(469, some_logs());
  terminal.flush();
  CHECK(terminal.screen.lines()[0] == "Epoch 1/2");
  CHECK(terminal.screen.lines()[1].starts_with("469/469 [=============================="));
}

TEST_CASE("progress: an unwritable output is no error") {
  std::FILE* full = std::fopen("/dev/full", "w");
  if (full == nullptr) {
    MESSAGE("skipped: there is no /dev/full");
    return;
  }
  nn::Progress progress(nn::Verbose::lines, 1, 10, full);
  progress.begin_epoch(0);
  CHECK_NOTHROW(progress.end_epoch(10, some_logs()));
  std::fclose(full);
}
