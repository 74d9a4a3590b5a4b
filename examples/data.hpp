// The data of the examples: in the folder that was asked for, or below $XGRAD_DATA, or in ../shared/data beside the
// sources, or drawn by the library.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <xgrad/xgrad.hpp>

namespace example_data {

inline std::optional<std::filesystem::path> find(std::string_view name) {
  return xgrad::nn::find_data(name, XGRAD_SHARED_DATA);
}

struct Digits {
  xgrad::nn::Dataset train, valid;
  std::string source;  // the folder, or "synthetic"
  std::string hint;    // for one who did not ask for synthetic digits and got them
};

constexpr const char* digits_help =
    "a folder with MNIST's four files, or \"synthetic\"; default: $XGRAD_DATA, ../shared/data, synthetic";

// MNIST, x f32 [n, 784], y i64 [n], if it is there; otherwise so many digits drawn from the seed. Throws what
// load_mnist throws.
inline Digits digits(const std::string& folder, xgrad::Index train, xgrad::Index valid, std::uint64_t seed) {
  namespace nn = xgrad::nn;
  const auto found = folder.empty() ? find("mnist") : std::filesystem::path(folder);
  if (!found || folder == "synthetic") {
    const nn::Dataset all = nn::make_digits(train + valid, seed);
    return {all.slice(0, train), all.slice(train, valid), "synthetic",
            found ? "" : " (there is no MNIST in $XGRAD_DATA or ../shared/data; give --data DIR)"};
  }
  const nn::ImageDataset mnist = nn::load_mnist(*found);
  return {mnist.train, mnist.test, found->string(), ""};
}

}  // namespace example_data
