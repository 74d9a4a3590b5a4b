// Data of the examples: from a given folder, $XGRAD_DATA or ../shared/data next to the sources, otherwise synthetic.
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
  std::string hint;    // set if synthetic digits were used without being requested
};

constexpr const char* digits_help =
    "a folder with MNIST's four files, or \"synthetic\"; default: $XGRAD_DATA, ../shared/data, synthetic";

// Loads MNIST, x f32 [n, 784], y i64 [n], if found; otherwise generates synthetic digits by the seed. Throws as
// load_mnist.
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
