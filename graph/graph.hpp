// Graph: the tape of operations.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <xgrad/graph/attrs.hpp>
#include <xgrad/graph/op_def.hpp>
#include <xgrad/graph/parameter.hpp>
#include <xgrad/graph/source_location_scope.hpp>
#include <xgrad/graph/tensor.hpp>
#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

// Properties of a graph that do not change after it was made.
struct GraphOptions {
  DType dtype = DType::f32;  // default dtype of inputs and scalar constants
  bool training = false;     // training mode, for layers such as dropout
  std::uint64_t seed = 0;    // seed of all random operations
};

// The part of a training step that a node belongs to, for diagrams and reports.
enum class Role : std::uint8_t { forward, backward, update };

// One entry of the tape: an operation applied to earlier nodes. Nodes never change.
struct Node {
  const OpDef* op;
  TensorType type;
  const NodeId* inputs;  // owned by the graph
  std::uint32_t input_count;
  std::uint32_t attrs;       // index into the graph's attributes
  std::uint32_t scope;       // index into the graph's scopes
  std::uint32_t name;        // index into the graph's names; 0 is the empty name
  std::uint32_t line;        // index into the graph's source locations; 0 is unknown
  std::uint32_t generation;  // number of rewinds before the node was appended, plus 1; handles store it
  std::int32_t origin;       // the forward node for which a vjp made this one, or -1
  Role role;
};

// A new value for a parameter, which a run assigns at its end. All updates of a run read the parameters' old values.
struct Update {
  Parameter parameter;
  Value value;
};

// An append-only list of nodes in topological order. A graph is a program: build it once, run it often.
//
//   Graph g;
//   Value x = g.input("x", {32, 784});
//   Value y = tanh(x) * 2;
//
// Invariants: a node's inputs have smaller ids; nodes never change; equal nodes (same operation, inputs, attributes)
// are one node. So every pass over a graph is a loop over ids. There is no global state. Each graph is built by one
// thread at a time.
class Graph {
 public:
  // `flags` are the pinned flags of an earlier graph; this one then freezes the same parameters.
  explicit Graph(GraphOptions options = {}, TrainableFlags flags = {});
  Graph(const Graph&) = delete;  // pinned: Values point to it
  Graph& operator=(const Graph&) = delete;

  const GraphOptions& options() const { return options_; }
  // A pointer that expires when the graph is destroyed.
  std::weak_ptr<const void> life() const { return life_; }
  bool training() const { return options_.training; }

  // ---- leaves

  // A tensor that each run is fed. Throws GraphError if the name is empty or taken.
  Value input(const std::string& name, Shape shape, SourceLocation at = SourceLocation::here()) {
    return input(name, shape, options_.dtype, at);
  }
  Value input(const std::string& name, Shape shape, DType dtype, SourceLocation at = SourceLocation::here());
  // The node of a parameter; repeated calls return the same node.
  Value parameter(const Parameter& parameter, SourceLocation at = SourceLocation::here());
  // A constant; copies the tensor.
  Value constant(const Tensor& tensor, SourceLocation at = SourceLocation::here());
  // A scalar constant of shape []; equal scalars are one node. Throws DTypeError if the dtype cannot hold the value,
  // such as a fraction as i64.
  Value constant(double number, DType dtype, SourceLocation at = SourceLocation::here());
  Value constant(double number, SourceLocation at = SourceLocation::here()) {
    return constant(number, options_.dtype, at);
  }

  // ---- operations

  // Returns the node for `op(inputs)`; appends it unless an equal node exists. Throws, leaving the graph unchanged, if
  // the inputs are invalid; throws OutOfMemoryError if there is no memory for the node.
  Value apply(const OpDef& op, std::span<const Value> inputs, Attrs attrs = {},
              SourceLocation at = SourceLocation::here());
  // The same with the source location of the first input.
  Value apply(const OpDef& op, std::initializer_list<Operand> inputs, Attrs attrs = {});
  // A new random stream, used by no other node of this graph.
  std::int64_t next_stream() { return next_stream_++; }

  // ---- random numbers per row

  // Declares that a random node draws `elements` per row of a batch, row by row. A run with RunOptions::first_row = k
  // skips the elements of k rows. Throws GraphError unless the operation is random and `elements` is at least 0.
  void set_row_elements(Value random, Index elements);
  // The declared number of elements per row; 0 for a node without a declaration, which ignores first_row.
  Index row_elements(NodeId id) const;

