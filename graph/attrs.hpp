// Attrs: the static attributes of a node.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <xgrad/graph/dtype.hpp>

namespace xgrad::inline v0 {

class Tensor;

// An object that a custom operation holds as an attribute. Two are equal only if they are the same object.
struct Opaque {
  std::string name;  // printed
  std::shared_ptr<const void> object;
  friend bool operator==(const Opaque& a, const Opaque& b) { return a.object == b.object; }
};

// The value of an attribute. The list of types is closed, so that every attribute can be compared, hashed and printed.
using Attr = std::variant<bool, std::int64_t, double, DType, std::vector<Index>, std::string, Opaque>;

// Attributes by name, such as axes or a permutation, in the order in which they were set. Nodes with equal operation,
// inputs and attributes are one node.
//
//   Attrs a{{"axes", std::vector<Index>{0, 1}}, {"keepdims", true}};
//   a.ints("axes");  a.flag("keepdims");  a.str() == "axes=[0, 1] keepdims=true";
class Attrs {
 public:
  using Item = std::pair<std::string, Attr>;

  Attrs() = default;
  Attrs(std::initializer_list<Item> items) : items_(items) {}

  bool has(std::string_view name) const { return find(name) != nullptr; }
  // The attribute of that name. Throws UserError, with the name, if it is missing or has another type.
  bool flag(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  DType dtype(std::string_view name) const;
  const std::vector<Index>& ints(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  const Opaque& opaque(std::string_view name) const;

  // Adds the attribute or replaces its value.
  void set(std::string name, Attr value);

  const std::vector<Item>& items() const { return items_; }
  bool empty() const { return items_.empty(); }
  std::string str() const;
  std::size_t hash() const;
  // Floating-point values compare by their bits: NaN equals itself, -0 differs from 0.
  friend bool operator==(const Attrs& a, const Attrs& b);

 private:
  const Attr* find(std::string_view name) const;
  template <class T>
  const T& get(std::string_view name) const;

  std::vector<Item> items_;
};

}  // namespace xgrad::inline v0
