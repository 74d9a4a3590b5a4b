// DType: element types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <type_traits>

#include <xgrad/graph/shape.hpp>

namespace xgrad::inline v0 {

// The element type of a tensor: two floating-point types to compute in, an integer type for indices, a boolean type for
// masks.
enum class DType : std::uint8_t { f32, f64, i64, boolean };

inline constexpr int dtype_count = 4;
inline constexpr DType f32 = DType::f32;
inline constexpr DType f64 = DType::f64;
inline constexpr DType i64 = DType::i64;
inline constexpr DType boolean = DType::boolean;

// Bytes of one element.
constexpr std::size_t size_of(DType t) { return t == DType::f32 ? 4 : t == DType::boolean ? 1 : 8; }
// The name that messages print: "f32", "f64", "i64" or "bool".
constexpr const char* name_of(DType t) {
  constexpr const char* names[] = {"f32", "f64", "i64", "bool"};
  return names[static_cast<int>(t)];
}
// Whether values of this dtype can have a derivative.
constexpr bool is_floating(DType t) { return t == DType::f32 || t == DType::f64; }
// Writes name_of(t).
inline std::ostream& operator<<(std::ostream& os, DType t) { return os << name_of(t); }

// The C++ types that tensors store without conversion. A bool is one byte, 0 or 1.
template <class T>
concept Element =
    std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, std::int64_t> || std::is_same_v<T, bool>;

// The dtype that stores T.
template <Element T>
inline constexpr DType dtype_of = std::is_same_v<T, float>    ? DType::f32
                                  : std::is_same_v<T, double> ? DType::f64
                                  : std::is_same_v<T, bool>   ? DType::boolean
                                                              : DType::i64;

// Like with_dtype, for f32 and f64 only.
template <class F>
auto with_floating(DType dtype, F f) {
  return dtype == DType::f32 ? f(float{}) : f(double{});
}
// Like with_dtype, for dtypes other than bool.
template <class F>
auto with_number(DType dtype, F f) {
  return dtype == DType::i64 ? f(std::int64_t{}) : with_floating(dtype, f);
}
// Returns f(zero) for a zero of the C++ type that stores the dtype.
//
//   with_dtype(t.dtype(), [&](auto zero) { fill(t.mutable_values<decltype(zero)>()); });
template <class F>
auto with_dtype(DType dtype, F f) {
  return dtype == DType::boolean ? f(bool{}) : with_number(dtype, f);
}

// The dtype and shape of a tensor. Every node has one, known before it is computed.
struct TensorType {
  DType dtype = DType::f32;
  Shape shape;

  std::size_t bytes() const { return static_cast<std::size_t>(shape.elements()) * size_of(dtype); }
  std::string str() const { return std::string(name_of(dtype)) + shape.str(); }
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

}  // namespace xgrad::inline v0
