// The pass of family.hpp that is compiled once per instruction set: block kernels from functors.
#pragma once

#include <array>
#include <utility>

#ifndef XGRAD_ISA
#error "family_kernels.hpp belongs to the passes per instruction set; include family.hpp"
#endif

namespace xgrad::inline v0 {
namespace {

// An input of a block kernel: contiguous elements, or a scalar. To avoid a branch in the loop, a scalar is copied to a
// buffer that is as long as one iteration reads, and positions are masked to 0.
template <class T, Index vectors>
class BlockInput {
 public:
  using Batch = simd::Batch<T>;
  BlockInput(const void* data, bool scalar) : data_(static_cast<const T*>(data)), mask_(scalar ? 0 : -1) {
    if (!scalar) return;
    const Batch all(*data_);
    for (Index v = 0; v < vectors; ++v) simd::store(splat_ + v * simd::width<T>, all);
    data_ = splat_;
  }
  BlockInput(const BlockInput&) = delete;  // data_ may point to splat_
  BlockInput& operator=(const BlockInput&) = delete;
  const T* at(Index i) const { return data_ + (i & mask_); }
  static Batch load(const T* p) { return simd::load(p); }
  static Batch load_partial(const T* p, Index count) { return simd::load_partial(p, count); }

 private:
  const T* data_;
  Index mask_;
  T splat_[static_cast<std::size_t>(vectors * simd::width<T>)];
};

// A scalar input in all lanes of a register, which saves loads: they limit the speed of cheap operations.
template <class T>
class SplatInput {
  using Batch = simd::Batch<T>;

 public:
  explicit SplatInput(const void* data) : all_(*static_cast<const T*>(data)) {}
  static Index at(Index /*i*/) { return 0; }
  Batch load(Index /*at*/) const { return all_; }
  Batch load_partial(Index /*at*/, Index /*count*/) const { return all_; }

 private:
  Batch all_;
};

// BlockInput for booleans, one byte each.
template <class T, Index vectors>
class MaskInput {
 public:
  MaskInput(const void* data, bool scalar) : data_(static_cast<const std::uint8_t*>(data)), mask_(scalar ? 0 : -1) {
    if (!scalar) return;
    std::memset(splat_, *data_, sizeof splat_);
    data_ = splat_;
  }
  MaskInput(const MaskInput&) = delete;
  MaskInput& operator=(const MaskInput&) = delete;
  const std::uint8_t* at(Index i) const { return data_ + (i & mask_); }
  static auto load(const std::uint8_t* p) { return simd::load_mask<T>(p); }
  static auto load_partial(const std::uint8_t* p, Index count) {
    std::uint8_t bytes[simd::Batch<T>::size] = {};
    std::memcpy(bytes, p, static_cast<std::size_t>(count));
    return simd::load_mask<T>(bytes);
  }

