// The progress of a fit on the screen: a bar with the time left on a terminal, one line an epoch elsewhere.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include <xgrad/nn/training/history.hpp>

namespace xgrad::inline v0::nn {

enum class Verbose {
  automatic,  // a bar on a terminal, otherwise lines
  silent,
  bar,
  lines,
};

// For instance "  128/469 [=======>......................] - ETA: 2s - loss: 0.4321"; without the time left once done,
// then with the time taken. Where this does not fit `width` columns the bar is shorter or left out, and what still does
// not fit is cut; only the line of an epoch that has ended keeps its numbers, since it stays on the screen.
std::string progress_line(int done, int total, double seconds, const Logs& logs, int width, bool ended = false);
// Such as "850us", "12ms", "1.5s", "2:03".
std::string duration(double seconds);

class Progress {
 public:
  Progress(Verbose verbose, int epochs, int steps, std::FILE* out = stdout);

  // From 0; `seconds` were spent on it before, if it is resumed.
  void begin_epoch(int epoch, double seconds = 0);
  // Whether the next update would draw anything: so that the numbers need not be gathered for nothing.
  bool wants_update() const;
  void update(int done, const Logs& logs);
  void end_epoch(int done, const Logs& logs);
  // A line of its own, between epochs.
  void say(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  int width() const;  // of the terminal, as it is now
  void write(const std::string& text);

  Verbose verbose_;
  int epochs_, steps_;
  std::FILE* out_;
  int epoch_ = 0;
  Clock::time_point start_, last_;
};

}  // namespace xgrad::inline v0::nn
