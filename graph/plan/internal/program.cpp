#include <xgrad/graph/plan/internal/program.hpp>

#include <algorithm>
#include <utility>

#include <xgrad/graph/base/internal/sizes.hpp>
#include <xgrad/graph/plan/internal/place.hpp>

namespace xgrad::inline v0 {
namespace {

Storage storage_of(const Needed& needed, const Placement& placement, ItemId id) {
  const ItemId bytes = needed.storage(id);
  const Item& item = needed.items[bytes];
  if (item.kind == Item::Kind::constant) return {Storage::Kind::constant, item.index, 0};
  if (item.kind == Item::Kind::parameter) return {Storage::Kind::parameter, item.index, 0};
  if (const std::uint32_t parameter = placement.written_to[bytes]; parameter != Placement::none)
    return {Storage::Kind::parameter, parameter, 0};
  if (const std::uint32_t buffer = placement.buffer_of[bytes]; buffer != Placement::none)
    return {Storage::Kind::arena, 0, placement.memory.offsets[buffer]};
  return {};
}

Program lower(Needed needed, std::vector<Selected> steps, Placement placement) {
  Program out;
  out.values.reserve(needed.items.size() + placement.saves.size() + placement.commits.size());
  out.steps.reserve(steps.size());
  for (ItemId id = 0; id < needed.size(); ++id) {
    const Item& item = needed.items[id];
    out.values.push_back({item.type, storage_of(needed, placement, id), item.storage});
    if (item.kind == Item::Kind::input || item.kind == Item::Kind::computed)
      out.total_bytes = add_sizes("plan", out.total_bytes, item.type.bytes());
  }
  const auto add_value = [&](ItemId like, Storage storage) {
    const auto value = static_cast<std::uint32_t>(out.values.size());
    out.values.push_back({needed.type(like), storage, value});
    return value;
  };
  std::vector<std::uint32_t> kept(needed.size());  // by item: the value that has its bytes at the end of a run
  for (ItemId id = 0; id < needed.size(); ++id) kept[id] = id;
  for (const auto& [item, buffer] : placement.saves) {
    kept[item] = add_value(item, {Storage::Kind::arena, 0, placement.memory.offsets[buffer]});
    out.saves.push_back({item, kept[item]});
  }
  for (const std::uint32_t u : placement.commits) {
    const auto& [value, parameter, alone] = needed.updates[u];
    out.commits.push_back({kept[value], add_value(value, {Storage::Kind::parameter, parameter, 0})});
  }
  for (const ItemId id : needed.outputs) out.outputs.push_back(kept[id]);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    Step& step = out.steps.emplace_back(std::move(steps[s].step));
    if (const std::uint32_t buffer = placement.scratch[s]; buffer != Placement::none)
      step.scratch_offset = placement.memory.offsets[buffer];
    step.in_place = placement.in_place[s] != 0;
  }
  for (std::size_t i = 0; i < needed.inputs.size(); ++i) out.input_of_name.emplace(needed.inputs[i].name, i);
  out.inputs = std::move(needed.inputs);
  out.parameters = std::move(needed.parameters);
  out.constants = std::move(needed.constants);
  out.lifetimes = std::move(placement.buffers);
  out.offsets = std::move(placement.memory.offsets);
  out.arena_bytes = placement.memory.total;
  out.graph = needed.rewritten->source;
  out.seed = out.graph->options().seed;
  out.life = out.graph->life();
  return out;
}

}  // namespace

#ifdef NDEBUG
bool verify_stages = false;
#else
bool verify_stages = true;
#endif

Program build_program(const std::vector<Value>& outputs, const std::vector<Update>& given, const PlanOptions& options) {
  // Remove duplicates: two optimizers of one graph both pass the graph's own updates.
  std::vector<Update> updates;
  for (const Update& u : given) {
    const auto same = [&](const Update& other) { return other.parameter == u.parameter && other.value == u.value; };
    if (std::none_of(updates.begin(), updates.end(), same)) updates.push_back(u);
  }
  const Rewritten rewritten = rewrite(outputs, updates, options);
  if (verify_stages) verify(rewritten);
  Needed items = needed(rewritten, options.fold_constants, options.fuse);
  if (verify_stages) verify(items);
  const Schedule groups = schedule(items, options.fuse);
  if (verify_stages) verify(groups, items);
  std::vector<Selected> steps = select(items, groups);
  if (verify_stages) verify(steps, items);
  Placement placement = place(items, steps, options);
  if (verify_stages) verify(placement, items, steps);
  Program out = lower(std::move(items), std::move(steps), std::move(placement));
  out.requested_outputs = outputs;
  out.updates = updates;
  if (options.check_finite) out.snapshot = out.graph->snapshot();
  return out;
}

}  // namespace xgrad::inline v0
