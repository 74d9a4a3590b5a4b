// Model::profile: times a training step.
#include <algorithm>
#include <vector>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/nn/training/internal/data_checks.hpp>
#include <xgrad/nn/training/internal/model_state.hpp>
#include <xgrad/ops/machine_peak.hpp>

namespace xgrad::inline v0::nn {

Profile Model::profile(const Dataset& data, int batch_size, const ProfileOptions& options) const {
  State& s = *state_;
  const ModelUse::Call changing = s.use.change("profile", s.options.name);  // runs change the weights temporarily
  (void)s.require_compiled("profile");
  require_at_least("profile", "batch_size", batch_size, 1);
  const Dataset checked = s.checked("profile", data);
  if (checked.size() == 0) throw ShapeError("profile: there are no rows");
  const Dataset batch = checked.slice(0, std::min<Index>(batch_size, checked.size()));

  const ModelGraph graph = training_graph(batch.size(), !batch.weights.empty());
  std::vector<Value> outputs{graph.loss};
  outputs.insert(outputs.end(), graph.metrics.begin(), graph.metrics.end());
  const Plan plan(outputs, graph.updates);
  Workspace memory(plan);
  memory.feed(graph.feeds(batch));
  ProfileOptions how = options;
  if (!how.peak) how.peak = measure_peak(how.run.threads);
  return xgrad::profile(plan, memory, how);
}

}  // namespace xgrad::inline v0::nn
