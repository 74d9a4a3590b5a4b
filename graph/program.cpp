#include <xgrad/graph/program.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/graph/float_mode.hpp>
#include <xgrad/graph/fusion.hpp>
#include <xgrad/graph/memory_plan.hpp>

namespace xgrad {
namespace {

constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
constexpr int forever = std::numeric_limits<int>::max();
// Folding must not trade a little work for a lot of memory: results above this stay computed unless they are smaller
// than what they are made from.
constexpr std::size_t fold_limit = std::size_t{64} * 1024;

// Builds one Program; each member function is one pass, and they run in the order of `build`.
class Planner {
 public:
  Planner(const std::vector<Value>& outputs, const std::vector<Update>& updates, const PlanOptions& options)
      : outputs_(outputs), updates_(updates), options_(options), graph_(graph_of(outputs, updates)) {}

  Program build() {
    check_arguments();
    infer_types();
    find_needed();
    make_leaves();
    fold();
    find_late();
    schedule();
    place();
    return std::move(program_);
  }

 private:
  static const Graph& graph_of(const std::vector<Value>& outputs, const std::vector<Update>& updates) {
    if (!outputs.empty()) return outputs.front().graph();
    if (!updates.empty()) return updates.front().value.graph();
    throw GraphError("plan: neither outputs nor updates are given");
  }

  const Node& node(NodeId id) const { return graph_.node(id); }
  bool is_leaf(NodeId id) const { return node(id).op->traits.leaf != Leaf::none; }
  bool is_view(NodeId id) const { return node(id).op->traits.view; }

  // What the node reads as input i: a block program repeats its inputs by itself, so a broadcast before it is not
  // needed.
  NodeId operand(NodeId id, std::size_t i) const {
    NodeId from = graph_.inputs(id)[i];
    while (node(from).op->traits.broadcast && is_fusible(id)) from = graph_.inputs(from)[0];
    return from;
  }

  // Calls f(input id) for each input whose numbers the node reads.
  template <class F>
  void for_each_operand(NodeId id, F f) const {
    for (std::size_t i = 0; i < graph_.inputs(id).size(); ++i) {
      if (!node(id).op->shape_only(static_cast<int>(i))) f(operand(id, i));
    }
  }

  void check_arguments() {
    for (Value v : outputs_) graph_.require(v, "plan: output");
    for (std::size_t i = 0; i < updates_.size(); ++i) {
      const Update& u = updates_[i];
      if (!u.parameter.valid()) throw GraphError(fmt::format("plan: update {} has an empty parameter", i));
      graph_.require(u.value, fmt::format("plan: update of parameter \"{}\"", u.parameter.name()));
      for (std::size_t j = 0; j < i; ++j) {
        if (updates_[j].parameter == u.parameter) {
          throw GraphError(fmt::format("plan: parameter \"{}\" is updated twice", u.parameter.name()));
        }
      }
    }
    for (const auto& [input, shape] : options_.shapes) {
      graph_.require(input, "plan: shapes");
      if (input.node().op->traits.leaf != Leaf::input) {
        throw GraphError(fmt::format("plan: shapes: {} is not an input", input.describe()));
      }
    }
    NodeId last = 0;
    for (Value v : outputs_) last = std::max(last, v.id());
    for (const Update& u : updates_) last = std::max(last, u.value.id());
    size_ = last + 1;
  }

  // Shapes of everything the results depend on, by their own shapes or by new ones.
  void infer_types() {
    types_.resize(size_);
    for (NodeId id = 0; id < size_; ++id) types_[id] = node(id).type;
    if (!options_.shapes.empty()) {
      std::vector<char> changed(size_, 0);
      for (const auto& [input, shape] : options_.shapes) {
        if (input.id() >= size_) continue;
        changed[input.id()] = 1;
        types_[input.id()].shape = shape;
      }
      const std::vector<char> wanted = ancestors();
      for (NodeId id = 0; id < size_; ++id) {
        const auto inputs = graph_.inputs(id);
        if (!wanted[id] || std::none_of(inputs.begin(), inputs.end(), [&](NodeId i) { return changed[i] != 0; }))
          continue;
        changed[id] = 1;
        std::vector<TensorType> operands;
        std::vector<std::string> words;
        for (NodeId i : inputs) {
          operands.push_back(types_[i]);
          words.push_back(fmt::format("{}, here {}", graph_.describe(i), types_[i].str()));
        }
        types_[id] = node(id).op->infer(Infer(*node(id).op, operands, graph_.attrs(id), words));
      }
    }
    for (const Update& u : updates_) {
      if (types_[u.value.id()] != u.parameter.type()) {
        throw ShapeError(
            fmt::format("plan: update of parameter \"{}\" {}: the new value has another type\n  {}, here {}",
                        u.parameter.name(), u.parameter.type().str(), u.value.describe(), types_[u.value.id()].str()));
      }
    }
  }

