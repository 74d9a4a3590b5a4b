#include <xgrad/nn/events/event_reader.hpp>
#include <xgrad/nn/events/event_writer.hpp>
#include <xgrad/nn/events/internal/record.hpp>

#include "fuzz.hpp"

namespace nn = xgrad::nn;

void fuzz::read(const std::filesystem::path& file) {
  nn::EventReader reader(file);
  while (reader.next()) {}
}

void fuzz::write_seeds(const std::filesystem::path& folder) {
  // A writer chooses its file name, so each file gets a separate folder.
  const auto write = [&](const char* name, const auto& body) {
    std::filesystem::path file;
    {
      nn::EventWriter events(folder / "run");
      body(events);
      file = events.path();
    }
    std::filesystem::rename(file, folder / name);
    std::filesystem::remove(folder / "run");
  };
  write("scalars", [](nn::EventWriter& events) {
    for (int step = 0; step < 3; ++step) events.scalar("loss", 1.0 / (1 + step), step);
  });
  write("others", [](nn::EventWriter& events) {
    events.histogram("weights", xgrad::Tensor::from<float>({4}, {1, 2, 2, 5}), 1);
    events.image("image", xgrad::Tensor({2, 3}), 1);
    events.text("text", "a *few* words", 1);
  });
}

// One input in eight keeps its wrong checksums.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  namespace record = nn::record;
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0) return size;
  auto* text = reinterpret_cast<char*>(data);
  const auto set = [&](std::size_t at, std::uint32_t check) {
    for (int i = 0; i < 4; ++i) text[at + static_cast<std::size_t>(i)] = static_cast<char>(check >> (8 * i));
  };
  for (std::size_t at = 0; size - at >= record::head_bytes + record::tail_bytes;) {
    const std::uint64_t length = record::read_u64(text + at);
    set(at + 8, record::check({text + at, 8}));
    at += record::head_bytes;
    if (length > size - at - record::tail_bytes) break;
    set(at + length, record::check({text + at, length}));
    at += length + record::tail_bytes;
  }
  return size;
}
