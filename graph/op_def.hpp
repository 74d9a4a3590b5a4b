// OpDef: the definition of an operation, and the arguments of its functions.
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
#include <xgrad/graph/rewrite_rule.hpp>
#include <xgrad/graph/tensor.hpp>
#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

struct OpDef;

// ---- infer: types in, type out

// The arguments of `infer`, which must be pure: a plan calls it again for the same nodes with other shapes.
class Infer {
 public:
  // `operands` describes each input in messages; it may be empty.
  Infer(const OpDef& op, std::span<const TensorType> inputs, const Attrs& attrs,
        std::span<const std::string> operands = {})
      : op_(op), inputs_(inputs), attrs_(attrs), operands_(operands) {}

  const OpDef& op() const { return op_; }
  int count() const { return static_cast<int>(inputs_.size()); }
  const TensorType& type(int i) const { return inputs_[static_cast<std::size_t>(i)]; }
  const Shape& shape(int i) const { return type(i).shape; }
  DType dtype(int i) const { return type(i).dtype; }
  const Attrs& attrs() const { return attrs_; }

  // These throw an error that begins with the operation's name and lists the operands. `hint` is one sentence or empty.
  [[noreturn]] void fail_shape(const std::string& what, const std::string& hint = {}) const;
  [[noreturn]] void fail_dtype(const std::string& what, const std::string& hint = {}) const;
  // Throws DTypeError unless input i has one of the dtypes.
  void require_dtype(int i, std::initializer_list<DType> allowed) const;
  // Throws DTypeError unless inputs i and j have the same dtype.
  void require_same_dtype(int i, int j) const;
  // The text of the errors above.
  std::string message(const std::string& what, const std::string& hint = {}) const;

 private:
  const OpDef& op_;
  std::span<const TensorType> inputs_;
  const Attrs& attrs_;
  std::span<const std::string> operands_;
};

// Returns the output type, or throws ShapeError or DTypeError if the operation does not accept the input types.
using InferFn = TensorType (*)(const Infer&);

// Infers the type of the first input.
TensorType same_type(const Infer& in);
// Infers the broadcast shape of all inputs and the dtype of the last one. Throws ShapeError if they do not broadcast.
TensorType broadcast_type(const Infer& in);

// ---- kernel: elements in, elements out

// The elements of an input.
struct ConstBuffer {
  const void* data = nullptr;
  TensorType type;
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

// The elements of an output, to be written.
struct Buffer {
  void* data = nullptr;
  TensorType type;
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// A random element is a function of (seed, stream, step, element index). The stream is an attribute of the node; the
// seed belongs to the graph and the step to the run.
struct RandomState {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
};

// The arguments of a kernel. Buffers are row-major and contiguous. They do not overlap, but the output of an
// elementwise operation may be the buffer of an input, and that of one with the trait `in_place` the buffer of input 0.
// A kernel does not allocate: `scratch` points to `OpDef::scratch_bytes` bytes, 64-byte aligned.
struct KernelCall {
  const OpDef* op = nullptr;
  std::span<const ConstBuffer> inputs;
  Buffer output;
  const Attrs* attrs = nullptr;
  void* scratch = nullptr;
  RandomState random;
  Parallel parallel;
  // The epilogue of operations with the trait `supports_epilogue`; may be null. The kernel calls it with ranges of rows
  // of the output, flattened to [rows, last axis]: each row once, on the thread that computed it, when the kernel will
  // neither read nor write it again. The epilogue may change those rows and is called from several threads at once.
  // The ranges must depend on sizes alone.
  const RangeRef* on_rows_ready = nullptr;
  // The result of `OpDef::prepare` for these types and attributes; null outside plans.
  const void* prepared = nullptr;
  // Random operations: the index of the first output element in the random stream. The other elements follow it.
  Index first = 0;
};

// Computes the output's elements.
using KernelFn = void (*)(const KernelCall&);
// Computes what the kernel needs from types and attributes alone, once per plan.
using PrepareFn = std::shared_ptr<const void> (*)(std::span<const TensorType> inputs, const TensorType& output,
                                                  const Attrs& attrs);
// Returns the bytes of scratch memory that the kernel needs.
using ScratchFn = std::size_t (*)(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);
// Floating-point operations, by the convention of graph/flops.hpp.
using FlopsFn = double (*)(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);

// Computes `n` consecutive elements of an elementwise operation. `in[i]` points to n elements, or to one if
// `scalar[i]`. `out` may equal an `in[i]` that is not scalar.
using BlockKernel = void (*)(Index n, const void* const* in, const bool* scalar, void* out);
// A block kernel per dtype of the last input; null where the dtype is not supported.
using BlockKernels = std::array<BlockKernel, dtype_count>;

// Block kernels that compute an operation and then `next`, whose input `operand` is the first result. Their inputs are
// those of the first operation, then the other inputs of `next`. The result is bit-identical to that of the two
// operations.
struct FusedPair {
  const OpDef* next = nullptr;
  int operand = 0;
  BlockKernels kernels{};
};

// A reduction within a block program. `rows`, and `columns` with `join`, must use the reduction order of the
// operation's own kernel, so that results are bit-identical.
struct BlockReduction {
  // out[r] = the reduction of the n elements of row r.
  void (*rows)(const void* in, Index rows, Index n, void* out) = nullptr;
  // out[j] = the reduction of column j, from top to bottom; continues from out[j] unless `first`.
  void (*columns)(const void* in, Index rows, Index n, void* out, bool first) = nullptr;
  // Reduces `groups` rows of n elements pairwise into the first of them.
  void (*join)(void* partial, Index groups, Index n) = nullptr;
  Index group = 0;  // rows that `columns` reduces in order before `join`
};
// A reduction per dtype of the input; empty where the dtype is not supported.
using BlockReductions = std::array<BlockReduction, dtype_count>;
// The reduced axes of input 0: bit i for axis i.
using AxesFn = std::uint32_t (*)(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);

// Computes elements [first, first + n) of a random stream.
using RandomBlockKernel = void (*)(const Attrs& attrs, const RandomState& random, Index first, Index n, void* out);
// A kernel per dtype of the output; null where the dtype is not supported.
using RandomBlockKernels = std::array<RandomBlockKernel, dtype_count>;

// Runs the block kernel over broadcast inputs: the `kernel` of every elementwise operation.
void run_elementwise(const KernelCall& call);

// ---- vjp: cotangent in, cotangents out, as nodes

// The arguments of a vjp: a node, and the cotangent of its output.
class Vjp {
 public:
  Vjp(Value output, Value cotangent) : output_(output), cotangent_(cotangent) {}
  // Nodes of one operation with the trait `joint_vjp`, in the order of the tape; they outlive this object.
  explicit Vjp(const std::vector<Vjp>& uses)
      : output_(uses[0].output_), cotangent_(uses[0].cotangent_), uses_(uses.data()), use_count_(uses.size()) {}

