// Converts floating-point numbers of 8 and 16 bits to f32, which represents all of them exactly.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace xgrad::inline v0::nn {

// Converts IEEE 754 binary16: 5 bits of exponent, 10 of fraction.
inline float float_from_half(std::uint16_t h) {
  const std::uint32_t sign = (h & 0x8000U) << 16U;
  const std::uint32_t exponent = (h >> 10U) & 0x1FU;
  const std::uint32_t fraction = h & 0x3FFU;
  if (exponent == 0)
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(static_cast<float>(fraction) * 0x1p-24F));
  return std::bit_cast<float>(sign | (exponent == 31 ? 0x7F800000U : (exponent + 112) << 23U) | (fraction << 13U));
}

// Converts bfloat16, the upper half of an f32.
inline float float_from_bfloat16(std::uint16_t b) { return std::bit_cast<float>(std::uint32_t{b} << 16U); }

// Converts the formats of "FP8 formats for deep learning" (Micikevicius et al., 2022). E5M2 is the upper half of
// binary16. E4M3 has a bias of 7 and no infinity; it is NaN if all bits except the sign are 1.
inline float float_from_e5m2(std::uint8_t b) { return float_from_half(static_cast<std::uint16_t>(b << 8U)); }
inline float float_from_e4m3(std::uint8_t b) {
  const std::uint32_t sign = (b & 0x80U) << 24U, exponent = (b >> 3U) & 0xFU, fraction = b & 7U;
  if ((b & 0x7FU) == 0x7FU) return std::numeric_limits<float>::quiet_NaN();
  if (exponent == 0)
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(static_cast<float>(fraction) * 0x1p-9F));
  return std::bit_cast<float>(sign | (exponent + 120) << 23U | fraction << 20U);
}

}  // namespace xgrad::inline v0::nn
