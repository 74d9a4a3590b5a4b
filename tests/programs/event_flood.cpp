// Writes events until it is killed, and counts the written ones in shared memory.
//
//   xgrad_event_flood FOLDER ACKNOWLEDGED
//
// The events have the steps 0, 1, 2 ..., continuing after those in the folder. ACKNOWLEDGED is a file of eight bytes:
// the number of events written so far.
#include <cstdint>
#include <cstdio>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>

#include <xgrad/xgrad.hpp>

namespace nn = xgrad::nn;

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int file = ::open(argv[2], O_RDWR);
  void* memory = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) return 3;
  auto* acknowledged = static_cast<volatile std::int64_t*>(memory);
  try {
    nn::EventWriter events(argv[1]);
    std::int64_t step = 0;
    for (const auto& [tag, points] : nn::load_run(argv[1]).scalars) step = std::max(step, points.back().step + 1);
    for (const auto& [tag, other] : nn::load_run(argv[1]).others) step = std::max(step, other.last_step + 1);
    // Small events, and large ones that take a while to write.
    const std::string large(1 << 20, 'x');
    for (; step < 1000000; ++step) {
      if (step % 4 == 0)
        events.text("large", large, step);
      else
        events.scalar("small", static_cast<double>(step), step);
      *acknowledged = step + 1;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "event_flood: %s\n", error.what());
    return 1;
  }
  return 0;
}
