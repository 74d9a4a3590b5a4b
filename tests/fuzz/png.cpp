#include <zlib.h>

#include <string>

#include <xgrad/nn/data/image.hpp>

#include "fuzz.hpp"

namespace nn = xgrad::nn;

void fuzz::read(const std::filesystem::path& file) {
  (void)nn::load_png(file, {.channels = 4, .max_pixels = std::uint64_t{1} << 20U});
}

void fuzz::write_seeds(const std::filesystem::path& folder) {
  for (const xgrad::Index channels : {1, 3, 4})
    nn::save_png(folder / std::to_string(channels), xgrad::Tensor::full({3, 5, channels}, 0.25));
}

// One input in eight keeps its wrong checksums.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0) return size;
  // A chunk: data length, four letters, data, CRC of letters and data; all big-endian.
  for (std::size_t at = 8; size >= 12 && at <= size - 12;) {
    const std::size_t length = std::size_t{data[at]} << 24U | std::size_t{data[at + 1]} << 16U |
                               std::size_t{data[at + 2]} << 8U | data[at + 3];
    if (length > size - 12 - at) break;
    const auto check = crc32(0, data + at + 4, static_cast<uInt>(4 + length));
    at += 8 + length;
    for (int i = 0; i < 4; ++i)
      data[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(check >> (24 - 8 * i));
    at += 4;
  }
  return size;
}
