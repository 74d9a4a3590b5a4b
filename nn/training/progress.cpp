#include <xgrad/nn/training/progress.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

namespace xgrad::nn {
namespace {

constexpr auto redraw_interval = std::chrono::milliseconds(100);
constexpr int bar_width = 30;  // as in Keras

bool is_terminal(std::FILE* out) {
  const char* term = std::getenv("TERM");
  return isatty(fileno(out)) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

std::string duration(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.0f}us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.0f}ms", seconds * 1e3);
  if (seconds < 60) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<long long>(seconds);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string progress_line(int done, int total, double seconds, const Logs& logs, int width) {
  const std::string count = fmt::format("{}", total);
  const int filled = total == 0 ? bar_width : static_cast<int>(static_cast<long long>(bar_width) * done / total);
  std::string bar(static_cast<std::size_t>(filled), '=');
  if (done < total) bar += '>' + std::string(static_cast<std::size_t>(bar_width - filled - 1), '.');
  std::string out = fmt::format("{:>{}}/{} [{}]", done, count.size(), total, bar);
  const double each = done == 0 ? 0 : seconds / done;
  if (done < total)
    out += fmt::format(" - ETA: {}", done == 0 ? "?" : duration(each * (total - done)));
  else
    out += fmt::format(" - {} {}/step", duration(seconds), duration(each));
  if (!logs.entries().empty()) out += " - " + logs.str();
  if (done < total && out.size() > static_cast<std::size_t>(std::max(width, 1)))
    out.resize(static_cast<std::size_t>(std::max(width, 1)));
  return out;
}

Progress::Progress(Verbose verbose, int epochs, int steps, std::FILE* out)
    : verbose_(verbose), epochs_(epochs), steps_(steps), out_(out) {
  if (verbose_ == Verbose::automatic) verbose_ = is_terminal(out) ? Verbose::bar : Verbose::lines;
  winsize window{};
  if (ioctl(fileno(out), TIOCGWINSZ, &window) == 0 && window.ws_col > 0) width_ = window.ws_col;
}

void Progress::begin_epoch(int epoch) {
  epoch_ = epoch;
  start_ = last_ = Clock::now();
  if (verbose_ == Verbose::bar) fmt::print(out_, "Epoch {}/{}\n", epoch + 1, epochs_);
}

bool Progress::wants_update() const { return verbose_ == Verbose::bar && Clock::now() - last_ > redraw_interval; }

void Progress::update(int done, const Logs& logs) {
  last_ = Clock::now();
  fmt::print(out_, "\r\x1b[K{}", progress_line(done, steps_, elapsed(), logs, width_ - 1));
  std::fflush(out_);
}

void Progress::end_epoch(const Logs& logs) {
  if (verbose_ == Verbose::bar) {
    fmt::print(out_, "\r\x1b[K{}\n", progress_line(steps_, steps_, elapsed(), logs, width_));
  } else if (verbose_ == Verbose::lines) {
    fmt::print(out_, "Epoch {}/{} - {} - {}\n", epoch_ + 1, epochs_, duration(elapsed()), logs.str());
  }
  std::fflush(out_);
}

}  // namespace xgrad::nn
