#include <xgrad/graph/attrs.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>

namespace xgrad::inline v0 {
namespace {

bool same(const Attr& a, const Attr& b) {
  if (a.index() != b.index()) return false;
  if (const double* x = std::get_if<double>(&a)) {
    return std::bit_cast<std::uint64_t>(*x) == std::bit_cast<std::uint64_t>(std::get<double>(b));
  }
  return a == b;
}

struct Hash {
  std::size_t operator()(bool v) const { return v ? 1 : 2; }
  std::size_t operator()(std::int64_t v) const { return std::hash<std::int64_t>{}(v); }
  std::size_t operator()(double v) const { return std::hash<std::uint64_t>{}(std::bit_cast<std::uint64_t>(v)); }
  std::size_t operator()(DType v) const { return static_cast<std::size_t>(v); }
  std::size_t operator()(const std::vector<Index>& v) const {
    std::size_t h = v.size();
    for (Index i : v) h = h * 1000003 ^ std::hash<Index>{}(i);
    return h;
  }
  std::size_t operator()(const std::string& v) const { return std::hash<std::string>{}(v); }
  std::size_t operator()(const Opaque& v) const { return std::hash<const void*>{}(v.object.get()); }
};

struct Print {
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
  std::string operator()(double v) const { return fmt::format("{}", v); }
  std::string operator()(DType v) const { return name_of(v); }
  std::string operator()(const std::vector<Index>& v) const { return "[" + list_text(v) + "]"; }
  std::string operator()(const std::string& v) const { return v; }
  std::string operator()(const Opaque& v) const { return v.name; }
};

// Names of the types of attributes in messages, by their index in the variant.
constexpr std::array<const char*, std::variant_size_v<Attr>> kinds{
    "a bool", "an integer", "a double", "a dtype", "a list of integers", "a string", "an object"};

}  // namespace

const Attr* Attrs::find(std::string_view name) const {
  for (const Item& item : items_) {
    if (item.first == name) return &item.second;
  }
  return nullptr;
}

template <class T>
const T& Attrs::get(std::string_view name) const {
  const Attr* found = find(name);
  if (found == nullptr) {
    throw UserError(fmt::format("attribute \"{}\" is missing{}{}", name, empty() ? "" : ", the others are ", str()));
  }
  const T* value = std::get_if<T>(found);
  if (value == nullptr) {
    throw UserError(
        fmt::format("attribute \"{}\" is {}, not {}", name, kinds[found->index()], kinds[Attr(T{}).index()]));
  }
  return *value;
}

bool Attrs::flag(std::string_view name) const { return get<bool>(name); }
std::int64_t Attrs::integer(std::string_view name) const { return get<std::int64_t>(name); }
double Attrs::number(std::string_view name) const { return get<double>(name); }
DType Attrs::dtype(std::string_view name) const { return get<DType>(name); }
const std::vector<Index>& Attrs::ints(std::string_view name) const { return get<std::vector<Index>>(name); }
const std::string& Attrs::text(std::string_view name) const { return get<std::string>(name); }
const Opaque& Attrs::opaque(std::string_view name) const { return get<Opaque>(name); }

void Attrs::set(std::string name, Attr value) {
  const auto at = std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.first == name; });
  if (at != items_.end())
    at->second = std::move(value);
  else
    items_.emplace_back(std::move(name), std::move(value));
}

std::string Attrs::str() const {
  std::string out;
  for (const auto& [name, value] : items_) {
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", name, std::visit(Print{}, value));
  }
  return out;
}

std::size_t Attrs::hash() const {
  std::size_t h = items_.size();
  for (const auto& [name, value] : items_) {
    h = h * 1000003 ^ std::hash<std::string>{}(name);
    h = h * 1000003 ^ std::visit(Hash{}, value);
  }
  return h;
}

bool operator==(const Attrs& a, const Attrs& b) {
  return std::equal(a.items_.begin(), a.items_.end(), b.items_.begin(), b.items_.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && same(x.second, y.second); });
}

}  // namespace xgrad::inline v0
