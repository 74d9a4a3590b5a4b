// Records: how an event file, as TFRecord files in general, tells one event from the next.
//
//   uint64 length | uint32 check of the length's 8 bytes | data | uint32 check of the data        little-endian
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace xgrad::inline v0::nn::record {

constexpr std::size_t head_bytes = 12;
constexpr std::size_t tail_bytes = 4;

// CRC-32C (Castagnoli), turned and shifted so that the check of data which hold checks is no special number.
std::uint32_t check(std::string_view data);

// The record of the data that stand behind the first `head_bytes` bytes of `framed`, which are overwritten.
void frame(std::string& framed);

// Little-endian numbers.
std::uint32_t read_u32(const char* from);
std::uint64_t read_u64(const char* from);

}  // namespace xgrad::inline v0::nn::record
