// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw ("Parallel random numbers: as easy as 1,
// 2, 3", 2011): ten rounds map a counter of four words and a key of two words to four random words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace xgrad::inline v0 {

struct Philox {
  using Words = std::array<std::uint32_t, 4>;

  // Replaces counters by random words: x[w][i] is word w of counter i. The compiler vectorizes the inner loop.
  template <std::size_t lanes>
  static constexpr void generate(std::uint32_t (&x)[4][lanes], std::uint32_t key0, std::uint32_t key1) {
    for (int round = 0; round < 10; ++round) {
      for (std::size_t i = 0; i < lanes; ++i) {
        const std::uint64_t a = std::uint64_t{0xD2511F53} * x[0][i];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57} * x[2][i];
        x[0][i] = static_cast<std::uint32_t>(b >> 32) ^ x[1][i] ^ key0;
        x[1][i] = static_cast<std::uint32_t>(b);
        x[2][i] = static_cast<std::uint32_t>(a >> 32) ^ x[3][i] ^ key1;
        x[3][i] = static_cast<std::uint32_t>(a);
      }
      key0 += 0x9E3779B9;  // the golden ratio
      key1 += 0xBB67AE85;  // sqrt(3) - 1
    }
  }
  static constexpr Words generate(const Words& counter, std::uint32_t key0, std::uint32_t key1) {
    std::uint32_t x[4][1] = {{counter[0]}, {counter[1]}, {counter[2]}, {counter[3]}};
    generate(x, key0, key1);
    return {x[0][0], x[1][0], x[2][0], x[3][0]};
  }
};

}  // namespace xgrad::inline v0