  int count() const;
  Value input(int i) const;
  Value output() const { return output_; }
  // The derivative of the loss with respect to the output; it has the output's type.
  Value cotangent() const { return cotangent_; }
  const Attrs& attrs() const;
  // The nodes whose cotangents of input 0 are to be summed; only the vjp of an operation with the trait `joint_vjp` may
  // get more than one.
  std::span<const Vjp> uses() const { return {uses_ != nullptr ? uses_ : this, use_count_}; }

 private:
  Value output_;
  Value cotangent_;
  const Vjp* uses_ = nullptr;
  std::size_t use_count_ = 1;
};

// One cotangent per input, in order. An empty Value means "no gradient". A cotangent may have the broadcast shape: the
// caller sums it to the input's shape.
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

// Appends the nodes that compute the cotangents of a node's inputs, and returns them.
using VjpFn = Cotangents (*)(const Vjp&);

// ---- batch: one node for many inputs at once

// The arguments of a batch rule: a node, and its inputs, some of which have an additional leading axis of `size()`.
class Batch {
 public:
  Batch(Value output, std::span<const Value> inputs, std::span<const char> batched, Index size)
      : output_(output), inputs_(inputs), batched_(batched), size_(size) {}

  int count() const { return static_cast<int>(inputs_.size()); }
  // Input i, with the leading axis if batched(i). A shape-only input is unchanged.
  Value input(int i) const { return inputs_[static_cast<std::size_t>(i)]; }
  bool batched(int i) const { return batched_[static_cast<std::size_t>(i)] != 0; }
  Index size() const { return size_; }
  // The node without the batch axis.
  Value output() const { return output_; }
  const Attrs& attrs() const;

 private:
  Value output_;
  std::span<const Value> inputs_;
  std::span<const char> batched_;
  Index size_;
};

// Returns the batched result, along a leading axis; an empty Value if one node cannot compute it.
using BatchFn = Value (*)(const Batch&);

// ---- samples: inputs for the test suites

// The distribution of a sample's elements. It keeps a distance from kinks and ties, where finite differences are wrong.
struct Domain {
  enum class Kind : std::uint8_t { real, distinct, integer, mask } kind = Kind::real;
  double low = -2;
  double high = 2;
  std::vector<double> avoid;  // real: points at which elements keep `distance`
  double distance = 0.05;

