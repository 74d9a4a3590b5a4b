// OpDef: everything about one operation, in one constant value. The engine knows operations only through it.
//
//   const OpDef square{.name = "square", .doc = "x * x, elementwise.", .min_inputs = 1, .max_inputs = 1,
//                      .infer = same_type, .kernel = ..., .vjp = [](const Vjp& r) -> Cotangents { ... }};
//
// `infer` says which shapes go in and which comes out, `kernel` which numbers, `vjp` how a derivative flows back. An
// operation has either a vjp or a reason why it has none. `batch` says how to do many at once. Samples make the
// operation testable: the same suites run over every operation there is, built in or of a user's own.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xgrad/graph/attrs.hpp>
#include <xgrad/graph/dtype.hpp>
#include <xgrad/graph/machine/parallel.hpp>
#include <xgrad/graph/tensor.hpp>
#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

struct OpDef;

// ---- infer: types in, type out

// What `infer` sees. It must be pure: a plan runs it again over the same nodes with other shapes.
class Infer {
 public:
  // `operands` may be empty; otherwise it gives the words with which messages describe each input.
  Infer(const OpDef& op, std::span<const TensorType> inputs, const Attrs& attrs,
        std::span<const std::string> operands = {})
      : op_(op), inputs_(inputs), attrs_(attrs), operands_(operands) {}

  const OpDef& op() const { return op_; }
  int count() const { return static_cast<int>(inputs_.size()); }
  const TensorType& type(int i) const { return inputs_[static_cast<std::size_t>(i)]; }
  const Shape& shape(int i) const { return type(i).shape; }
  DType dtype(int i) const { return type(i).dtype; }
  const Attrs& attrs() const { return attrs_; }

  // Throw with the operation's name in front and the operands below. `hint` is one sentence or empty.
  [[noreturn]] void fail_shape(const std::string& what, const std::string& hint = {}) const;
  [[noreturn]] void fail_dtype(const std::string& what, const std::string& hint = {}) const;
  // Throws DTypeError unless input i has one of the dtypes.
  void require_dtype(int i, std::initializer_list<DType> allowed) const;
  // Throws DTypeError unless inputs i and j have the same dtype.
  void require_same_dtype(int i, int j) const;
  // The text of such an error: `what` with the operation's name in front, the operands and the hint below.
  std::string message(const std::string& what, const std::string& hint = {}) const;

 private:
  const OpDef& op_;
  std::span<const TensorType> inputs_;
  const Attrs& attrs_;
  std::span<const std::string> operands_;
};

using InferFn = TensorType (*)(const Infer&);

// The output has the type of the first input.
TensorType same_type(const Infer& in);
// The broadcast of all inputs in the dtype of the last one; throws where they do not fit.
TensorType broadcast_type(const Infer& in);

// ---- kernel: numbers in, numbers out