  // ---- updates that belong to the graph itself, such as moving statistics

  // Adds an update. A parameter may have several: each must be computed from `updated(parameter)` and replaces the one
  // before. Throws GraphError if the value has another type than the parameter, or does not depend on the update that
  // it replaces.
  void add_update(const Parameter& parameter, Value value);
  // The parameter's value after the updates so far; its node if there are none.
  Value updated(const Parameter& parameter);
  // One per updated parameter, in the order of their first updates.
  const std::vector<Update>& updates() const { return updates_; }

  // ---- trainable parameters

  // Returns the flag, and pins its current value: later calls return the same value for this graph and for graphs made
  // with its flags. Layers pin their flags, so that a later set_trainable does not change a graph that is partly built.
  // Throws GraphError for a null pointer.
  bool pin_trainable(const std::shared_ptr<const bool>& flag) { return trainable_flags_.pin(flag); }
  bool pin_trainable(const Parameter& parameter) { return pin_trainable(parameter.trainable_flag()); }
  // The pinned flag of the parameter; its current one if it is not pinned.
  bool trainable(const Parameter& parameter) const { return trainable_flags_.trainable(parameter); }
  // Those of parameters() that are trainable.
  std::vector<Parameter> trainable_parameters() const;
  const TrainableFlags& trainable_flags() const { return trainable_flags_; }

  // ---- penalties, such as the norm of a weight

  // Adds a scalar penalty to the training loss. Adding the same node again has no effect. Throws GraphError unless it
  // is a floating-point scalar.
  void add_penalty(Value value);
  const std::vector<Value>& penalties() const { return penalties_; }

  // ---- scopes and names

  // Sets a member while the guard lives.
  template <class T>
  class Guard {
   public:
    Guard(T& member, T now) : member_(member), before_(std::exchange(member, now)) {}
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { member_ = before_; }

   private:
    T& member_;
    T before_;
  };
  // Nodes appended while the guard lives belong to the scope. Guards nest: "mlp" then "dense" is "mlp/dense".
  using ScopeGuard = Guard<std::uint32_t>;
  [[nodiscard]] ScopeGuard scope(const std::string& name);
  // Like scope, with _1, _2 ... appended if a scope of that name was opened here before.
  [[nodiscard]] ScopeGuard unique_scope(const std::string& name);
  const std::string& current_scope() const { return scopes_[scope_]; }
  // Nodes appended while the guard lives have the role and, if `origin` is valid, its scope and its id as origin.
  struct RoleGuard {
    ScopeGuard scope;
    Guard<Role> role;
    Guard<std::int32_t> origin;
  };
  [[nodiscard]] RoleGuard role(Role role, Value origin = {});
  void set_name(Value value, const std::string& name);

  // ---- reading; references and spans stay valid until a rewind discards their node

  NodeId size() const { return static_cast<NodeId>(nodes_.size()); }
  const Node& node(NodeId id) const { return nodes_[id]; }
  // A handle to node `id`. Throws GraphError if there is no such node.
  Value value(NodeId id) const;
  std::span<const NodeId> inputs(NodeId id) const { return {nodes_[id].inputs, nodes_[id].input_count}; }
  const Attrs& attrs(NodeId id) const { return attrs_[nodes_[id].attrs]; }
  const std::string& name(NodeId id) const { return names_[nodes_[id].name]; }
  const std::string& scope_of(NodeId id) const { return scopes_[nodes_[id].scope]; }
  // The source location that first created the node, or its origin if it has one.
  SourceLocation line_of(NodeId id) const { return lines_[nodes_[id].line]; }
  // The parameters used so far, in the order of their first use.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  // The parameter or tensor of a parameter or constant node. Throws InternalError for other nodes.
  const Parameter& parameter_of(NodeId id) const;
  Tensor constant_of(NodeId id) const;
  // The input of that name; empty if there is none.
  Value find_input(const std::string& name) const;

