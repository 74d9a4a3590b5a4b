// The progress of a fit on the screen: a bar with the time left on a terminal, one line an epoch elsewhere.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include <xgrad/nn/training/history.hpp>

namespace xgrad::nn {

enum class Verbose {
  automatic,  // a bar on a terminal, otherwise lines
  silent,
  bar,
  lines,
};

// For instance "  128/469 [=======>......................] - ETA: 2s - loss: 0.4321"; without the bar's right half and
// the time left once done, then with the time taken. Cut to `width` columns.
std::string progress_line(int done, int total, double seconds, const Logs& logs, int width);
// Such as "850us", "12ms", "1.5s", "2:03".
std::string duration(double seconds);

class Progress {
 public:
  Progress(Verbose verbose, int epochs, int steps, std::FILE* out = stdout);

  void begin_epoch(int epoch);  // from 0
  // Whether the next update would draw anything: so that the numbers need not be gathered for nothing.
  bool wants_update() const;
  void update(int done, const Logs& logs);
  void end_epoch(const Logs& logs);

 private:
  using Clock = std::chrono::steady_clock;
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  Verbose verbose_;
  int epochs_, steps_;
  std::FILE* out_;
  int width_ = 80;
  int epoch_ = 0;
  Clock::time_point start_, last_;
};

}  // namespace xgrad::nn
