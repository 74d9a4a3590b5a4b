// Random numbers as functions of (seed, stream, step, element). Compiled once per instruction set.
//
// Note [Random layout]. Elements come in blocks of `lanes` counters: counter c of block q gives the words of elements
// 4 * lanes * q + c, + lanes, + 2 * lanes, + 3 * lanes. All lanes of a block go through the ten rounds in parallel. The
// layout is part of the result and is the same for every instruction set.
#include <algorithm>
#include <cmath>

#include <xgrad/ops/kernels/kernel_tables.hpp>
#include <xgrad/ops/kernels/simd.hpp>
#include <xgrad/ops/kernels/words.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr int lanes = 16;
constexpr Index block = 4 * lanes;  // elements per block
constexpr Index task_blocks = 1 << 10;

struct Block {
  alignas(64) std::uint32_t words[block];
};

// Philox4x32-10 for `lanes` counters at a time; philox.hpp has the scalar version.
inline void generate(const RandomArgs& args, Index index, Block& out) {
  using simd::Words;
  constexpr int vectors = lanes / Words::size;
  alignas(64) std::uint32_t first[lanes], last[lanes];
  for (int i = 0; i < lanes; ++i) {
    const std::uint64_t counter = static_cast<std::uint64_t>(index) * lanes + static_cast<std::uint64_t>(i);
    first[i] = static_cast<std::uint32_t>(counter);
    last[i] = static_cast<std::uint32_t>(args.step >> 32) ^ static_cast<std::uint32_t>(counter >> 32 << 16);
  }
  Words x0[vectors], x1[vectors], x2[vectors], x3[vectors];
  for (int v = 0; v < vectors; ++v) {
    x0[v] = Words::load(first + v * Words::size);
    x1[v] = Words::all(args.stream);
    x2[v] = Words::all(static_cast<std::uint32_t>(args.step));
    x3[v] = Words::load(last + v * Words::size);
  }
  const Words factor0 = Words::all(0xD2511F53);
  const Words factor2 = Words::all(0xCD9E8D57);
  std::uint32_t key0 = static_cast<std::uint32_t>(args.seed);
  std::uint32_t key1 = static_cast<std::uint32_t>(args.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Words k0 = Words::all(key0);
    const Words k1 = Words::all(key1);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      Words high0, low0, high2, low2;
      Words::multiply(x0[v], factor0, high0, low0);
      Words::multiply(x2[v], factor2, high2, low2);
      x0[v] = high2 ^ x1[v] ^ k0;
      x2[v] = high0 ^ x3[v] ^ k1;
      x1[v] = low2;
      x3[v] = low0;
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  for (int v = 0; v < vectors; ++v) {
    x0[v].store(out.words + v * Words::size);
    x1[v].store(out.words + lanes + v * Words::size);
    x2[v].store(out.words + 2 * lanes + v * Words::size);
    x3[v].store(out.words + 3 * lanes + v * Words::size);
  }
}

// Calls fill(words, out, n) for each block; n < block only for the last. Skips the elements before the first one.
template <class T, class Fill>
void for_each_block(const RandomArgs& args, const Parallel& parallel, Fill fill) {
  const Index skipped = args.first % block;
  T* out = static_cast<T*>(args.out);
  if (skipped > 0) {
    Block random;
    T whole[block];
    const Index n = std::min(block - skipped, args.count);
    generate(args, args.first / block, random);
    fill(random.words, whole, skipped + n);
    std::copy_n(whole + skipped, n, out);
    if (n == args.count) return;
    RandomArgs rest = args;
    rest.out = out + n;
    rest.first += n;
    rest.count -= n;
    return for_each_block<T>(rest, parallel, fill);
  }
  const Index blocks = (args.count + block - 1) / block;
  for_stretches(parallel, blocks, task_blocks, [&](Index first, Index last) {
    Block random;
    for (Index b = first; b < last; ++b) {
      generate(args, args.first / block + b, random);
      fill(random.words, out + b * block, std::min(block, args.count - b * block));
    }
  });
}

// Maps a word to [0, 1): uses its 24 upper bits, for f64 too, so that f32 represents the value exactly.
template <class T>
T to_unit_interval(std::uint32_t word) {
  return static_cast<T>(static_cast<std::int32_t>(word >> 8)) * static_cast<T>(0x1p-24);
}

template <class T>
void uniform(const RandomArgs& args, const Parallel& parallel) {
  const T low = static_cast<T>(args.a);
  const T high = static_cast<T>(args.b);
  const T range = static_cast<T>(args.b - args.a);
  const T largest = low < high ? std::nextafter(high, low) : low;  // low + range * u may round up to high
  for_each_block<T>(args, parallel, [=](const std::uint32_t* words, T* out, Index n) {
    for (Index i = 0; i < n; ++i) out[i] = std::min(low + range * to_unit_interval<T>(words[i]), largest);
  });
}

// Box and Muller (1958): two uniform values give two normal ones. The first half of a block holds radii, the second
// angles. A partial last block is computed in full, so that an element does not depend on their number.
template <class T>
void normal(const RandomArgs& args, const Parallel& parallel) {
  const T mean = static_cast<T>(args.a);
  const T deviation = static_cast<T>(args.b);
  for_each_block<T>(args, parallel, [=](const std::uint32_t* words, T* out, Index n) {
    using B = simd::Batch<T>;
    constexpr Index half = block / 2;
    constexpr Index w = simd::width<T>;
    alignas(64) T result[block];
    for (Index i = 0; i < half; ++i) {
      result[i] = T(1) - to_unit_interval<T>(words[i]);  // in (0, 1], so that the logarithm is finite
      result[half + i] = to_unit_interval<T>(words[half + i]) * static_cast<T>(6.283185307179586);
    }
    for (Index i = 0; i < half; i += w) {
      const B radius = simd::sqrt(B(T(-2)) * simd::log(simd::load(result + i)));
      const B angle = simd::load(result + half + i);
      simd::store(result + i, B(mean) + B(deviation) * (radius * simd::cos(angle)));
      simd::store(result + half + i, B(mean) + B(deviation) * (radius * simd::sin(angle)));
    }
    std::copy_n(result, n, out);
  });
}

// Compares integers instead of reals, so that the result is the same for every dtype.
template <class T>
void bernoulli(const RandomArgs& args, const Parallel& parallel) {
  const auto threshold = static_cast<std::int32_t>(std::min(args.a, 1.0) * 0x1p24);
  for_each_block<T>(args, parallel, [=](const std::uint32_t* words, T* out, Index n) {
    for (Index i = 0; i < n; ++i) out[i] = static_cast<std::int32_t>(words[i] >> 8) < threshold ? T(1) : T(0);
  });
}

}  // namespace

namespace XGRAD_ISA {
const RandomKernels random_kernels = {
    {uniform<float>, uniform<double>, nullptr, nullptr},
    {normal<float>, normal<double>, nullptr, nullptr},
    {bernoulli<float>, bernoulli<double>, nullptr, bernoulli<bool>},
};
}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0
