// Writes two runs with known values, and a damaged one.
//
//   xgrad_event_sample FOLDER
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <xgrad/xgrad.hpp>

namespace nn = xgrad::nn;
namespace fs = std::filesystem;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const fs::path folder = argv[1];
  try {
    for (const int run : {1, 2}) {
      nn::EventWriter events(folder / "good" / (run == 1 ? "first" : "second"));
      for (int step = 0; step < 101; ++step) {
        events.scalar("epoch_loss", 100.0 / (step + run), step);
        if (run == 1) events.scalar("epoch_accuracy", step == 40 ? 0.99 : 0.01 * step / 2, step);
      }
      events.scalar("epoch_learning_rate", 0.001, 3);
      // A name with terminal control characters and a path out of the output folder.
      if (run == 2) events.image("../\x1B[31mred", xgrad::Tensor({4, 5}), 7);
      if (run == 2) events.image("..+\x1B[31mred", xgrad::Tensor({4, 5}), 7);
    }
    nn::EventWriter longest(folder / "long");
    longest.scalar(std::string(100000, 'a') + "x", 1, 1);
    longest.image(std::string(100000, 'i'), xgrad::Tensor({1, 1}), 1);
    fs::path damaged;
    {
      nn::EventWriter events(folder / "bad/run");
      events.scalar("loss", 1, 1);
      events.scalar("loss", 2, 2);
      damaged = events.path();
    }
    std::fstream file(damaged, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('?');
  } catch (const std::exception& error) {
    std::fprintf(stderr, "event_sample: %s\n", error.what());
    return 1;
  }
  return 0;
}
