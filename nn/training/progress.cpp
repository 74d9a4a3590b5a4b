#include <xgrad/nn/training/progress.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include <xgrad/graph/base/internal/text_width.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr auto redraw_interval = std::chrono::milliseconds(100);
constexpr int bar_width = 30;  // as in Keras
constexpr int min_bar_width = 5;
constexpr int default_width = 80;  // if there is no terminal

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

std::string progress_line(int done, int total, double seconds, const Logs& logs, int width, bool ended) {
  const std::string count = fmt::format("{}", total);
  const std::string begin = fmt::format("{:>{}}/{}", done, count.size(), total);
  const double each = done == 0 ? 0 : seconds / done;
  ended = ended || done >= total;
  std::string end = !ended ? fmt::format(" - ETA: {}", done == 0 ? "?" : duration(each * (total - done)))
                           : fmt::format(" - {} {}/step", duration(seconds), duration(each));
  if (!logs.entries().empty()) end += " - " + without_controls(logs.str());

  const int around = 3 + static_cast<int>(begin.size()) + text_width(end);  // " [" and "]"
  const int bar = std::min(bar_width, width - around);
  std::string out = begin;
  if (bar >= min_bar_width) {
    const auto filled = total == 0 ? bar : static_cast<int>(static_cast<long long>(bar) * done / total);
    out += " [" + std::string(static_cast<std::size_t>(filled), '=');
    if (done < total) out += '>' + std::string(static_cast<std::size_t>(bar - filled - 1), '.');
    out += "]";
  }
  out += end;
  return ended ? out : std::string(cut_to_width(out, width));
}

Progress::Progress(Verbose verbose, int epochs, int steps, std::FILE* out)
    : verbose_(verbose), epochs_(epochs), steps_(steps), out_(out) {
  if (verbose_ == Verbose::automatic) verbose_ = is_terminal(out) ? Verbose::bar : Verbose::lines;
}

// The width is queried at each update, because windows are resized. A line that wraps after shrinking is not erased:
// some terminals truncate lines instead, and moving the cursor up would then erase other output.
int Progress::width() const {
  winsize window{};
  return ioctl(fileno(out_), TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : default_width;
}

// Writes to the terminal. Ignores errors, since a closed terminal must not end training.
void Progress::write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

void Progress::begin_epoch(int epoch, double seconds) {
  epoch_ = epoch;
  last_ = Clock::now();
  start_ = last_ - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  if (verbose_ == Verbose::bar) write(fmt::format("Epoch {}/{}\n", epoch + 1, epochs_));
}

bool Progress::wants_update() const { return verbose_ == Verbose::bar && Clock::now() - last_ > redraw_interval; }

void Progress::update(int done, const Logs& logs) {
  last_ = Clock::now();
  // Keep the last column free: on some terminals the cursor would wrap to the next line.
  write(fmt::format("\r\x1b[K{}", progress_line(done, steps_, elapsed(), logs, width() - 1)));
}

void Progress::end_epoch(int done, const Logs& logs) {
  if (verbose_ == Verbose::bar) {
    write(fmt::format("\r\x1b[K{}\n", progress_line(done, steps_, elapsed(), logs, width() - 1, true)));
  } else if (verbose_ == Verbose::lines) {
    write(
        fmt::format("Epoch {}/{} - {} - {}\n", epoch_ + 1, epochs_, duration(elapsed()), without_controls(logs.str())));
  }
}

void Progress::say(const std::string& line) {
  if (verbose_ != Verbose::silent) write(without_controls(line) + "\n");
}

}  // namespace xgrad::inline v0::nn
