#include <xgrad/nn/training/tensorboard.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/nn/events/runs.hpp>
#include <xgrad/nn/training/internal/sample_rows.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {
namespace {

namespace fs = std::filesystem;

constexpr const char* where = "tensor_board";

std::int64_t steps_done(const Training& t) { return std::int64_t{t.epoch()} * t.batches() + t.batch(); }

// The event files of one folder, train or validation.
class Folder {
 public:
  // `resumed`: existing event files belong to the same fit and are continued.
  Folder(const fs::path& path, bool resumed) : events_(path) {
    if (!resumed) {
      events_.restart(0);
      return;
    }
    const EventRun before = load_run(path);
    for (const auto& [tag, points] : before.scalars) last_[tag] = points.back().step;
    for (const auto& [tag, other] : before.others) last_[tag] = other.last_step;
    has_graph_ = before.graphs > 0;
  }

  EventWriter& events() { return events_; }
  bool has_graph() const { return has_graph_; }
  // Whether the existing files have no entry of this tag at `step` or later.
  bool is_new(const std::string& tag, std::int64_t step) const {
    const auto found = last_.find(tag);
    return found == last_.end() || found->second < step;
  }
  void scalars(std::vector<std::pair<std::string, double>> values, std::int64_t step) {
    if (!last_.empty()) std::erase_if(values, [&](const auto& value) { return !is_new(value.first, step); });
    events_.scalars(values, step);
  }
  void histogram(const std::string& name, const Tensor& values, std::int64_t step) {
    if (!is_new(name + "/histogram", step)) return;
    const Index not_finite = events_.histogram(name + "/histogram", values, step);
    if (not_finite > 0) events_.scalar(name + "/not_finite", static_cast<double>(not_finite), step);
  }

 private:
  EventWriter events_;
  std::map<std::string, std::int64_t> last_;  // by tag: the last step in the earlier files of a resumed fit
  bool has_graph_ = false;
};

// Computes gradients and layer outputs on sampled rows.
class Probe {
 public:
  Probe(const Training& t, Index rows) : model_(t.model().training_graph(rows, !t.data().weights.empty())) {
    Graph& g = *model_.graph;
    std::vector<Value> weights, outputs;
    for (const Parameter& p : model_.trained) {
      weights.push_back(g.parameter(p));
      names_.push_back(p.name() + "/gradient");
    }
    // The output of a layer is that of its last node. Nodes after the prediction belong to the loss and gradients.
    std::map<std::string, Value> layers;
    for (NodeId id = 0; id <= model_.prediction.id(); ++id) {
      const Node& node = g.node(id);
      const Shape& shape = node.type.shape;
      const bool of_rows = shape.rank() > 0 && shape[0] == rows && is_floating(node.type.dtype);
      if (node.op->traits.leaf == Leaf::none && node.role == Role::forward && of_rows && !g.scope_of(id).empty())
        layers[g.scope_of(id)] = g.value(id);
    }
    if (!weights.empty()) outputs = gradients(model_.loss, weights);
    for (const auto& [scope, value] : layers) {
      outputs.push_back(value);
      names_.push_back(scope + "/output");
    }
    plan_.emplace(outputs);
    memory_.emplace(*plan_);
    memory_->feed(model_.feeds(sample_rows(t.data(), rows)));
  }

  void write(Folder& to, std::int64_t epoch, std::int64_t step) {
    plan_->run(*memory_, {.step = static_cast<std::uint64_t>(step)});
    for (std::size_t i = 0; i < names_.size(); ++i)
      to.histogram(names_[i], memory_->output(static_cast<int>(i)), epoch);
  }

 private:
  ModelGraph model_;
  std::vector<std::string> names_;  // names of the outputs
  std::optional<Plan> plan_;
  std::optional<Workspace> memory_;
};

// Scales a weight with one or two axes of extent above 1 to [0, 1]: 0 is the smallest value. As in Keras, a vector is a
// row, and images are at least as wide as high. Returns nothing for other ranks and non-finite values.
std::optional<Tensor> image_of(const Tensor& weight) {
  Shape sides;
  for (const Index extent : weight.shape()) {
    if (extent != 1) sides.push_back(extent);
  }
  if (sides.rank() == 0 || sides.rank() > 2 || weight.elements() == 0) return std::nullopt;
  const bool transposed = sides.rank() == 2 && sides[0] > sides[1];
  const Index rows = sides.rank() == 1 ? 1 : sides[0], columns = sides.back();
  double least = weight.at(0), largest = least;
  for (Index i = 0; i < weight.elements(); ++i) {
    const double x = weight.at(i);
    if (!std::isfinite(x)) return std::nullopt;
    least = std::min(least, x);
    largest = std::max(largest, x);
  }
  const double range = largest > least ? largest - least : 1;
  Tensor out(transposed ? Shape{columns, rows} : Shape{rows, columns}, f64);
  const auto to = out.mutable_values<double>();
  for (Index i = 0; i < weight.elements(); ++i) {
    const Index at = transposed ? i % columns * rows + i / columns : i;
    to[static_cast<std::size_t>(at)] = (weight.at(i) - least) / range;
  }
  return out;
}

}  // namespace

