#include "../inputs.hpp"
#include "jobs.hpp"

namespace bench {

namespace xg = xgrad;

namespace {

// Keeps the graph alive: the plan and its updates refer to it.
struct Planned {
  std::shared_ptr<xg::Graph> graph;
  xg::Plan plan;
  xg::Workspace memory;
  std::vector<xg::Parameter> trained;  // digested if there are no outputs
  int outputs = 0;
  std::uint64_t step = 0;

  void run(int threads) { plan.run(memory, {.threads = threads, .step = ++step}); }
};

void fill_input(const xg::Buffer& to, const Input& rule, std::size_t seed) {
  const xg::Index count = to.type.shape.elements();
  if (to.type.dtype == xg::i64) return fill_indices(to.as<std::int64_t>(), count, rule, seed);
  if (to.type.dtype == xg::boolean) return fill_mask(to.as<bool>(), count, seed);
  xg::with_floating(to.type.dtype, [&](auto zero) {
    fill(to.as<decltype(zero)>(), rule.kind, Extents(to.type.shape.begin(), to.type.shape.end()), seed);
  });
}

}  // namespace

xg::DType dtype_of(const Input& input) {
  if (input.kind == Kind::indices || input.kind == Kind::labels) return xg::i64;
  if (input.kind == Kind::mask) return xg::boolean;
  return input.wide ? xg::f64 : xg::f32;
}

Digest digest_of(const xg::Tensor& t, bool random) {
  return xg::with_dtype(t.dtype(), [&](auto zero) {
    const auto* data = static_cast<const decltype(zero)*>(t.raw());
    return random ? digest_random(data, t.elements()) : digest(data, t.elements());
  });
}

Prepared run_plan(std::shared_ptr<xg::Graph> graph, const std::vector<xg::Value>& outputs, int threads,
                  const std::vector<xg::Update>& updates, const std::vector<Input>& inputs, bool random) {
  xg::Plan plan(outputs, updates);
  xg::Workspace memory(plan);
  const auto planned = std::make_shared<Planned>(Planned{std::move(graph), std::move(plan), std::move(memory), {}});
  planned->outputs = static_cast<int>(outputs.size());
  for (const xg::Update& update : updates) {
    if (update.parameter.trainable()) planned->trained.push_back(update.parameter);
  }
  std::size_t seed = 0;
  for (xg::NodeId id = 0; id < planned->graph->size(); ++id) {
    if (planned->graph->node(id).op->traits.leaf != xg::Leaf::input) continue;
    const xg::Buffer input = planned->memory.feed_in_place(planned->graph->value(id));
    if (input.data != nullptr) fill_input(input, seed < inputs.size() ? inputs[seed] : Input{}, seed);
    ++seed;
  }
  const auto results = [planned, threads, random] {
    for (int i = 0; i < 3; ++i) planned->run(threads);
    std::vector<Digest> out;
    for (int i = 0; i < planned->outputs; ++i) out.push_back(digest_of(planned->memory.output(i), random));
    if (out.empty()) {
      for (const xg::Parameter& p : planned->trained) out.push_back(digest_of(p.view()));
    }
    return out;
  };
  return {timed([planned, threads] { planned->run(threads); }), results};
}

std::vector<Job> all_jobs() {
  std::vector<Job> out;
  for (const auto& family :
       {training_jobs(), inference_jobs(), image_jobs(), transformer_jobs(), derivative_jobs(), optimizer_jobs(),
        rebuilt_jobs(), product_jobs(), operation_jobs(), table_jobs(), planning_jobs()}) {
    out.insert(out.end(), family.begin(), family.end());
  }
  return out;
}

}  // namespace bench