  // The dtype of the numbers; reals have `floating`.
  DType dtype(DType floating = DType::f32) const {
    return kind == Kind::integer ? DType::i64 : kind == Kind::mask ? DType::boolean : floating;
  }
};

namespace domain {
Domain any();                                          // reals in [-2, 2]
Domain between(double low, double high);               // reals in [low, high]
Domain positive();                                     // reals in [0.2, 3]
Domain away_from(std::vector<double> points);          // reals in [-2, 2], not near the points
Domain distinct();                                     // reals that differ by at least 0.05
Domain integers(std::int64_t low, std::int64_t high);  // both inclusive; the input is i64
Domain booleans();                                     // the input is bool
}  // namespace domain

// The shape and the distribution of one input of a sample.
struct SampleInput {
  Shape shape;
  Domain domain = domain::any();
};

// Inputs and attributes for which the test suites check the operation.
struct Sample {
  std::string label;
  std::vector<SampleInput> inputs;
  Attrs attrs{};
  double tolerance = 0;        // relative tolerance of the finite-difference check; 0 means the default
  bool zero_gradient = false;  // the first derivative is identically zero
  bool zero_second = false;    // the second derivative is identically zero
};

// Inputs and attributes for which the operation must throw.
struct BadSample {
  std::string label;
  std::vector<Tensor> inputs;
  Attrs attrs;
  std::string message;  // text that the error must contain
};

// ---- the definition

// The kind of a leaf node; `none` for ordinary operations.
enum class Leaf : std::uint8_t { none, input, parameter, constant };

// Properties of an operation that the engine relies on. The test suites check them.
struct Traits {
  bool elementwise = false;        // output element i depends only on element i of the broadcast inputs
  bool random = false;             // depends on the run's seed and step
  bool view = false;               // the output is the bytes of input 0 with another shape
  bool broadcast = false;          // the output is input 0, repeated by the broadcasting rule
  bool commutative = false;        // the order of the two inputs does not matter
  bool segment = false;            // a view whose derivative is that of the function from its other inputs to input 0
  bool may_throw = false;          // the kernel may throw because of its inputs' elements
  bool supports_epilogue = false;  // the kernel calls KernelCall::on_rows_ready
  std::uint32_t shape_only = 0;    // bit i: the kernel reads only the shape of input i; bit 31: and of later inputs
  Leaf leaf = Leaf::none;
  bool in_place = false;   // the output may be the buffer of input 0, if no other input is
  bool joint_vjp = false;  // only input 0 has a derivative, and the vjp sums that of all nodes of `Vjp::uses`: linear
                           // in their number, where a sum of cotangents as large as input 0 would be quadratic
};

// The definition of an operation, one constant value. The engine knows operations only through it.
//
//   const OpDef square{.name = "square", .doc = "x * x, elementwise.", .min_inputs = 1, .max_inputs = 1,
//                      .infer = same_type, .kernel = ..., .vjp = [](const Vjp& r) -> Cotangents { ... }};
//
// `infer` maps input types to the output type, `kernel` computes elements, `vjp` appends the nodes of the reverse pass.
// An operation has either a vjp or the reason why it has none. `batch` vectorizes it, as jax.vmap does. Samples make it
// testable: the same suites run over built-in and custom operations.
struct OpDef {
  std::string name;
  std::string doc;  // one or two sentences: formula, conventions at kinks and ties, special values
  int min_inputs = 1;
  int max_inputs = 1;
  Traits traits{};
  InferFn infer = nullptr;
  KernelFn kernel = nullptr;
  BlockKernels block{};               // elementwise operations: used by run_elementwise and by fusion groups
  std::vector<FusedPair> pairs{};     // elementwise operations that may follow in the same pass
  RandomBlockKernels random_block{};  // random operations: used by fusion groups
  BlockReductions reduction{};        // reductions: used by fusion groups, with `reduced_axes`
  AxesFn reduced_axes = nullptr;
  ScratchFn scratch_bytes = nullptr;  // null: 0
  PrepareFn prepare = nullptr;        // optional
  FlopsFn flops = nullptr;            // null: one per output element of elementwise and random operations, one per
                                      // input element of reductions, otherwise 0
  KernelFn reference = nullptr;       // a simple kernel, the oracle of the suites: floating inputs and outputs are f64;
                                      // null if the kernel only moves elements
  VjpFn vjp = nullptr;
  std::string no_gradient{};  // why there is no vjp; empty if there is one
  BatchFn batch = nullptr;    // optional; elementwise operations, views and broadcasts need none
  std::string symbol{};       // in formulas, before one operand or between two; empty: the name
  std::vector<Rule> rules{};  // rewrites that begin at this operation; see docs/rewrites.md
  std::vector<Sample> samples{};
  std::vector<BadSample> bad_samples{};

  bool shape_only(int input) const { return (traits.shape_only >> (input < 31 ? input : 31) & 1U) != 0; }
};

// An ordered collection of operations with unique names. Addresses of its OpDefs do not change. The function that fills
// a registry returns it as const, so that operations, pairs and rules do not change once graphs use them.
class OpRegistry {
 public:
  // Throws GraphError if the definition is incomplete or the name is taken.
  const OpDef& add(OpDef op);
  const OpDef* find(std::string_view name) const;  // null if there is none
  // Adds a fused pair to the registered operation `first`. Throws GraphError if either operation is unknown.
  void add_pair(std::string_view first, FusedPair pair);
  // Adds a rule to the registered operation at its root. Throws GraphError if the rule is incomplete, its name is taken
  // or its root is not in this registry.
  void add_rule(Rule rule);
  const std::vector<std::unique_ptr<OpDef>>& all() const { return ops_; }

 private:
  std::vector<std::unique_ptr<OpDef>> ops_;
};

// Throws GraphError, with the operation and the missing member, unless `op` and its rules are complete.
void check_definition(const OpDef& op);

}  // namespace xgrad::inline v0