struct TensorBoard::Run {
  Run(const fs::path& path, bool resumes) : log_dir(path), resumed(resumes), train(path / "train", resumes) {}

  fs::path log_dir;
  bool resumed;
  Folder train;
  std::optional<Folder> validation;
  std::optional<EventWriter> session;
  std::optional<Probe> probe;

  // Creates the folder at the first use.
  Folder& validation_folder() {
    if (!validation) validation.emplace(log_dir / "validation", resumed);
    return *validation;
  }
};

void TensorBoard::on_fit_begin(Training& t) {
  if (log_dir.empty()) throw UserError(fmt::format("{}: log_dir is empty", where));
  require_at_least(where, "histogram_freq", histogram_freq, 0);
  require_at_least(where, "histogram_rows", histogram_rows, 0);
  require_at_least(where, "update_freq", update_freq, 0);
  run = std::make_shared<Run>(log_dir, steps_done(t) > 0);
  Folder& to = run->train;
  if (write_graph && !to.has_graph()) {
    const ModelGraph step = t.model().training_graph(t.batch_size(), !t.data().weights.empty());
    to.events().layers(step.prediction);
    to.events().text("summary", "```\n" + t.model().str() + "```\n", 0);
    to.events().graph(*step.graph, step.updates);
  }
  if (!hyper_parameters.empty()) {
    run->session.emplace(log_dir);
    run->session->begin_session(hyper_parameters);
  }
}

void TensorBoard::on_batch_end(Training& t) {
  if (update_freq == 0) return;
  const std::int64_t step = steps_done(t);
  if (step % update_freq != 0) return;
  std::vector<std::pair<std::string, double>> values;
  for (const auto& [name, value] : t.logs().entries()) values.emplace_back("batch_" + name, value);
  run->train.scalars(std::move(values), step);
}

void TensorBoard::on_epoch_end(Training& t) {
  constexpr std::string_view validation_prefix = "val_";
  std::vector<std::pair<std::string, double>> train, valid, by_step;
  for (const auto& [name, value] : t.logs().entries()) {
    if (!name.starts_with(validation_prefix)) {
      train.emplace_back("epoch_" + name, value);
      continue;
    }
    const std::string bare = name.substr(validation_prefix.size());
    valid.emplace_back("epoch_" + bare, value);
    by_step.emplace_back("evaluation_" + bare + "_vs_iterations", value);
  }
  if (write_steps_per_second && t.history().training_seconds().back() > 0)
    train.emplace_back("epoch_steps_per_second", t.batches() / t.history().training_seconds().back());
  const std::int64_t step = (std::int64_t{t.epoch()} + 1) * t.batches();
  run->train.scalars(std::move(train), t.epoch());
  if (!valid.empty()) {
    run->validation_folder().scalars(std::move(valid), t.epoch());
    run->validation_folder().scalars(std::move(by_step), step);
  }
  if (histogram_freq == 0 || t.epoch() % histogram_freq != 0) return;
  for (const Parameter& p : t.model().parameters()) {
    run->train.histogram(p.name(), p.view(), t.epoch());
    const std::string tag = p.name() + "/image";
    if (!write_images || !run->train.is_new(tag, t.epoch())) continue;
    if (const auto image = image_of(p.view())) run->train.events().image(tag, *image, t.epoch());
  }
  const Index rows = std::min(histogram_rows, t.data().size());
  if (rows == 0) return;
  if (!run->probe) run->probe.emplace(t, rows);
  run->probe->write(run->train, t.epoch(), step);
}

void TensorBoard::on_fit_end(Training&) {
  if (run->session) run->session->end_session();
  run.reset();
}

}  // namespace xgrad::inline v0::nn
