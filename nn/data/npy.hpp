// Arrays in the files of NumPy: one array (.npy), or several by name in an archive (.npz).
//
//   Tensor x = load_npy("x.npy");
//   Arrays mnist = load_npz("mnist.npz", {{"x_train", f32}});
//   Dataset train{mnist["x_train"], mnist["y_train"]};
//   Tensor y = NpzFile("large.npz").read("y");      // one array, without reading the others
//   save_npy("p.npy", model.predict(x));           // numpy.load("p.npy")
//   save_npz("run.npz", {{"p", p}, {"y", y}});     // numpy.load("run.npz")["p"]
//
// The format: numpy/lib/format.py, versions 1.0, 2.0 and 3.0. Unless a dtype is asked for, numbers come as the nearest
// that holds them: bool as bool, integers of all sizes as i64, f16 and f32 as f32, f64 as f64; of either byte order,
// row by row or column by column. Python objects, text, dates, complex numbers, long double and records are refused,
// and so is a file with something behind its array. Nothing that a file says about its size is believed before as many
// bytes have been seen.
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

// Throws FormatError naming file and field for what is no array of numbers or does not fit, EnvironmentError if the
// file cannot be read, DTypeError for fractions asked for as i64 and numbers asked for as bool.
Tensor load_npy(const std::filesystem::path& file, std::optional<DType> dtype = {});
// Throws EnvironmentError if the file cannot be written; then what was there is there still.
void save_npy(const std::filesystem::path& file, const Tensor& tensor);

// Arrays by name, in the order of the archive.
class Arrays {
 public:
  Arrays() = default;
  // Throws UserError for a name that is used twice, or that cannot be that of a file in an archive: parts between
  // slashes may not be empty, "." or "..", and backslashes and control characters may not occur.
  Arrays(std::initializer_list<std::pair<std::string, Tensor>> entries);
  void add(std::string name, Tensor tensor);

  // Throws UserError, listing the names there are, if there is none of that name, and FormatError with the reason if
  // load_npz could not read it.
  const Tensor& operator[](const std::string& name) const;
  bool has(const std::string& name) const;
  std::vector<std::string> names() const;
  std::size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  // Members of the archive that are no arrays of numbers or are damaged, and why, in the order of the archive.
  const std::vector<std::pair<std::string, std::string>>& unreadable() const { return unreadable_; }

 private:
  friend Arrays load_npz(const std::filesystem::path& file, const std::map<std::string, DType>& dtypes);

  std::vector<std::pair<std::string, Tensor>> entries_;
  std::unordered_map<std::string, std::size_t> positions_;
  std::vector<std::pair<std::string, std::string>> unreadable_;
};

// An archive that is open, of which arrays are read when they are asked for, by one thread at a time.
class NpzFile {
 public:
  // Throws EnvironmentError if the file cannot be opened, FormatError if it is no archive or is damaged.
  explicit NpzFile(const std::filesystem::path& file);
  ~NpzFile();
  NpzFile(NpzFile&&) noexcept;
  NpzFile& operator=(NpzFile&&) noexcept;

  // All members in the order of the archive, without the ".npy" at their ends. Of members of one name the last counts,
  // as for Python.
  const std::vector<std::string>& names() const;
  bool has(const std::string& name) const;
  // Throws UserError, listing the names there are, if there is none of that name; otherwise as load_npy does.
  Tensor read(const std::string& name, std::optional<DType> dtype = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// All arrays of an archive, stored or deflated; those that `dtypes` names come as it says. Members that are no arrays
// of numbers, such as text and pickles, and damaged ones do not hide the others: see Arrays::unreadable. Throws as
// NpzFile does, FormatError if not one member can be read, and as load_npy for a member that `dtypes` names.
Arrays load_npz(const std::filesystem::path& file, const std::map<std::string, DType>& dtypes = {});
// The archive is stored, as numpy.savez does. Throws as save_npy.
void save_npz(const std::filesystem::path& file, const Arrays& arrays);

}  // namespace xgrad::inline v0::nn