  // Everything the results depend on, be it for shapes alone.
  std::vector<char> ancestors() const {
    std::vector<char> marked(size_, 0);
    for (Value v : outputs_) marked[v.id()] = 1;
    for (const Update& u : updates_) marked[u.value.id()] = 1;
    for (NodeId id = size_; id-- > 0;) {
      if (!marked[id]) continue;
      for (NodeId i : graph_.inputs(id)) marked[i] = 1;
    }
    return marked;
  }

  void find_needed() {
    needed_.assign(size_, 0);
    for (Value v : outputs_) needed_[v.id()] = 1;
    for (const Update& u : updates_) needed_[u.value.id()] = 1;
    for (NodeId id = size_; id-- > 0;) {
      if (needed_[id]) for_each_operand(id, [&](NodeId i) { needed_[i] = 1; });
    }
  }

  std::uint32_t add_value(const TensorType& type, Place place) {
    program_.values.push_back({type, place});
    return static_cast<std::uint32_t>(program_.values.size() - 1);
  }
  std::uint32_t add_constant(const Tensor& tensor) {
    program_.constants.push_back(tensor);
    const auto index = static_cast<std::uint32_t>(program_.constants.size() - 1);
    return add_value(tensor.type(), {Place::Kind::constant, index, 0});
  }
  std::uint32_t parameter_index(const Parameter& parameter) {
    auto& all = program_.parameters;
    const auto found = parameter_ids_.find(parameter.raw());
    if (found != parameter_ids_.end()) return found->second;
    all.push_back(parameter);
    const auto index = static_cast<std::uint32_t>(all.size() - 1);
    parameter_ids_.emplace(parameter.raw(), index);
    return index;
  }

  void make_leaves() {
    program_.seed = graph_.options().seed;
    value_of_.assign(size_, none);
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const Leaf leaf = node(id).op->traits.leaf;
      const bool used = id < size_ && needed_[id];
      if (leaf == Leaf::input) {
        PlannedInput input{Value(const_cast<Graph*>(&graph_), id, node(id).generation), graph_.name(id),
                           id < size_ ? types_[id] : node(id).type, used, none};
        if (used) input.value = value_of_[id] = add_value(types_[id], {Place::Kind::arena, 0, 0});
        program_.inputs.push_back(std::move(input));
      } else if (used && leaf == Leaf::parameter) {
        const auto index = parameter_index(graph_.parameter_of(id));
        value_of_[id] = add_value(types_[id], {Place::Kind::parameter, index, 0});
      } else if (used && leaf == Leaf::constant) {
        value_of_[id] = add_constant(graph_.constant_of(id));
      }
    }
  }

  bool is_constant(NodeId id) const {
    return value_of_[id] != none && program_.values[value_of_[id]].place.kind == Place::Kind::constant;
  }

