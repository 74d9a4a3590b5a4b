// Progress: the output of a fit.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include <xgrad/nn/training/history.hpp>

namespace xgrad::inline v0::nn {

// The form of the progress output.
enum class Verbose {
  automatic,  // a bar on a terminal, otherwise lines
  silent,
  bar,
  lines,
};

// The line of a bar, such as "  128/469 [=======>......................] - ETA: 2s - loss: 0.4321". At the end of an
// epoch, elapsed time replaces the ETA. To fit `width` columns, the bar is shortened or omitted, then the text is
// truncated; the line of an ended epoch, which stays on the screen, is never truncated.
std::string progress_line(int done, int total, double seconds, const Logs& logs, int width, bool ended = false);
// Formats a duration, for instance as "850us", "12ms", "1.5s" or "2:03".
std::string duration(double seconds);

// Prints the progress of a fit: a bar with the remaining time on a terminal, otherwise one line per epoch.
class Progress {
 public:
  Progress(Verbose verbose, int epochs, int steps, std::FILE* out = stdout);

  // `epoch` counts from 0; `seconds` is the time already spent on a resumed epoch.
  void begin_epoch(int epoch, double seconds = 0);
  // Whether an update is due, so that callers gather the logs only if they are drawn.
  bool wants_update() const;
  void update(int done, const Logs& logs);
  void end_epoch(int done, const Logs& logs);
  // Prints a line between epochs.
  void say(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  int width() const;  // current number of columns of the terminal
  void write(const std::string& text);

  Verbose verbose_;
  int epochs_, steps_;
  std::FILE* out_;
  int epoch_ = 0;
  Clock::time_point start_, last_;
};

}  // namespace xgrad::inline v0::nn
