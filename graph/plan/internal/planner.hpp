// Builds one Program. Each member function is one pass over the graph; they run in the order of `build`. The passes of
// each kind are in a file of their own: program.cpp (what is needed, and what is known already), planner_schedule.cpp
// (what runs together, and when), planner_place.cpp (where numbers are).
#pragma once

#include <limits>
#include <map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <xgrad/graph/plan/internal/fusion.hpp>
#include <xgrad/graph/plan/internal/program.hpp>

namespace xgrad {

class Planner {
 public:
  Planner(const std::vector<Value>& outputs, const std::vector<Update>& updates, const PlanOptions& options);
  Program build();

 private:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
  static constexpr int forever = std::numeric_limits<int>::max();

  // ---- what is needed, and what is known already

  const Node& node(NodeId id) const { return graph_.node(id); }
  bool is_leaf(NodeId id) const { return node(id).op->traits.leaf != Leaf::none; }
  bool is_view(NodeId id) const { return node(id).op->traits.view; }
  bool is_constant(NodeId id) const {
    return value_of_[id] != none && program_.values[value_of_[id]].place.kind == Place::Kind::constant;
  }
  const Tensor& constant_of(NodeId id) const { return program_.constants[program_.values[value_of_[id]].place.index]; }
  bool is_computed(NodeId id) const { return needed_[id] && !is_leaf(id) && !is_view(id) && !is_constant(id); }
  NodeId root(NodeId id) const;
  NodeId operand(NodeId id, std::size_t i) const;
  // Calls f(input id) for each input whose numbers the node reads.
  template <class F>
  void for_each_operand(NodeId id, F f) const {
    for (std::size_t i = 0; i < graph_.inputs(id).size(); ++i) {
      if (!node(id).op->shape_only(static_cast<int>(i))) f(operand(id, i));
    }
  }

  void check_arguments();
  void infer_types();
  std::vector<char> ancestors() const;
  void find_needed();
  void make_leaves();
  void fold();
  std::uint32_t add_value(const TensorType& type, Place place);
  std::uint32_t add_constant(const Tensor& tensor);
  std::uint32_t parameter_index(const Parameter& parameter);

  // ---- what runs together, and when

  // What a node can be in a block program, see Note [Levels] in block_program.hpp.
  struct Part {
    enum class Kind : std::uint8_t { none, elementwise, random, reduction, head } kind = Kind::none;
    BlockLevel level = BlockLevel::element;
    NodeId space = 0;  // the node whose shape the program walks
    Index row = 0;     // elements of a row, where rows matter
  };

  BlockKernel block_of(NodeId id) const;
  const BlockReduction& reduction_of(NodeId id) const;
  bool is_fusible(NodeId id) const;
  void find_late();
  void find_parts();
  Part elementwise_part(NodeId id) const;
  Part random_part(NodeId id) const;
  Part reduction_part(NodeId id) const;
  Part head_part(NodeId id) const;
  bool stands_for_rows(NodeId id, const Shape& shape) const;
  bool joins(NodeId id, NodeId from) const;
  void schedule();
  void find_pairs();
  const BlockPair* pair_of(NodeId first, NodeId second, std::size_t operand) const;
  // A node that runs as the first of a pair runs when the second does.
  NodeId runs_at(NodeId id) const { return second_of_[id] != none ? second_of_[id] : id; }

  // ---- where numbers are

  int unit_count() const { return static_cast<int>(units_.size()); }
  const std::vector<NodeId>& unit(int s) const { return units_[static_cast<std::size_t>(s)]; }
  NodeId head_of(const std::vector<NodeId>& members) const;
  bool leaves_unit(NodeId id) const;
  bool may_overwrite(NodeId id, NodeId operand) const;
  void find_last_readers();
  void place_updates();
  void make_steps();
  std::uint32_t add_buffer(std::size_t bytes, int first, int last);
  void add_kernel(Step& step, NodeId id);
  void add_result(Step& step, NodeId id, int s);
  void add_block(Step& step, const std::vector<NodeId>& members);
  StepLabel label(const std::vector<NodeId>& members) const;
  std::vector<StepPart> parts(const std::vector<NodeId>& members) const;
  std::uint32_t operand_value(NodeId id, bool shape_only);
  std::uint32_t kept_value(NodeId id, bool update);
  void place_outputs();
  void finish();

  const std::vector<Value>& outputs_;
  const std::vector<Update>& updates_;
  const PlanOptions& options_;
  const Graph& graph_;
  NodeId size_ = 0;  // nodes beyond the last result do not matter
  std::vector<TensorType> types_;
  std::vector<char> needed_;
  std::vector<std::uint32_t> value_of_;   // node -> planned value
  std::vector<std::uint32_t> update_at_;  // node -> the update it writes in place
  std::vector<char> late_;                // written in place, or after what is
  std::vector<Part> part_;
  std::vector<std::vector<NodeId>> units_;  // what runs together, in the order of running
  std::vector<std::uint32_t> unit_of_;
  std::vector<std::uint32_t> second_of_;  // the node that takes this one's result in the same pass
  std::vector<std::uint32_t> first_of_;   // and the other way round
  std::vector<int> last_reader_;
  std::vector<std::uint32_t> buffer_of_root_;  // into lifetimes
  std::unordered_set<const void*> updated_;    // memory of the parameters that have updates
  std::map<const void*, NodeId> parameter_node_;
  std::map<const void*, std::uint32_t> parameter_ids_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> value_buffers_;  // value, buffer
  std::vector<std::pair<std::uint32_t, std::uint32_t>> views_;          // view, shown
  struct Scratch {
    std::size_t step;
    std::uint32_t buffer;
    bool of_block;
  };
  std::vector<Scratch> scratch_buffers_;
  Program program_;
};

}  // namespace xgrad
