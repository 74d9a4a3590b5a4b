// Reader and writer of NumPy files: one array (.npy), or an archive of named arrays (.npz).
//
//   Tensor x = load_npy("x.npy");
//   Arrays mnist = load_npz("mnist.npz", {{"x_train", f32}});
//   Dataset train{mnist["x_train"], mnist["y_train"]};
//   Tensor y = NpzFile("large.npz").read("y");      // one array, without reading the others
//   save_npy("p.npy", model.predict(x));           // numpy.load("p.npy")
//   save_npz("run.npz", {{"p", p}, {"y", y}});     // numpy.load("run.npz")["p"]
//
// The format is that of numpy/lib/format.py, versions 1.0, 2.0 and 3.0. Without a requested dtype, bool becomes bool,
// integers become i64, f16 and f32 become f32, and f64 becomes f64. Both byte orders and both memory orders are read.
// Python objects, text, dates, complex numbers, long double and structured dtypes throw, and so do trailing bytes.
// Memory grows with the bytes read, not with the sizes that the header claims.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// Loads one array. Throws FormatError with file and field if it is not a numeric array or a value does not fit,
// EnvironmentError
// if the file cannot be read, DTypeError for floating-point elements as i64 and numeric elements as bool.
Tensor load_npy(const std::filesystem::path& file, std::optional<DType> dtype = {});
// Saves one array. Throws EnvironmentError if the file cannot be written; an old file is then unchanged.
void save_npy(const std::filesystem::path& file, const Tensor& tensor);

// Named arrays, in the order of the archive.
class Arrays {
 public:
  Arrays() = default;
  // Throws UserError for a duplicate name and for a name that is not a valid path in an archive: path components must
  // not be empty, "." or ".."; backslashes and control characters are invalid.
  Arrays(std::initializer_list<std::pair<std::string, Tensor>> entries);
  void add(std::string name, Tensor tensor);

  // Throws UserError, which lists the valid names, for an unknown name, and FormatError with the reason if load_npz
  // could not read the array.
  const Tensor& operator[](const std::string& name) const;
  bool has(const std::string& name) const;
  std::vector<std::string> names() const;
  std::size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  // Names and reasons of the members that load_npz could not read, in the order of the archive.
  const std::vector<std::pair<std::string, std::string>>& unreadable() const { return unreadable_; }

 private:
  friend Arrays load_npz(const std::filesystem::path& file, const std::map<std::string, DType>& dtypes);

  std::vector<std::pair<std::string, Tensor>> entries_;
  std::unordered_map<std::string, std::size_t> positions_;
  std::vector<std::pair<std::string, std::string>> unreadable_;
};

// An open archive that reads its arrays on request. Not thread-safe.
class NpzFile {
 public:
  // Throws EnvironmentError if the file cannot be opened, FormatError if it is not an archive or is damaged.
  explicit NpzFile(const std::filesystem::path& file);
  ~NpzFile();
  NpzFile(NpzFile&&) noexcept;
  NpzFile& operator=(NpzFile&&) noexcept;

  // Names of all members in the order of the archive, without the suffix ".npy". Of members with equal names the last
  // one counts, as in Python.
  const std::vector<std::string>& names() const;
  bool has(const std::string& name) const;
  // Throws UserError, which lists the valid names, for an unknown name; otherwise as load_npy.
  Tensor read(const std::string& name, std::optional<DType> dtype = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Loads all arrays of an archive, stored or deflated, converted to `dtypes` by name. Damaged members and members that
// are not numeric arrays are listed in Arrays::unreadable. Throws as NpzFile, FormatError if no member can be read, and
// as load_npy for a member named in `dtypes`.
Arrays load_npz(const std::filesystem::path& file, const std::map<std::string, DType>& dtypes = {});
// Writes an uncompressed archive, like numpy.savez. Throws as save_npy.
void save_npz(const std::filesystem::path& file, const Arrays& arrays);

}  // namespace xgrad::inline v0::nn
