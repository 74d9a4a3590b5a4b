// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw ("Parallel random numbers: as easy as 1,
// 2, 3", 2011): ten rounds map a counter of four words and a key of two words to four random words.
#pragma once

#include <array>
#include <cstdint>

namespace xgrad::inline v0 {

struct Philox {
  using Words = std::array<std::uint32_t, 4>;

  static constexpr Words generate(Words counter, std::uint32_t key0, std::uint32_t key1) {
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
      const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
      counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(b),
                 static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(a)};
      key0 += 0x9E3779B9;  // the golden ratio
      key1 += 0xBB67AE85;  // sqrt(3) - 1
    }
    return counter;
  }
};

}  // namespace xgrad::inline v0
