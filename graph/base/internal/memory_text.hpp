// Bytes and counts as a person says them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace xgrad::inline v0 {

// Such as "12 bytes", "217.0 KiB" or "1.5 MiB".
std::string memory_text(std::size_t bytes);
// Such as "12,345".
std::string thousands(std::uint64_t n);

}  // namespace xgrad::inline v0
