// The record format of event files, which is that of TFRecord files.
//
//   uint64 length | uint32 checksum of the length | data | uint32 checksum of the data        little-endian
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace xgrad::inline v0::nn::record {

static_assert(std::endian::native == std::endian::little, "tensors in events are little-endian");

constexpr std::size_t head_bytes = 12;
constexpr std::size_t tail_bytes = 4;

// Masked CRC-32C (Castagnoli) of the data. The checksum is rotated and a constant added, since a plain CRC is weak for
// data that contain CRCs.
std::uint32_t check(std::string_view data);

// Completes a record in place: `framed` holds head_bytes bytes of space, then the data.
void frame(std::string& framed);

// Read little-endian integers.
std::uint32_t read_u32(const char* from);
std::uint64_t read_u64(const char* from);

}  // namespace xgrad::inline v0::nn::record
