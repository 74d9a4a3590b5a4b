// Element types: two floating types to compute in, an integer type for indices, a boolean type for masks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <type_traits>

#include <xgrad/graph/shape.hpp>

namespace xgrad::inline v0 {

enum class DType : std::uint8_t { f32, f64, i64, boolean };

inline constexpr int dtype_count = 4;
inline constexpr DType f32 = DType::f32;
inline constexpr DType f64 = DType::f64;
inline constexpr DType i64 = DType::i64;
inline constexpr DType boolean = DType::boolean;

constexpr std::size_t size_of(DType t) { return t == DType::f32 ? 4 : t == DType::boolean ? 1 : 8; }
constexpr const char* name_of(DType t) {
  constexpr const char* names[] = {"f32", "f64", "i64", "bool"};
  return names[static_cast<int>(t)];
}
constexpr bool is_floating(DType t) { return t == DType::f32 || t == DType::f64; }
inline std::ostream& operator<<(std::ostream& os, DType t) { return os << name_of(t); }

// The dtype that stores C++ type T without conversion; booleans are stored as one byte, 0 or 1.
template <class T>
concept Element =
    std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, std::int64_t> || std::is_same_v<T, bool>;

template <Element T>
inline constexpr DType dtype_of = std::is_same_v<T, float>    ? DType::f32
                                  : std::is_same_v<T, double> ? DType::f64
                                  : std::is_same_v<T, bool>   ? DType::boolean
                                                              : DType::i64;

// Returns f(zero) for a zero of the C++ type that stores the dtype:
//   with_dtype(t.dtype(), [&](auto zero) { fill(t.mutable_values<decltype(zero)>()); });
// with_number is for dtypes other than bool, with_floating for f32 and f64 alone.
template <class F>
auto with_floating(DType dtype, F f) {
  return dtype == DType::f32 ? f(float{}) : f(double{});
}
template <class F>
auto with_number(DType dtype, F f) {
  return dtype == DType::i64 ? f(std::int64_t{}) : with_floating(dtype, f);
}
template <class F>
auto with_dtype(DType dtype, F f) {
  return dtype == DType::boolean ? f(bool{}) : with_number(dtype, f);
}

// What a node promises about its value before it has one.
struct TensorType {
  DType dtype = DType::f32;
  Shape shape;

  std::size_t bytes() const { return static_cast<std::size_t>(shape.elements()) * size_of(dtype); }
  std::string str() const { return std::string(name_of(dtype)) + shape.str(); }
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

}  // namespace xgrad::inline v0
