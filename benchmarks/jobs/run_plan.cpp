#include "../shapes.hpp"
#include "jobs.hpp"

namespace bench {

namespace xg = xgrad;

namespace {

// Keeps the graph alive: the plan and its updates refer to it.
struct Planned {
  std::shared_ptr<xg::Graph> graph;
  xg::Plan plan;
  xg::Workspace memory;
  std::uint64_t step = 0;
};

}  // namespace

Run run_plan(std::shared_ptr<xg::Graph> graph, const std::vector<xg::Value>& outputs, int threads,
             const std::vector<xg::Update>& updates) {
  xg::Plan plan(outputs, updates);
  xg::Workspace memory(plan);
  const auto planned = std::make_shared<Planned>(Planned{std::move(graph), std::move(plan), std::move(memory)});
  for (xg::NodeId id = 0; id < planned->graph->size(); ++id) {
    if (planned->graph->node(id).op->traits.leaf != xg::Leaf::input) continue;
    const xg::Buffer input = planned->memory.feed_in_place(planned->graph->value(id));
    if (input.data == nullptr) continue;
    if (input.type.dtype == xg::f32)
      fill(input.as<float>(), input.type.shape.elements());
    else
      std::fill_n(input.as<char>(), input.type.bytes(), char{0});
  }
  return timed(
      [planned, threads] { planned->plan.run(planned->memory, {.threads = threads, .step = ++planned->step}); });
}

std::vector<Job> all_jobs() {
  std::vector<Job> out;
  for (const auto& family : {training_jobs(), inference_jobs(), derivative_jobs(), optimizer_jobs(), product_jobs(),
                             operation_jobs(), planning_jobs()}) {
    out.insert(out.end(), family.begin(), family.end());
  }
  return out;
}

}  // namespace bench