struct ConstBuffer {
  const void* data = nullptr;
  TensorType type;
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

struct Buffer {
  void* data = nullptr;
  TensorType type;
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// Random numbers are a function of (seed, stream, step, element): the stream is an attribute of the node, the seed and
// the step belong to the run.
struct RandomState {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
};

// What a kernel gets. Buffers are row-major, contiguous and do not overlap, except that the output may be the very
// buffer of an input where the operation's traits allow it. A kernel does not allocate: `scratch` points to
// `OpDef::scratch_bytes` bytes, 64-byte aligned.
struct KernelCall {
  const OpDef* op = nullptr;
  std::span<const ConstBuffer> inputs;
  Buffer output;
  const Attrs* attrs = nullptr;
  void* scratch = nullptr;
  RandomState random;
  Parallel parallel;
  // For operations with the trait `supports_epilogue`; may be null. A row is one of the output seen as a matrix: all
  // axes but the last are one. The kernel calls this with ranges of rows, each row once, when it will neither read nor
  // write them again, on the thread that computed them and while they are likely still in its cache. The callee may
  // change those rows, and is called from several threads at once. Where the ranges begin and end depends on sizes
  // alone.
  const RangeRef* on_rows_ready = nullptr;
  // What `OpDef::prepare` made for these types and attributes; null where nothing runs twice.
  const void* prepared = nullptr;
  // Of random operations: which element of the stream the first element of the output is. The others follow it.
  Index first = 0;
};

using KernelFn = void (*)(const KernelCall&);
// What the kernel can work out without the numbers, once for all runs of a plan.
using PrepareFn = std::shared_ptr<const void> (*)(std::span<const TensorType> inputs, const TensorType& output,
                                                  const Attrs& attrs);
using ScratchFn = std::size_t (*)(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);
// How many floating-point operations it takes, as graph/flops.hpp counts them.
using FlopsFn = double (*)(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);

// The kernel of an elementwise operation over `n` consecutive elements. `in[i]` points to n elements, or to a single
// one if `scalar[i]`; `out` may be equal to an `in[i]` that is not scalar.
using BlockKernel = void (*)(Index n, const void* const* in, const bool* scalar, void* out);
// By the dtype of the last input; null where the dtype is not supported.
using BlockKernels = std::array<BlockKernel, dtype_count>;

// Block kernels that run one operation and then `next` on the result, which is its operand of that number. They take
// the operands of the first, then the others of `next`, and give the numbers that the two would give one after the
// other.
struct FusedPair {
  const OpDef* next = nullptr;
  int operand = 0;
  BlockKernels kernels{};
};

// How a reduction runs as part of a block program, on rows of numbers that are at hand. What `columns` and `join` are
// given together makes the very tree of the operation's own kernel, as does `rows`.
struct BlockReduction {
  // out[r] = the n numbers of row r, combined.
  void (*rows)(const void* in, Index rows, Index n, void* out) = nullptr;
  // out[j] = column j of the rows, combined from top to bottom; goes on from out[j] unless `first`.
  void (*columns)(const void* in, Index rows, Index n, void* out, bool first) = nullptr;
  // The first of `groups` rows of n numbers becomes the combination of all.
  void (*join)(void* partial, Index groups, Index n) = nullptr;
  Index group = 0;  // rows that are combined from top to bottom before groups are joined
};
// By the dtype of the input; empty where the dtype is not supported.
using BlockReductions = std::array<BlockReduction, dtype_count>;
// Which axes of input 0 are combined: bit i stands for axis i.
using AxesFn = std::uint32_t (*)(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);

// Elements [first, first + n) of what a random operation makes, in a block.
using RandomBlockKernel = void (*)(const Attrs& attrs, const RandomState& random, Index first, Index n, void* out);
// By the dtype of the output; null where the dtype is not supported.
using RandomBlockKernels = std::array<RandomBlockKernel, dtype_count>;

// Runs a block kernel over broadcast inputs: the `kernel` of every elementwise operation.
void run_elementwise(const KernelCall& call);

// ---- vjp: cotangent in, cotangents out, as nodes

class Vjp {
 public:
  Vjp(Value output, Value cotangent) : output_(output), cotangent_(cotangent) {}

  int count() const;
  Value input(int i) const;
  Value output() const { return output_; }
  // The derivative of the final scalar with respect to the output; it has the output's type.
  Value cotangent() const { return cotangent_; }
  const Attrs& attrs() const;

 private:
  Value output_;
  Value cotangent_;
};

// One cotangent an input, in order; an empty Value means "no gradient". A cotangent may have the broadcast shape: it is
// summed to the input's shape in one central place.
class Cotangents {
 public:
  Cotangents() = default;
  Cotangents(Value only) : values_{only} {}
  Cotangents(std::initializer_list<Value> values) : values_(values) {}
  explicit Cotangents(std::vector<Value> values) : values_(std::move(values)) {}
  const std::vector<Value>& values() const { return values_; }

 private:
  std::vector<Value> values_;
};

using VjpFn = Cotangents (*)(const Vjp&);

// ---- batch: one node for many inputs at once

// What a batch rule sees: a node, and its inputs, some of which now have a leading axis of `size()` more.
class Batch {
 public:
  Batch(Value output, std::span<const Value> inputs, std::span<const char> batched, Index size)
      : output_(output), inputs_(inputs), batched_(batched), size_(size) {}

  int count() const { return static_cast<int>(inputs_.size()); }
  // With the leading axis if batched(i). An input of which only the shape matters is as it was.
  Value input(int i) const { return inputs_[static_cast<std::size_t>(i)]; }
  bool batched(int i) const { return batched_[static_cast<std::size_t>(i)] != 0; }
  Index size() const { return size_; }
  // The node as it is for one.
  Value output() const { return output_; }
  const Attrs& attrs() const;

