// The pass of family.hpp that is compiled once per instruction set: block kernels from functors.
#pragma once

#ifndef XGRAD_ISA
#error "family_kernels.hpp belongs to the passes per instruction set; include family.hpp"
#endif

namespace xgrad {
namespace {

// One input of a block: consecutive numbers, or one number repeated.
template <class T, bool scalar>
struct BlockInput {
  using Batch = simd::Batch<T>;
  explicit BlockInput(const void* data) : data_(static_cast<const T*>(data)) {
    if constexpr (scalar) splat_ = Batch(*data_);
  }
  Batch load(Index i) const {
    if constexpr (scalar)
      return splat_;
    else
      return simd::load(data_ + i);
  }
  Batch load_partial(Index i, Index count) const {
    if constexpr (scalar)
      return splat_;
    else
      return simd::load_partial(data_ + i, count);
  }

 private:
  const T* data_;
  Batch splat_;
};

template <class T>
struct MaskInput {
  explicit MaskInput(const void* data, bool scalar) : data_(static_cast<const std::uint8_t*>(data)), scalar_(scalar) {}
  auto load(Index i) const { return load_partial(i, static_cast<Index>(simd::Batch<T>::size)); }
  auto load_partial(Index i, Index count) const {
    std::uint8_t bytes[simd::Batch<T>::size] = {};
    if (scalar_)
      std::memset(bytes, *data_, sizeof bytes);
    else
      std::memcpy(bytes, data_ + i, static_cast<std::size_t>(count));
    return simd::load_mask<T>(bytes);
  }

 private:
  const std::uint8_t* data_;
  bool scalar_;
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

// The tail goes through the same vector code as the body, so a number's bits never depend on its place in a block.
template <class Op, class T, class... Inputs>
void vector_loop(Index n, void* out, Inputs... inputs) {
  constexpr Index width = static_cast<Index>(simd::Batch<T>::size);
  Index i = 0;
  for (; i + width <= n; i += width) put<T>(out, i, Op::forward(inputs.load(i)...));
  if (i < n) put_partial<T>(out, i, Op::forward(inputs.load_partial(i, n - i)...), n - i);
}

template <class Op, class T>
void vector_block(Index n, const void* const* in, const bool* scalar, void* out) {
  const auto with_second = [&](auto first) {
    if constexpr (Op::arity == 1) {
      vector_loop<Op, T>(n, out, first);
    } else {
      const auto with_third = [&](auto second) {
        if constexpr (Op::arity == 2)
          vector_loop<Op, T>(n, out, first, second);
        else if (scalar[2])
          vector_loop<Op, T>(n, out, first, second, BlockInput<T, true>(in[2]));
        else
          vector_loop<Op, T>(n, out, first, second, BlockInput<T, false>(in[2]));
      };
      if (scalar[1])
        with_third(BlockInput<T, true>(in[1]));
      else
        with_third(BlockInput<T, false>(in[1]));
    }
  };
  if constexpr (Op::mask_first_input)
    with_second(MaskInput<T>(in[0], scalar[0]));
  else if (scalar[0])
    with_second(BlockInput<T, true>(in[0]));
  else
    with_second(BlockInput<T, false>(in[0]));
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

}  // namespace
}  // namespace xgrad

#define XGRAD_FAMILY(family, ...)                                                  \
  namespace XGRAD_ISA {                                                            \
  template <class... Ops>                                                          \
  struct family##_table {                                                          \
    static constexpr BlockKernels blocks[] = {block_kernels<Ops>()...};            \
  };                                                                               \
  extern const BlockKernels* const family##_blocks;                                \
  const BlockKernels* const family##_blocks = family##_table<__VA_ARGS__>::blocks; \
  }
