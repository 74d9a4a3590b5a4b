// Reader and writer of safetensors files: named tensors with metadata.
//
//   nn::save_safetensors("net.safetensors", {.tensors = {{"w", w}, {"b", b}}, .metadata = {{"author", "me"}}});
//   Tensor w = nn::load_safetensors("net.safetensors").tensors.at("w");
//
// The format is that of github.com/huggingface/safetensors. Lengths and offsets are validated before they are used.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// Tensors by name, as files store them.
using NamedTensors = std::map<std::string, Tensor>;

// The content of a safetensors file.
struct TensorFile {
  NamedTensors tensors{};
  std::map<std::string, std::string> metadata{};
  // Names and reasons of tensors that could not be read: unsupported type, more than 8 axes, integers beyond i64.
  // Ignored by save_safetensors.
  std::map<std::string, std::string> unreadable{};
};

// Loads a file. F32, F64, I64 and BOOL keep their type; F16, BF16, F8_E5M2 and F8_E4M3 become f32; U8, I8, I16, U16,
// I32, U32 and U64 become i64. Tensors of other types are listed in `unreadable`. Accepts the files that the reference
// reader accepts, except those with duplicate names. Throws EnvironmentError if the file does not exist, FormatError
// with file and tensor if it is damaged or of another format.
TensorFile load_safetensors(const std::filesystem::path& path);

// Writes the file atomically, by renaming a temporary file: after a crash `path` is the old or the new file. Throws
// EnvironmentError if it cannot be written, UserError for an empty tensor or a name that is not UTF-8.
void save_safetensors(const std::filesystem::path& path, const TensorFile& file);

}  // namespace xgrad::inline v0::nn
