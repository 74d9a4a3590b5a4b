// Which boxes the nodes of a graph are drawn as: scopes that are folded into one, neighbors that repeat.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0::dot {

constexpr std::uint32_t no_box = ~std::uint32_t{0};

struct Box {
  std::vector<NodeId> nodes;  // what it stands for, without the copies of a repetition, in the order of the tape
  bool folded = false;        // many as one; otherwise there is one node
  bool neighbors = false;     // folded, of neighbors that are no scope of their own
  std::string label;          // of a folded box
  Role role = Role::forward;
  std::uint32_t order = 0;  // how many times backward

  NodeId first() const { return nodes.front(); }
};

// A scope with its boxes, or several that repeat together.
struct Cluster {
  std::string label;
  int times = 1;  // of a repetition, which is drawn once
  std::vector<std::uint32_t> boxes;
  std::vector<Cluster> inner;
};

struct BoxOptions {
  std::optional<int> depth;
  bool fold_repeats = true;
  std::size_t max_nodes = 0;  // if there is no depth
};

// One block of a repetition; the first of them is drawn.
struct Block {
  std::uint32_t repetition = 0, time = 0;
  std::uint32_t around = 0;  // the block of another repetition that it is part of; 0 is none
};

struct Boxes {
  std::vector<Box> boxes;  // one that has no nodes is not drawn
  Cluster root;
  std::vector<std::uint32_t> of;     // by node: its box, that of what it is a copy of, or no_box
  std::vector<NodeId> original;      // by node: itself, or what it is a copy of
  std::vector<Block> blocks;         // 0 is none
  std::vector<std::uint32_t> block;  // by node: the innermost it is part of
  std::string folding;               // what was folded without being asked for, in words; or empty

  // Whether each node is a box.
  bool plain() const;
  // Whether what goes from node to node says no more than what is drawn: it goes from block to block of a repetition,
  // or within a block that is a copy.
  bool implied(NodeId from, NodeId to) const;
};

// `drawn` says which nodes are drawn at all, `order` how many times backward each is; by node.
Boxes make_boxes(const Graph& graph, const std::vector<bool>& drawn, const std::vector<std::uint32_t>& order,
                 const BoxOptions& options);

// A node's name without the scope that it begins with.
std::string_view name_in_scope(const Graph& graph, NodeId id);

}  // namespace xgrad::inline v0::dot