  // Computes, here and now, what depends on constants and shapes alone.
  void fold() {
    const FlushDenormals mode;  // as runs do
    if (!options_.fold_constants) return;
    for (NodeId id = 0; id < size_; ++id) {
      const OpDef& op = *node(id).op;
      if (!needed_[id] || is_leaf(id) || op.traits.random || op.traits.fallible) continue;
      bool all = true;
      std::size_t operand_bytes = 0;
      for_each_operand(id, [&](NodeId i) {
        all = all && is_constant(i);
        operand_bytes += types_[i].bytes();
      });
      if (!all || types_[id].bytes() > std::max(operand_bytes, fold_limit)) continue;
      Tensor result(types_[id]);
      std::vector<ConstBuffer> buffers;
      std::vector<TensorType> operands;
      for (std::size_t k = 0; k < graph_.inputs(id).size(); ++k) {
        const NodeId i = operand(id, k);
        const bool has_numbers = value_of_[i] != none && is_constant(i);
        buffers.push_back({has_numbers ? constant_of(i).raw() : nullptr, types_[i]});
        operands.push_back(types_[i]);
      }
      if (op.traits.view) {
        result = constant_of(graph_.inputs(id)[0]).reshaped(types_[id].shape);
      } else if (types_[id].shape.elements() > 0) {
        const std::size_t scratch = op.scratch_bytes ? op.scratch_bytes(operands, types_[id], graph_.attrs(id)) : 0;
        const auto memory = allocate_aligned(scratch);
        op.kernel({&op, buffers, {result.mutable_raw(), types_[id]}, &graph_.attrs(id), memory.get(), {}, Parallel(1)});
      }
      value_of_[id] = add_constant(result);
    }
  }
  const Tensor& constant_of(NodeId id) const { return program_.constants[program_.values[value_of_[id]].place.index]; }

  // The node whose bytes this node shows.
  NodeId root(NodeId id) const {
    while (value_of_[id] == none || (is_view(id) && !is_constant(id))) {
      if (!is_view(id)) break;
      id = graph_.inputs(id)[0];
    }
    return id;
  }

  bool is_computed(NodeId id) const { return needed_[id] && !is_leaf(id) && !is_view(id) && !is_constant(id); }

  // Whatever writes a parameter in place, and whatever follows from it, comes last: so an operation that refuses its
  // numbers does so before any parameter has changed.
  void find_late() {
    // What an update computes may be written straight into the parameter, if nobody else wants it kept elsewhere.
    late_.assign(size_, 0);
    std::vector<char> is_output(size_, 0);
    for (Value v : outputs_) is_output[root(v.id())] = 1;
    update_at_.assign(size_, none);
    for (std::uint32_t u = 0; u < updates_.size(); ++u) {
      const NodeId id = updates_[u].value.id();
      if (!is_computed(id) || is_output[id] || update_at_[id] != none || types_[id].shape.elements() == 0) continue;
      update_at_[id] = u;
      late_[id] = 1;
    }
    for (NodeId id = 0; id < size_; ++id) {
      if (!is_computed(id) && !(needed_[id] && is_view(id))) continue;
      for_each_operand(id, [&](NodeId i) { late_[id] = static_cast<char>(late_[id] | late_[i]); });
    }
    // And what only such steps read, if it may run together with them.
    std::vector<char> read_early = is_output;
    for (const Update& u : updates_) {
      if (late_[u.value.id()] == 0) read_early[root(u.value.id())] = 1;
    }
    for (NodeId id = size_; id-- > 0;) {
      if (!needed_[id] || is_leaf(id) || is_constant(id) || is_view(id)) continue;
      if (is_computed(id) && is_fusible(id) && read_early[id] == 0) late_[id] = 1;
      if (late_[id] == 0) for_each_operand(id, [&](NodeId i) { read_early[root(i)] = 1; });
    }
  }

  BlockKernel block_of(NodeId id) const {
    const auto inputs = graph_.inputs(id);
    return inputs.empty() ? nullptr : node(id).op->block[static_cast<std::size_t>(types_[inputs.back()].dtype)];
  }

  // Whether the node may be part of a block program.
  bool is_fusible(NodeId id) const {
    const OpDef& op = *node(id).op;
    return options_.fuse && op.traits.elementwise && !op.traits.random && op.traits.shape_only == 0 &&
           op.kernel == run_elementwise && graph_.inputs(id).size() <= 4 && block_of(id) != nullptr;
  }