  // Whether `value` is each source, or depends on it.
  std::vector<bool> depends(Value value, const std::vector<Value>& sources) const;
  // Throws GraphError, beginning with `where`, unless the handle belongs to this graph and its node exists.
  void require(Value value, const std::string& where) const;
  // Describes the node for messages: `%12 tanh "mlp/hidden" f32[32, 64]`.
  std::string describe(NodeId id) const;
  // Describes the node with another type, such as the one it has in a plan for other shapes.
  std::string describe(NodeId id, const TensorType& type) const;
  // The text of line_of, such as `model.cpp:42`; empty if unknown.
  std::string location_of(NodeId id) const;
  // A read-only copy of the nodes, which may outlive this graph. Ids, names, scopes and locations are the same.
  std::unique_ptr<const Graph> snapshot() const;

  // ---- rollback

  // `rewind(mark)` discards every node appended after `mark()` was called and invalidates handles to them.
  NodeId mark() const { return size(); }
  void rewind(NodeId mark);

 private:
  friend class Value;
  friend class Verifier;
  // Appends a node without looking for an equal one. Later nodes with the same `key` may be merged with it, unless
  // `key` is empty.
  NodeId append(const OpDef& op, std::span<const NodeId> inputs, Attrs attrs, const TensorType& type,
                std::optional<std::size_t> key);
  std::optional<NodeId> find_equal(std::size_t key, const OpDef& op, std::span<const NodeId> inputs,
                                   const Attrs& attrs) const;
  std::size_t key(const OpDef& op, std::span<const NodeId> inputs, const Attrs& attrs) const;
  TensorType infer(const OpDef& op, std::span<const NodeId> inputs, const Attrs& attrs) const;
  Value leaf(const OpDef& op, Attrs attrs, const std::string& name, bool merge);
  Value add_leaf(const OpDef& op, Attrs attrs, const std::string& name, bool merge);
  Value add_operation(const OpDef& op, std::span<const Value> inputs, Attrs attrs);
  std::string out_of_memory(const OpDef& op) const;
  Value handle(NodeId id) const { return {const_cast<Graph*>(this), id, nodes_[id].generation}; }
  bool alive(Value value) const { return value.id() < size() && nodes_[value.id()].generation == value.generation(); }
  // Text for messages: which rewind discarded the node of a handle of this graph.
  std::string discarded(Value value) const;
  const NodeId* store_inputs(std::span<const NodeId> inputs);
  std::uint32_t store_name(const std::string& name);
  std::uint32_t scope_id(const std::string& path);
  std::uint32_t line_id(SourceLocation line);
  std::string scope_path(const std::string& name) const;

  GraphOptions options_;
  std::shared_ptr<const void> life_ = std::make_shared<char>();
  // Deques: a vjp may hold a reference to a node's shape or attributes while it appends others.
  std::deque<Node> nodes_;
  std::deque<std::vector<NodeId>> inputs_;  // blocks that never grow beyond their capacity: pointers stay valid
  std::deque<Attrs> attrs_;                 // element 0 is the empty list
  std::deque<std::string> names_;
  std::vector<std::uint32_t> free_names_;  // indices into names_ that a rewind freed
  std::deque<std::string> scopes_;         // element 0 is the root
  std::unordered_map<std::string, std::uint32_t> scope_ids_;
  std::vector<SourceLocation> lines_;                                        // element 0 is unknown
  std::map<std::pair<const char*, std::uint32_t>, std::uint32_t> line_ids_;  // by file and line
  std::uint32_t recent_line_ = 0;  // index of the last location: one line often makes many nodes
  std::unordered_map<std::string, NodeId> opened_scopes_;  // by path: the graph's size when it was first opened
  std::unordered_map<std::string, int> next_suffix_;       // by path of a unique scope: all smaller suffixes are taken
  std::unordered_multimap<std::size_t, NodeId> equal_nodes_;
  std::unordered_map<std::string, NodeId> input_nodes_;
  std::unordered_map<const void*, NodeId> parameter_nodes_;  // by the address of the elements
  std::vector<Parameter> parameters_;
  std::vector<Update> updates_;
  std::vector<Update> update_history_;  // each call of add_update, for rewinds
  TrainableFlags trainable_flags_;
  std::vector<Value> penalties_;
  std::unordered_set<NodeId> penalty_nodes_;
  std::vector<NodeId> rewinds_;  // marks of all rewinds; the generation of new nodes is their count + 1
  std::uint32_t scope_ = 0;
  Role role_ = Role::forward;
  std::int32_t origin_ = -1;
  std::int64_t next_stream_ = 0;
  std::unordered_map<NodeId, Index> row_elements_;
};

}  // namespace xgrad::inline v0
