#include <xgrad/graph/tensor.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include <fmt/format.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/base/internal/sizes.hpp>

namespace xgrad::inline v0 {
namespace {

// Large arrays use huge pages: a pass over them then takes a half to two thirds of the time, since the hardware
// prefetcher stops at page boundaries and the TLB needs 512 times fewer entries.
constexpr std::size_t huge_page = std::size_t{2} << 20;

// Calls `f` with a typed pointer to the elements.
template <class F>
void with_elements(DType dtype, const void* data, F f) {
  with_dtype(dtype, [&](auto zero) { f(static_cast<const decltype(zero)*>(data)); });
}

}  // namespace

std::shared_ptr<void> allocate_aligned(std::size_t bytes, const char* where) {
  constexpr std::size_t line = 64;
  const std::size_t rounded = std::max(line, round_up_size(where, bytes, line));
  const bool large = bytes >= 2 * huge_page;
  void* memory = nullptr;
  // Not std::aligned_alloc, which may fail for sizes that are not a multiple of the alignment.
  if (posix_memalign(&memory, large ? huge_page : line, rounded) != 0)
    throw OutOfMemoryError(fmt::format("{}: out of memory for {} bytes", where, rounded));
#ifdef __linux__
  if (large) madvise(memory, rounded, MADV_HUGEPAGE);  // no effect without huge pages
#endif
  return {memory, [](void* p) { std::free(p); }};
}

Tensor::Tensor(Shape shape, DType dtype) : type_{dtype, shape}, storage_(allocate_aligned(type_.bytes(), "tensor")) {
  data_ = storage_.get();
  std::memset(storage_.get(), 0, type_.bytes());
}

Tensor Tensor::full(Shape shape, double value, DType dtype) {
  Tensor out(shape, dtype);
  const Tensor source = Tensor(value).cast(dtype);
  auto* to = static_cast<char*>(out.mutable_raw());
  for (Index i = 0; i < shape.elements(); ++i) {
    std::memcpy(to + static_cast<std::size_t>(i) * size_of(dtype), source.raw(), size_of(dtype));
  }
  return out;
}

Tensor Tensor::borrow(const void* data, TensorType type) {
  static const double placeholder = 0;  // an empty array may come with a null pointer, which would mean empty()
  Tensor out;
  out.type_ = type;
  out.data_ = data != nullptr || type.bytes() > 0 ? data : &placeholder;
  if (out.data_ == nullptr) throw ValueError(fmt::format("tensor: null data for {}", type.str()));
  return out;
}

void* Tensor::mutable_raw() {
  if (!storage_ || storage_.use_count() > 1) *this = clone();
  return storage_ == nullptr ? nullptr : const_cast<void*>(data_);
}

void Tensor::require_dtype(DType expected) const {
  if (dtype() != expected) {
    throw DTypeError(fmt::format("tensor: the dtype is {}, not {}", name_of(dtype()), name_of(expected)));
  }
}

void Tensor::require_rank(std::size_t expected) const {
  if (empty()) throw ShapeError("tensor: it is empty (default-constructed)");
  if (static_cast<std::size_t>(shape().rank()) != expected) {
    throw ShapeError(fmt::format("tensor: {} does not fit an array of {} axes", type_.str(), expected));
  }
}

double Tensor::item() const {
  if (elements() != 1) {
    throw ShapeError(fmt::format("item: expected a tensor of one element, got {}", type_.str()));
  }
  return at(0);
}

double Tensor::at(Index flat) const {
  if (flat < 0 || flat >= elements()) {
    throw ShapeError(fmt::format("at: position {} is outside a tensor of {} elements", flat, elements()));
  }
  double out = 0;
  with_elements(dtype(), data_, [&](const auto* p) { out = static_cast<double>(p[flat]); });
  return out;
}

double Tensor::at(std::initializer_list<Index> position) const {
  require_rank(position.size());
  Index flat = 0;
  int axis = 0;
  for (const Index given : position) {
    const Index extent = shape()[axis], i = given < 0 ? given + extent : given;
    if (i < 0 || i >= extent)
      throw ShapeError(fmt::format("at: position {} is outside axis {} of {}", given, axis, type_.str()));
    flat = flat * extent + i;
    ++axis;
  }
  return at(flat);
}

void Tensor::require_row(std::size_t first, std::size_t row) {
  if (row != first) throw ShapeError(fmt::format("from: a row has {} elements, but the first row has {}", row, first));
}

Tensor Tensor::cast(DType dtype) const {
  if (empty() || dtype == type_.dtype) return *this;
  Tensor out(shape(), dtype);
  with_elements(type_.dtype, data_, [&](const auto* in) {
    with_elements(dtype, out.mutable_raw(), [&](const auto* typed) {
      using T = std::remove_const_t<std::remove_pointer_t<decltype(typed)>>;
      T* to = const_cast<T*>(typed);
      for (Index i = 0; i < elements(); ++i) {
        if constexpr (std::is_same_v<T, std::int64_t> && std::is_floating_point_v<std::remove_cvref_t<decltype(*in)>>) {
          // The C++ conversion is undefined outside the range of i64: map NaN to 0 and saturate the rest.
          const auto x = static_cast<double>(in[i]);
          to[i] = !(x == x) ? 0 : x >= 0x1p63 ? INT64_MAX : x < -0x1p63 ? INT64_MIN : static_cast<std::int64_t>(x);
        } else {
          to[i] = static_cast<T>(in[i]);
        }
      }
    });
  });
  return out;
}

Tensor Tensor::reshaped(Shape shape) const {
  if (empty() || shape.elements() != elements()) {
    throw ShapeError(
        fmt::format("reshape: {} does not hold the {} elements of {}", shape.str(), elements(), type_.str()));
  }
  Tensor out = *this;
  out.type_.shape = shape;
  return out;
}

Tensor Tensor::rows(Index first, Index count) const {
  if (empty() || shape().rank() == 0 || first < 0 || count < 0 || count > shape()[0] - first) {
    throw ShapeError(
        fmt::format("rows: {} rows from {} on are not in {}", count, first, empty() ? "no tensor" : type_.str()));
  }
  Tensor out = *this;
  out.type_.shape.set(0, count);
  const Index row = shape()[0] == 0 ? 0 : elements() / shape()[0];
  out.data_ = static_cast<const char*>(data_) + static_cast<std::size_t>(first * row) * size_of(dtype());
  return out;
}

Tensor Tensor::clone() const {
  if (empty()) return {};
  Tensor out;
  out.type_ = type_;
  out.storage_ = allocate_aligned(bytes(), "tensor");
  out.data_ = out.storage_.get();
  std::memcpy(out.storage_.get(), data_, bytes());
  return out;
}

void Tensor::assign(const Tensor& source) {
  if (source.type() != type_) {
    throw ShapeError(fmt::format("assign: cannot copy {} into {}", source.type().str(), type_.str()));
  }
  std::memmove(mutable_raw(), source.raw(), bytes());
}

std::string Tensor::str(Index max_elements) const {
  if (empty()) return "(no tensor)";
  if (elements() > max_elements) return fmt::format("{} ({} elements)", type_.str(), elements());
  std::string out;
  const int rank = shape().rank();
  const auto strides = shape().strides();
  for (Index i = 0; i < elements(); ++i) {
    for (int axis = 0; axis < rank; ++axis) {
      const Index inner = strides[static_cast<std::size_t>(axis)] * shape()[axis];
      if (i % inner == 0) out += '[';
    }
    out += dtype() == i64 ? fmt::format("{}", values<std::int64_t>()[static_cast<std::size_t>(i)]) : number_text(at(i));
    int closed = 0;
    for (int axis = 0; axis < rank; ++axis) {
      const Index inner = strides[static_cast<std::size_t>(axis)] * shape()[axis];
      if ((i + 1) % inner == 0) ++closed;
    }
    out.append(static_cast<std::size_t>(closed), ']');
    if (i + 1 < elements())
      out += closed > 0 ? ",\n" + std::string(static_cast<std::size_t>(rank - closed), ' ') : ", ";
  }
  return elements() == 0 ? type_.str() : out;
}

bool bitwise_equal(const Tensor& a, const Tensor& b) {
  return a.type_ == b.type_ && a.empty() == b.empty() &&
         (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

}  // namespace xgrad::inline v0