  // Which nodes are computed together, and in which order.
  void schedule() {
    std::vector<NodeId> computed;
    std::vector<std::uint32_t> position(size_, none);
    std::vector<FusionStep> steps;
    for (NodeId id = 0; id < size_; ++id) {
      if (!is_computed(id) || types_[id].shape.elements() == 0) continue;
      FusionStep step;
      step.last = late_[id] != 0;
      for_each_operand(id, [&](NodeId i) {
        const NodeId from = root(i);
        if (position[from] == none) {
          step.others.push_back(i);
          return;
        }
        step.operands.push_back(position[from]);
        step.joins.push_back(static_cast<char>(from == i && late_[i] == late_[id] &&
                                               types_[i].shape == types_[id].shape && is_fusible(i) && is_fusible(id)));
      });
      position[id] = static_cast<std::uint32_t>(computed.size());
      computed.push_back(id);
      steps.push_back(std::move(step));
    }
    unit_of_.assign(size_, none);
    for (const auto& unit : fuse(steps, BlockProgram::max_ops, BlockProgram::max_inputs)) {
      units_.emplace_back();
      for (const std::uint32_t s : unit) {
        unit_of_[computed[s]] = static_cast<std::uint32_t>(units_.size() - 1);
        units_.back().push_back(computed[s]);
      }
    }
  }

  void place() {
    find_last_readers();
    place_updates();
    make_steps();
    place_outputs();
    finish();
  }

  int unit_count() const { return static_cast<int>(units_.size()); }
  const std::vector<NodeId>& unit(int s) const { return units_[static_cast<std::size_t>(s)]; }

  // Number of the last unit that reads the root's bytes; `forever` if they must outlast the run.
  void find_last_readers() {
    last_reader_.assign(size_, -1);
    for (int s = 0; s < unit_count(); ++s) {
      for (const NodeId id : unit(s)) {
        for_each_operand(id, [&](NodeId i) { last_reader_[root(i)] = s; });
      }
    }
    for (Value v : outputs_) last_reader_[root(v.id())] = forever;
    for (const Update& u : updates_) {
      const NodeId id = root(u.value.id());
      if (update_at_[u.value.id()] == none || updates_[update_at_[u.value.id()]].parameter.raw() != u.parameter.raw()) {
        last_reader_[id] = forever;
      }
    }
  }

  // Which updates write in place: those after whose step nobody reads the parameter's old numbers, and after whose step
  // nothing can fail.
  void place_updates() {
    parameter_node_.clear();
    for (NodeId id = 0; id < size_; ++id) {
      if (needed_[id] && node(id).op->traits.leaf == Leaf::parameter)
        parameter_node_[graph_.parameter_of(id).raw()] = id;
    }
    int last_fallible = -1;
    for (int s = 0; s < unit_count(); ++s) {
      if (node(unit(s).front()).op->traits.fallible) last_fallible = s;  // such a step is alone in its unit
    }
    for (NodeId id = 0; id < size_; ++id) {
      if (update_at_[id] == none) continue;
      const int s = static_cast<int>(unit_of_[id]);
      const Parameter& parameter = updates_[update_at_[id]].parameter;
      const auto old = parameter_node_.find(parameter.raw());
      bool possible = options_.donate && s > last_fallible && last_reader_[id] != forever;
      if (possible && old != parameter_node_.end()) {
        const int reader = last_reader_[old->second];
        possible = reader < s || (reader == s && may_overwrite(id, old->second));
      }
      if (!possible) {
        update_at_[id] = none;
        last_reader_[id] = forever;
      }
    }
  }

  // Whether the step of `id` may write over the bytes of `operand`: element by element, each read before it is written,
  // and by no later step of its unit.
  bool may_overwrite(NodeId id, NodeId operand) const {
    if (!node(id).op->traits.elementwise || types_[operand].bytes() != types_[id].bytes()) return false;
    bool possible = true;
    for (const NodeId member : units_[unit_of_[id]]) {
      for_each_operand(member, [&](NodeId i) {
        if (root(i) == operand) possible = possible && member <= id && types_[i] == types_[id];
      });
    }
    return possible;
  }

