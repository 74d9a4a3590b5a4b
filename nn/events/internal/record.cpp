#include <xgrad/nn/events/internal/record.hpp>

#include <boost/crc.hpp>

namespace xgrad::inline v0::nn::record {
namespace {

template <class T>
void write_number(char* to, T number) {
  for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<char>((number >> (8 * i)) & 0xFFU);
}
template <class T>
T read_number(const char* from) {
  T out = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) out |= static_cast<T>(static_cast<unsigned char>(from[i])) << (8 * i);
  return out;
}

}  // namespace

std::uint32_t check(std::string_view data) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(data.data(), data.size());
  const auto sum = static_cast<std::uint32_t>(crc.checksum());
  return ((sum >> 15U) | (sum << 17U)) + 0xA282EAD8U;
}

void frame(std::string& framed) {
  const std::string_view data = std::string_view(framed).substr(head_bytes);
  const std::uint32_t of_data = check(data);
  write_number(framed.data(), static_cast<std::uint64_t>(data.size()));
  write_number(framed.data() + 8, check(std::string_view(framed).substr(0, 8)));
  framed.resize(framed.size() + tail_bytes);
  write_number(framed.data() + framed.size() - tail_bytes, of_data);
}

std::uint32_t read_u32(const char* from) { return read_number<std::uint32_t>(from); }
std::uint64_t read_u64(const char* from) { return read_number<std::uint64_t>(from); }

}  // namespace xgrad::inline v0::nn::record
