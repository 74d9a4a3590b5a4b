// Tensor: a dense array.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/dtype.hpp>
#include <xgrad/graph/shape.hpp>

namespace xgrad::inline v0 {

// A strided array, such as those of xtensor. Strides count elements.
template <class A>
concept ArrayLike = requires(const A& a) {
  typename A::value_type;
  { a.data() } -> std::convertible_to<const typename A::value_type*>;
  { a.shape().size() } -> std::convertible_to<std::size_t>;
  { a.strides().size() } -> std::convertible_to<std::size_t>;
  { a.size() } -> std::convertible_to<std::size_t>;
}
&&std::is_arithmetic_v<typename A::value_type>;

// An ArrayLike that can be created from a shape, such as xt::xarray.
template <class A>
concept OwningArray = ArrayLike<A> && requires(typename A::shape_type s) {
  { A::from_shape(s) } -> std::convertible_to<A>;
};

// A dense row-major array, 64-byte aligned, with value semantics.
//
//   Tensor t({2, 3});                        // zeros, f32
//   Tensor u = Tensor::from<double>({3}, {1, 2, 3});
//   Tensor v = xt::xarray<float>{{1, 2}};    // any array with shape(), strides(), data() and value_type
//   auto a = u.to<xt::xarray<double>>();
//
// Copies share storage until one of them is written (copy on write). A borrowed Tensor reads memory that it does not
// own and that must outlive it; writing to it copies first. Functions that allocate elements throw OutOfMemoryError.
class Tensor {
  // No type converts to it, so that Tensor({}) selects the constructor for the shape [].
  class NoExtent {
    explicit NoExtent(const NoExtent*);
  };

 public:
  Tensor() = default;  // no elements, no storage: empty() is true
  Tensor(const Tensor&) = default;
  Tensor& operator=(const Tensor&) = default;
  Tensor(Tensor&& other) noexcept { swap(other); }  // leaves `other` empty()
  Tensor& operator=(Tensor&& other) noexcept {
    Tensor taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Tensor() = default;
  // A tensor of zeros, like zeros(). Tensor({3}) has the shape [3] and Tensor({}) the shape []; Tensor(3) and Tensor{3}
  // are the scalar 3.
  explicit Tensor(Shape shape, DType dtype = DType::f32);
  explicit Tensor(std::initializer_list<NoExtent>, DType dtype = DType::f32) : Tensor(Shape{}, dtype) {}
  template <std::size_t N>
  requires(N == 1) explicit Tensor(const Index (&extents)[N], DType dtype = DType::f32)
      : Tensor(Shape{extents[0]}, dtype) {}
  explicit Tensor(TensorType type) : Tensor(type.shape, type.dtype) {}
  // Rank 0; float f32, double f64, integers i64, bool bool.
  template <class T>
  requires std::is_arithmetic_v<T> Tensor(T scalar) : Tensor(Shape{}, dtype_of<Stored<T>>) {
    fill_strided(&scalar, {});
  }
  template <ArrayLike A>
  Tensor(const A& array);  // copies the elements
  template <class T>
  requires std::is_arithmetic_v<T> Tensor(const std::vector<T>& values);  // rank 1, with the dtype of T

  static Tensor zeros(Shape shape, DType dtype = DType::f32) { return Tensor(shape, dtype); }
  static Tensor ones(Shape shape, DType dtype = DType::f32) { return full(shape, 1, dtype); }
  static Tensor full(Shape shape, double value, DType dtype = DType::f32);
  // From nested lists, with the dtype of T: Tensor::from({{1.0, 2.0}, {3.0, 4.0}}) is f64[2, 2]. Throws ShapeError if
  // the rows differ in length.
  template <class T>
  requires std::is_arithmetic_v<T>
  static Tensor from(std::initializer_list<T> values);
  template <class T>
  requires std::is_arithmetic_v<T>
  static Tensor from(std::initializer_list<std::initializer_list<T>> rows);
  template <Element T>
  static Tensor from(Shape shape, std::span<const T> values);  // copies; throws ShapeError unless the counts match
  template <Element T>
  static Tensor from(Shape shape, std::initializer_list<T> values) {
    return from<T>(shape, std::span<const T>(values.begin(), values.size()));
  }
  // Reads `data` in place; the memory must outlive the Tensor and its copies.
  template <Element T>
  static Tensor borrow(const T* data, Shape shape) {
    return borrow(static_cast<const void*>(data), {dtype_of<T>, shape});
  }
  static Tensor borrow(const void* data, TensorType type);
  // Borrows if the array is row-major and its element type is an Element, otherwise copies.
  template <ArrayLike A>
  static Tensor view(const A& array);

  bool empty() const { return data_ == nullptr; }
  const Shape& shape() const { return type_.shape; }
  DType dtype() const { return type_.dtype; }
  const TensorType& type() const { return type_; }
  Index elements() const { return empty() ? 0 : type_.shape.elements(); }
  std::size_t bytes() const { return empty() ? 0 : type_.bytes(); }

  const void* raw() const { return data_; }
  void* mutable_raw();  // copies the elements first if they are shared or borrowed
  // The elements. Throws DTypeError unless T matches the dtype.
  template <Element T>
  std::span<const T> values() const {
    require_dtype(dtype_of<T>);
    return {static_cast<const T*>(data_), static_cast<std::size_t>(elements())};
  }
  template <Element T>
  std::span<T> mutable_values() {
    require_dtype(dtype_of<T>);
    return {static_cast<T*>(mutable_raw()), static_cast<std::size_t>(elements())};
  }

  double item() const;          // the only element; throws ShapeError unless there is exactly one
  double at(Index flat) const;  // the element at a row-major index, converted to double
  // The element at an index per axis, converted to double; negative indices count from the end. t(1, -1) is
  // t.at({1, -1}). Throws ShapeError for another number of indices and for an index out of range.
  double at(std::initializer_list<Index> position) const;
  template <std::integral... I>
  double operator()(I... position) const {
    return at(std::initializer_list<Index>{static_cast<Index>(position)...});
  }
  Tensor cast(DType dtype) const;               // converted copy; to integers truncates toward zero, to bool is != 0
  Tensor reshaped(Shape shape) const;           // shares storage; throws ShapeError unless the counts match
  Tensor rows(Index first, Index count) const;  // shares storage; a range along axis 0
  Tensor clone() const;                         // a copy with its own storage
  // Copies the elements of `source`, which must have this dtype and shape.
  void assign(const Tensor& source);

  // A copy as another array type, such as xt::xarray<double>, with converted elements.
  template <OwningArray A>
  A to() const;  // throws ShapeError if this tensor is empty() or A has another, fixed rank
  template <OwningArray A>
  operator A() const {
    return to<A>();
  }
  // The elements in row-major order, converted.
  template <class T>
  requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) std::vector<T> to_vector()
  const;