  void make_steps() {
    std::vector<std::uint32_t> buffer_of_root(size_, none);  // into lifetimes_
    const auto add_buffer = [&](std::size_t bytes, int first, int last) {
      program_.lifetimes.push_back({bytes, first, last});
      return static_cast<std::uint32_t>(program_.lifetimes.size() - 1);
    };
    for (const PlannedInput& input : program_.inputs) {
      if (!input.needed) continue;
      value_buffers_.emplace_back(input.value, add_buffer(input.type.bytes(), -1, forever));
      program_.total_bytes += input.type.bytes();
    }
    for (int s = 0; s < unit_count(); ++s) {
      Step step;
      step.op = node(unit(s).back()).op;
      if (is_fusible(unit(s).back())) {
        add_block(step, unit(s));
      } else {
        const NodeId id = unit(s).front();
        step.attrs = graph_.attrs(id);
        const auto inputs = graph_.inputs(id);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          step.inputs.push_back(operand_value(inputs[i], step.op->shape_only(static_cast<int>(i))));
        }
      }
      for (const NodeId id : unit(s)) {
        program_.total_bytes += types_[id].bytes();
        if (!leaves_unit(id)) continue;
        std::uint32_t output = none;
        if (update_at_[id] != none) {
          const Parameter& parameter = updates_[update_at_[id]].parameter;
          output = add_value(types_[id], {Place::Kind::parameter, parameter_index(parameter), 0});
          const auto old = parameter_node_.find(parameter.raw());
          step.in_place = step.in_place || (old != parameter_node_.end() && last_reader_[old->second] == s);
        } else {
          output = add_value(types_[id], {Place::Kind::arena, 0, 0});
          std::uint32_t buffer = none;
          if (options_.donate) {
            for (const NodeId member : unit(s)) {
              for_each_operand(member, [&](NodeId i) {
                const NodeId from = root(i);
                if (buffer != none || buffer_of_root[from] == none || last_reader_[from] != s) return;
                if (unit_of_[from] == unit_of_[id] || !may_overwrite(id, from)) return;
                buffer = std::exchange(buffer_of_root[from], none);  // given away
              });
            }
          }
          step.in_place = step.in_place || buffer != none;
          const int last = std::max(last_reader_[id], s);
          if (buffer == none) buffer = add_buffer(types_[id].bytes(), s, last);
          program_.lifetimes[buffer].last = std::max(program_.lifetimes[buffer].last, last);
          buffer_of_root[id] = buffer;
          value_buffers_.emplace_back(output, buffer);
        }
        step.outputs.push_back(output);
        value_of_[id] = output;
      }
      if (!step.block && step.op->scratch_bytes) {
        std::vector<TensorType> operands;
        for (const NodeId i : graph_.inputs(unit(s).front())) operands.push_back(types_[i]);
        const std::size_t bytes = step.op->scratch_bytes(operands, types_[unit(s).front()], step.attrs);
        if (bytes > 0) scratch_buffers_.emplace_back(program_.steps.size(), add_buffer(bytes, s, s));
      }
      program_.labels.push_back(label(unit(s)));
      program_.steps.push_back(std::move(step));
    }
  }

  // Whether anything outside its unit wants the value.
  bool leaves_unit(NodeId id) const {
    const int s = static_cast<int>(unit_of_[id]);
    return update_at_[id] != none || last_reader_[id] > s || unit(s).size() == 1;
  }