 private:
  const std::uint8_t* data_;
  Index mask_;
  std::uint8_t splat_[static_cast<std::size_t>(vectors * simd::width<T>)];
};

template <class T, class V>
void put(void* out, Index i, V value) {
  if constexpr (std::is_same_v<V, simd::Batch<T>>)
    simd::store(static_cast<T*>(out) + i, value);
  else
    simd::store_mask<T>(static_cast<std::uint8_t*>(out) + i, value);
}
template <class T, class V>
void put_partial(void* out, Index i, V value, Index count) {
  if constexpr (std::is_same_v<V, simd::Batch<T>>) {
    simd::store_partial(static_cast<T*>(out) + i, value, count);
  } else {
    std::uint8_t bytes[simd::Batch<T>::size];
    simd::store_mask<T>(bytes, value);
    std::memcpy(static_cast<std::uint8_t*>(out) + i, bytes, static_cast<std::size_t>(count));
  }
}

// Computes all results of an iteration before it stores the first, so that stores do not delay loads.
template <class Op, class T, std::size_t... vector>
[[gnu::always_inline]] inline void vector_round(void* out, Index i, std::index_sequence<vector...>,
                                                const auto&... operands) {
  // Not [[gnu::always_inline]], which clang applies to the lambda's type here.
  const auto one = [&](Index offset) __attribute__((always_inline)) {
    return Op::forward(operands.load(operands.at(i) + offset)...);
  };
  using Result = decltype(one(0));
  const Result results[] = {one(static_cast<Index>(vector) * simd::width<T>)...};
  (put<T>(out, i + static_cast<Index>(vector) * simd::width<T>, results[vector]), ...);
}

// The remainder uses the same vector code as the loop, so that results do not depend on the position in a block.
template <class Op, class T>
void vector_loop(Index n, void* out, const auto&... operands) {
  constexpr Index width = simd::width<T>;
  Index i = 0;
  if constexpr (Op::vectors > 1) {
    for (; i + Op::vectors * width <= n; i += Op::vectors * width) {
      vector_round<Op, T>(out, i, std::make_index_sequence<static_cast<std::size_t>(Op::vectors)>(), operands...);
    }
  }
  for (; i + width <= n; i += width) put<T>(out, i, Op::forward(operands.load(operands.at(i))...));
  if (i < n) put_partial<T>(out, i, Op::forward(operands.load_partial(operands.at(i), n - i)...), n - i);
}

template <class Op, class T>
void vector_block(Index n, const void* const* in, const bool* scalar, void* out) {
  using First = std::conditional_t<Op::mask_first_input, MaskInput<T, Op::vectors>, BlockInput<T, Op::vectors>>;
  using Other = BlockInput<T, Op::vectors>;
  const First a(in[0], scalar[0]);
  if constexpr (Op::arity == 1) {
    vector_loop<Op, T>(n, out, a);
  } else {
    if constexpr (Op::vectors >= 4 && Op::arity <= 3) {
      if (scalar[1] && scalar[Op::arity - 1]) {
        const SplatInput<T> number(in[1]);
        if constexpr (Op::arity == 2)
          vector_loop<Op, T>(n, out, a, number);
        else
          vector_loop<Op, T>(n, out, a, number, SplatInput<T>(in[2]));
        return;
      }
    }
    const Other b(in[1], scalar[1]);
    if constexpr (Op::arity == 2) {
      vector_loop<Op, T>(n, out, a, b);
    } else {
      const Other c(in[2], scalar[2]);
      if constexpr (Op::arity == 3) {
        vector_loop<Op, T>(n, out, a, b, c);
      } else {
        const Other d(in[3], scalar[3]);
        vector_loop<Op, T>(n, out, a, b, c, d);
      }
    }
  }
}

template <class Op>
constexpr BlockKernels block_kernels() {
  BlockKernels out{};
  if constexpr (Op::dtypes::floating) {
    out[static_cast<int>(DType::f32)] = vector_block<Op, float>;
    out[static_cast<int>(DType::f64)] = vector_block<Op, double>;
  }
  if constexpr (Op::dtypes::integer) out[static_cast<int>(DType::i64)] = scalar_block<Op, std::int64_t>;
  if constexpr (Op::dtypes::boolean) out[static_cast<int>(DType::boolean)] = scalar_block<Op, bool>;
  return out;
}

// The kernels of the operations of some lists, one after the other.
template <class... Lists>
struct BlockTable;
template <class... All>
struct BlockTable<Pairs<All...>> {
  static constexpr BlockKernels blocks[] = {block_kernels<All>()...};
};
template <class... Some, class... More, class... Lists>
struct BlockTable<Pairs<Some...>, Pairs<More...>, Lists...> : BlockTable<Pairs<Some..., More...>, Lists...> {};

}  // namespace
}  // namespace xgrad::inline v0

#define XGRAD_EXPORT_BLOCKS(family, ...)                     \
  namespace XGRAD_ISA {                                      \
  extern const BlockKernels* const family##_blocks;          \
  const BlockKernels* const family##_blocks = (__VA_ARGS__); \
  }
#define XGRAD_PAIRS(family, ...) XGRAD_EXPORT_BLOCKS(family##_pair, BlockTable<__VA_ARGS__>::blocks)
#define XGRAD_FAMILY(family, ...) XGRAD_EXPORT_BLOCKS(family, BlockTable<Pairs<__VA_ARGS__>>::blocks)
