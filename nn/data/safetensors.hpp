// Safetensors files: named tensors and a few words about them.
//
//   nn::save_safetensors("net.safetensors", {.tensors = {{"w", w}, {"b", b}}, .metadata = {{"author", "me"}}});
//   Tensor w = nn::load_safetensors("net.safetensors").tensors.at("w");
//
// The format is that of github.com/huggingface/safetensors, which other libraries read and write. A file is not
// trusted: whatever it claims is checked against what there is before it is used.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <xgrad/nn/data/named_tensors.hpp>

namespace xgrad::inline v0::nn {

struct TensorFile {
  NamedTensors tensors{};
  std::map<std::string, std::string> metadata{};
  // Tensors of a file for which there is no Tensor, and why: numbers of a type that is not read, more than 8 axes,
  // integers beyond i64. Not written.
  std::map<std::string, std::string> unreadable{};
};

// F32, F64, I64 and BOOL are read as they are; F16, BF16, F8_E5M2 and F8_E4M3 as f32; U8, I8, I16, U16, I32, U32 and
// U64 as i64; tensors of other types do not hide the others, see `unreadable`. Takes what the format's reference reader
// takes, unknown fields of tensors among it, except names that come twice. Throws EnvironmentError if there is no such
// file, and FormatError, naming file and tensor, for a file that is damaged or of another format.
TensorFile load_safetensors(const std::filesystem::path& path);

// Writes the file whole under another name and renames it: whenever the program stops, `path` is the old file or the
// new one. Throws EnvironmentError if it cannot be written, UserError for an empty tensor or a name that is not UTF-8.
void save_safetensors(const std::filesystem::path& path, const TensorFile& file);

}  // namespace xgrad::inline v0::nn