  void add_block(Step& step, const std::vector<NodeId>& members) {
    auto block = std::make_shared<BlockProgram>(types_[members.front()].shape);
    std::map<NodeId, int> made;             // operand of the block, by the node that is a member
    std::map<std::uint32_t, int> operands;  // and by the planned value that comes from outside
    for (const NodeId id : members) {
      std::array<int, 4> in{};
      const auto inputs = graph_.inputs(id);
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const NodeId from = operand(id, i);
        if (const auto member = made.find(from); member != made.end()) {
          in[i] = member->second;
          continue;
        }
        const std::uint32_t value = operand_value(from, false);
        const auto [found, fresh] = operands.try_emplace(value, 0);
        if (fresh) {
          found->second = block->add_input(types_[from]);
          step.inputs.push_back(value);
        }
        in[i] = found->second;
      }
      made[id] = block->add_op(block_of(id), std::span(in).first(inputs.size()), types_[id].dtype);
      if (leaves_unit(id)) block->add_output(made[id]);
    }
    block->finish();
    step.block = std::move(block);
  }

  std::string label(const std::vector<NodeId>& members) const {
    if (members.size() == 1) return graph_.describe(members.front());
    std::string out = fmt::format("fused {}:", members.size());
    for (const NodeId id : members) out += fmt::format(" %{} {}", id, node(id).op->name);
    return out + " " + types_[members.front()].str();
  }

  // The planned value an operand is read from. Views and values without elements get one when first asked for.
  std::uint32_t operand_value(NodeId id, bool shape_only) {
    if (shape_only) return add_value(types_[id], {Place::Kind::none, 0, 0});
    if (value_of_[id] == none) {
      if (is_view(id) && types_[id].shape.elements() > 0) {
        const std::uint32_t shown = operand_value(root(id), false);
        value_of_[id] = add_value(types_[id], program_.values[shown].place);
        views_.emplace_back(value_of_[id], shown);
      } else {
        value_of_[id] = add_constant(Tensor(types_[id]));  // no elements, so nothing computes it
      }
    }
    return value_of_[id];
  }

  // Outputs and updates that show a parameter's old numbers are saved before any of them changes at the end.
  std::uint32_t kept_value(NodeId id, bool update) {
    const std::uint32_t value = operand_value(id, false);
    const Place place = program_.values[value].place;
    const bool overwritten =
        place.kind == Place::Kind::parameter && std::any_of(updates_.begin(), updates_.end(), [&](const Update& u) {
          return u.parameter.raw() == program_.parameters[place.index].raw();
        });
    if (!overwritten && !(update && place.kind == Place::Kind::parameter)) return value;
    const std::uint32_t saved = add_value(types_[id], {Place::Kind::arena, 0, 0});
    program_.lifetimes.push_back({types_[id].bytes(), unit_count(), forever});
    value_buffers_.emplace_back(saved, static_cast<std::uint32_t>(program_.lifetimes.size() - 1));
    program_.saves.push_back({value, saved});
    return saved;
  }

  void place_outputs() {
    for (const Update& u : updates_) {
      const NodeId id = u.value.id();
      const bool written = update_at_[id] != none && updates_[update_at_[id]].parameter == u.parameter;
      if (written || types_[id].shape.elements() == 0) continue;
      const std::uint32_t from = kept_value(id, true);
      const std::uint32_t to = add_value(types_[id], {Place::Kind::parameter, parameter_index(u.parameter), 0});
      program_.commits.push_back({from, to});
    }
    for (Value v : outputs_) program_.outputs.push_back(kept_value(v.id(), false));
  }

  void finish() {
    const MemoryPlan memory = place_buffers(program_.lifetimes, options_.reuse);
    program_.offsets = memory.offsets;
    program_.arena_bytes = memory.total;
    for (const auto& [value, buffer] : value_buffers_) program_.values[value].place.offset = memory.offsets[buffer];
    for (const auto& [view, shown] : views_) program_.values[view].place = program_.values[shown].place;
    for (const auto& [step, buffer] : scratch_buffers_) program_.steps[step].scratch_offset = memory.offsets[buffer];
  }

  const std::vector<Value>& outputs_;
  const std::vector<Update>& updates_;
  const PlanOptions& options_;
  const Graph& graph_;
  NodeId size_ = 0;  // nodes beyond the last result do not matter
  std::vector<TensorType> types_;
  std::vector<char> needed_;
  std::vector<std::uint32_t> value_of_;     // node -> planned value
  std::vector<std::uint32_t> update_at_;    // node -> the update it writes in place
  std::vector<char> late_;                  // written in place, or after what is
  std::vector<std::vector<NodeId>> units_;  // what runs together, in the order of running
  std::vector<std::uint32_t> unit_of_;
  std::vector<int> last_reader_;
  std::map<const void*, NodeId> parameter_node_;
  std::map<const void*, std::uint32_t> parameter_ids_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> value_buffers_;  // value, buffer
  std::vector<std::pair<std::uint32_t, std::uint32_t>> views_;          // view, shown
  std::vector<std::pair<std::size_t, std::uint32_t>> scratch_buffers_;  // step, buffer
  Program program_;
};

}  // namespace

Program build_program(const std::vector<Value>& outputs, const std::vector<Update>& updates,
                      const PlanOptions& options) {
  return Planner(outputs, updates, options).build();
}

}  // namespace xgrad
