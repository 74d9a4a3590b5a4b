// Maps the nodes of a graph to the boxes of a diagram: folds scopes and repeated neighbors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0::dot {

constexpr std::uint32_t no_box = ~std::uint32_t{0};

struct Box {
  std::vector<NodeId> nodes;  // in tape order, without the copies of a repetition
  bool folded = false;        // stands for several nodes; otherwise there is one node
  bool neighbors = false;     // folded from neighbors that do not form a scope
  std::string label;          // for a folded box
  Role role = Role::forward;
  std::uint32_t order = 0;  // derivative order

  NodeId first() const { return nodes.front(); }
};

// A scope with its boxes, or several scopes that repeat as a block.
struct Cluster {
  std::string label;
  int times = 1;  // number of repetitions; drawn once
  std::vector<std::uint32_t> boxes;
  std::vector<Cluster> inner;
};

struct BoxOptions {
  std::optional<int> depth;
  bool fold_repeats = true;
  std::size_t max_nodes = 0;  // used if `depth` is empty
};

// One block of a repetition. Only the first block is drawn.
struct Block {
  std::uint32_t repetition = 0, time = 0;
  std::uint32_t around = 0;  // the enclosing block of another repetition; 0: none
};

struct Boxes {
  std::vector<Box> boxes;  // a box without nodes is not drawn
  Cluster root;
  std::vector<std::uint32_t> of;     // by node: its box, the box of its original, or no_box
  std::vector<NodeId> original;      // by node: the node it is a copy of, or itself
  std::vector<Block> blocks;         // 0 means none
  std::vector<std::uint32_t> block;  // by node: the innermost block
  std::string folding;               // description of automatic folding; or empty

  // Whether each node has a box of its own.
  bool plain() const;
  // Whether an edge adds nothing to the diagram: it connects blocks of a repetition, or lies in a block that is a copy.
  bool implied(NodeId from, NodeId to) const;
};

// `drawn`: whether each node is drawn. `order`: derivative order of each node.
Boxes make_boxes(const Graph& graph, const std::vector<bool>& drawn, const std::vector<std::uint32_t>& order,
                 const BoxOptions& options);

// A node's name without its scope prefix.
std::string_view name_in_scope(const Graph& graph, NodeId id);

}  // namespace xgrad::inline v0::dot