  std::string str(Index max_elements = 64) const;
  // Equal dtype, shape and bytes: NaN equals itself and -0 differs from 0.
  friend bool bitwise_equal(const Tensor& a, const Tensor& b);

 private:
  void swap(Tensor& other) noexcept {
    std::swap(type_, other.type_);
    std::swap(data_, other.data_);
    std::swap(storage_, other.storage_);
  }
  void require_dtype(DType expected) const;
  // Throws ShapeError unless a row of a nested list has as many elements as the first one.
  static void require_row(std::size_t first, std::size_t row);
  // Throws ShapeError if this tensor is empty() or has another rank.
  void require_rank(std::size_t expected) const;
  // Copies a strided array into this tensor, converting the elements.
  template <class S>
  void fill_strided(const S* source, std::span<const Index> strides);
  // The Element that holds numbers of type S.
  template <class S>
  using Stored = std::conditional_t<Element<S>, S, std::conditional_t<std::is_integral_v<S>, std::int64_t, double>>;

  TensorType type_{DType::f32, Shape{0}};
  const void* data_ = nullptr;
  std::shared_ptr<void> storage_;  // null for a borrowed tensor
};

// Allocates 64-byte aligned memory, rounded up to whole cache lines and not zeroed; the last copy frees it. Throws
// OutOfMemoryError, beginning with `where`.
std::shared_ptr<void> allocate_aligned(std::size_t bytes, const char* where = "allocate");

// ---- implementation of the templates

template <class T>
requires std::is_arithmetic_v<T> Tensor::Tensor(const std::vector<T>& values)
    : Tensor(Shape{static_cast<Index>(values.size())}, dtype_of<Stored<T>>) {
  if constexpr (std::is_same_v<T, bool>)
    std::copy(values.begin(), values.end(), static_cast<bool*>(mutable_raw()));  // std::vector<bool> packs its elements
  else
    fill_strided(values.data(), std::array<Index, 1>{1});
}

template <class T>
requires std::is_arithmetic_v<T> Tensor Tensor::from(std::initializer_list<T> values) {
  Tensor out(Shape{static_cast<Index>(values.size())}, dtype_of<Stored<T>>);
  out.fill_strided(values.begin(), std::array<Index, 1>{1});
  return out;
}

template <class T>
requires std::is_arithmetic_v<T> Tensor Tensor::from(std::initializer_list<std::initializer_list<T>> rows) {
  std::vector<T> values;
  const std::size_t columns = rows.size() == 0 ? 0 : rows.begin()->size();
  for (const std::initializer_list<T>& row : rows) {
    require_row(columns, row.size());
    values.insert(values.end(), row);
  }
  return Tensor(values).reshaped({static_cast<Index>(rows.size()), static_cast<Index>(columns)});
}

template <Element T>
Tensor Tensor::from(Shape shape, std::span<const T> values) {
  Tensor source = borrow(values.data(), Shape{static_cast<Index>(values.size())});
  return source.reshaped(shape).clone();
}

template <ArrayLike A>
Tensor::Tensor(const A& array) {
  using S = std::remove_const_t<typename A::value_type>;
  std::vector<Index> extents(array.shape().begin(), array.shape().end());
  std::vector<Index> strides(array.strides().begin(), array.strides().end());
  *this = Tensor(Shape(extents), dtype_of<Stored<S>>);
  fill_strided(static_cast<const S*>(array.data()), strides);
}

template <ArrayLike A>
Tensor Tensor::view(const A& array) {
  using S = std::remove_const_t<typename A::value_type>;
  if constexpr (Element<S>) {
    std::vector<Index> extents(array.shape().begin(), array.shape().end());
    const Shape shape(extents);
    const auto dense = shape.strides();
    bool row_major = array.size() > 0;
    int axis = 0;
    for (auto stride : array.strides()) {  // xtensor gives axes of extent 1 the stride 0
      row_major =
          row_major && (shape[axis] == 1 || static_cast<Index>(stride) == dense[static_cast<std::size_t>(axis)]);
      ++axis;
    }
    if (row_major) return borrow<S>(array.data(), shape);
  }
  return Tensor(array);
}

template <class S>
void Tensor::fill_strided(const S* source, std::span<const Index> strides) {
  const Index n = elements();
  const int rank = shape().rank();
  std::array<Index, Shape::max_rank> at{};
  auto fill = [&](auto* out) {
    using T = std::remove_pointer_t<decltype(out)>;
    Index offset = 0;
    for (Index i = 0; i < n; ++i) {
      out[i] = static_cast<T>(source[offset]);
      for (int axis = rank - 1; axis >= 0; --axis) {  // odometer: the last axis runs fastest
        const auto a = static_cast<std::size_t>(axis);
        offset += strides[a];
        if (++at[a] < shape()[axis]) break;
        offset -= strides[a] * at[a];
        at[a] = 0;
      }
    }
  };
  with_dtype(dtype(), [&](auto zero) { fill(static_cast<decltype(zero)*>(mutable_raw())); });
}

template <class T>
requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) std::vector<T> Tensor::to_vector()
const {
  if (empty()) return {};
  const Tensor converted = cast(dtype_of<Stored<T>>);
  const auto values = converted.values<Stored<T>>();
  return {values.begin(), values.end()};
}

template <OwningArray A>
A Tensor::to() const {
  using T = typename A::value_type;
  typename A::shape_type extents{};
  if constexpr (requires { extents.resize(1); }) extents.resize(static_cast<std::size_t>(shape().rank()));
  require_rank(extents.size());
  for (int i = 0; i < shape().rank(); ++i) {
    extents[static_cast<std::size_t>(i)] = static_cast<std::size_t>(shape()[i]);
  }
  A out = A::from_shape(extents);
  auto copy = [&](const auto* in) {
    auto to = out.begin();  // row-major whatever the layout of A
    for (Index i = 0; i < elements(); ++i, ++to) *to = static_cast<T>(in[i]);
  };
  with_dtype(dtype(), [&](auto zero) { copy(static_cast<const decltype(zero)*>(data_)); });
  return out;
}

}  // namespace xgrad::inline v0