 private:
  Value output_;
  std::span<const Value> inputs_;
  std::span<const char> batched_;
  Index size_;
};

// The results for all, along a leading axis; an empty Value where that cannot be said in one go.
using BatchFn = Value (*)(const Batch&);

// ---- samples: what the suites try an operation on

// Where the numbers of a sample come from. Kinks and ties are kept at a distance, since finite differences cannot
// judge a derivative there.
struct Domain {
  enum class Kind : std::uint8_t { real, distinct, integer, mask } kind = Kind::real;
  double low = -2;
  double high = 2;
  std::vector<double> avoid;  // real: points from which numbers keep `distance`
  double distance = 0.05;
};

namespace domain {
Domain any();                                          // reals in [-2, 2]
Domain between(double low, double high);               // reals in [low, high]
Domain positive();                                     // reals in [0.2, 3]
Domain away_from(std::vector<double> points);          // reals in [-2, 2], not near the points
Domain distinct();                                     // reals that differ from each other by 0.05 at least
Domain integers(std::int64_t low, std::int64_t high);  // both included; the input is i64
Domain booleans();                                     // the input is bool
}  // namespace domain

struct SampleInput {
  Shape shape;
  Domain domain = domain::any();
};

struct Sample {
  std::string label;
  std::vector<SampleInput> inputs;
  Attrs attrs{};
  double tolerance = 0;        // relative tolerance of the finite-difference check; 0 means the default
  bool zero_gradient = false;  // the first derivative is zero by nature
  bool zero_second = false;    // the second derivative is zero by nature
};

struct BadSample {
  std::string label;
  std::vector<Tensor> inputs;
  Attrs attrs;
  std::string message;  // a fragment the error must contain
};

// ---- the definition

// What role the engine gives to a leaf of the tape; `none` for every ordinary operation.
enum class Leaf : std::uint8_t { none, input, parameter, constant };

struct Traits {
  bool elementwise = false;        // output element i depends on element i of the broadcast inputs alone
  bool random = false;             // depends on the run's seed and step
  bool view = false;               // the output is input 0 with another shape, byte for byte
  bool broadcast = false;          // the output is input 0, repeated as elementwise operations repeat their inputs
  bool commutative = false;        // the order of two inputs does not matter
  bool segment = false;            // a view whose derivative is that of the function from its other inputs to input 0
  bool may_throw = false;          // the kernel may throw because of the numbers it meets
  bool supports_epilogue = false;  // the kernel calls KernelCall::on_rows_ready
  std::uint32_t shape_only = 0;    // bit i: of input i only the shape matters; bit 31 also of all that follow
  Leaf leaf = Leaf::none;
};

struct OpDef {
  std::string name;
  std::string doc;  // one or two sentences: the formula, conventions at kinks and ties, special values
  int min_inputs = 1;
  int max_inputs = 1;
  Traits traits{};
  InferFn infer = nullptr;
  KernelFn kernel = nullptr;
  BlockKernels block{};               // elementwise operations: used by run_elementwise and by fused groups
  std::vector<FusedPair> pairs{};     // what may follow in the same pass
  RandomBlockKernels random_block{};  // random operations: used by fused groups
  BlockReductions reduction{};        // reductions: used by fused groups, with
  AxesFn reduced_axes = nullptr;
  ScratchFn scratch_bytes = nullptr;  // none needed if null
  PrepareFn prepare = nullptr;        // optional
  FlopsFn flops = nullptr;            // if null: one for each element an elementwise or random operation makes or a
                                      // reduction reads, else none
  KernelFn reference = nullptr;       // the plainest possible kernel, an oracle for the suites: floating inputs and
                                      // outputs are f64; null where the kernel only moves numbers about
  VjpFn vjp = nullptr;
  std::string no_gradient{};  // why there is no vjp; empty if there is one
  BatchFn batch = nullptr;    // optional; elementwise operations, views and broadcasts need none
  std::string symbol{};       // how formulas write it, before its input or between its two; its name if empty
  std::vector<Sample> samples{};
  std::vector<BadSample> bad_samples{};

  bool shape_only(int input) const { return (traits.shape_only >> (input < 31 ? input : 31) & 1U) != 0; }
};

// An ordered collection of operations with unique names. Addresses of its OpDefs do not change.
class OpRegistry {
 public:
  // Throws GraphError if the definition is incomplete or the name is taken.
  const OpDef& add(OpDef op);
  const OpDef* find(std::string_view name) const;  // null if there is none
  // Lets a registered operation be followed by another in one pass. Throws GraphError if either is unknown.
  void add_pair(std::string_view first, FusedPair pair);
  const std::vector<std::unique_ptr<OpDef>>& all() const { return ops_; }

 private:
  std::vector<std::unique_ptr<OpDef>> ops_;
};

// Throws GraphError, naming the operation and what is missing, unless `op` has all that the engine needs.
void check_definition(const OpDef& op);

}  // namespace xgrad::inline v0
