// Whole networks: training steps, epochs and inference.
#include <cmath>

#include "../shapes.hpp"
#include "jobs.hpp"

namespace bench {

namespace xg = xgrad;
namespace nn = xgrad::nn;

nn::Model mnist_net(bool dropout) {
  nn::Model model{nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dense(64, nn::relu), nn::BatchNorm(),
                                 nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dropout(dropout ? 0.2 : 0),
                                 nn::Dense(classes, nn::softmax)},
                  {pixels}};
  model.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}});
  return model;
}

nn::Model wide_net(bool) {
  nn::Model model{nn::Sequential{nn::Dense(1024, nn::relu), nn::Dense(1024, nn::relu), nn::Dense(1024, nn::relu),
                                 nn::Dense(classes, nn::softmax)},
                  {pixels}};
  model.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}});
  return model;
}

nn::Model boston_net(bool dropout) {
  nn::Model model{nn::Sequential{nn::Dense(32, nn::relu), nn::BatchNorm(), nn::Dense(16, nn::relu), nn::BatchNorm(),
                                 nn::Dropout(dropout ? 0.2 : 0), nn::Dense(1)},
                  {13}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{}});
  return model;
}

namespace {

nn::Dataset made_up(xg::Index rows) {
  xg::Tensor x({rows, pixels});
  fill(x.mutable_values<float>().data(), x.elements());
  xg::Tensor labels({rows}, xg::i64);
  xg::Index next = 0;
  for (std::int64_t& label : labels.mutable_values<std::int64_t>()) label = next++ % classes;
  return {x, nn::one_hot(labels, classes)};
}

// Epochs of fit(), including selecting and copying rows; times are per training step.
Job epochs(const std::string& name, bool shuffle) {
  const auto prepare = [shuffle](int threads) {
    const auto model = std::make_shared<nn::Model>(mnist_net());
    const auto data = std::make_shared<nn::Dataset>(made_up(images));
    return Run([=](std::int64_t repetitions) {
      const nn::History history = model->fit(*data, {.batch_size = mnist_batch,
                                                     .epochs = static_cast<int>(repetitions),
                                                     .shuffle = shuffle,
                                                     .verbose = nn::Verbose::silent,
                                                     .threads = threads});
      double seconds = 0;
      for (const double epoch : history.training_seconds()) seconds += epoch;
      return seconds * 1e9;
    });
  };
  return {name, prepare, std::ceil(static_cast<double>(images) / mnist_batch)};
}

}  // namespace

nn::Model with_shared_weights(nn::Model model) {
  std::size_t position = 0;
  for (xg::Parameter p : model.parameters()) {
    if (!p.trainable()) continue;
    const Extents shape(p.shape().begin(), p.shape().end());
    xg::Tensor values(p.type());
    if (shape.size() > 1) {
      xg::with_floating(values.dtype(), [&](auto zero) {
        fill(values.mutable_values<decltype(zero)>().data(), Kind::weight, shape, weight_seed(position));
      });
      p.set(values);
    }
    ++position;
  }
  return model;
}

Job training_step(const std::string& name, const MakeModel& make, xg::Index rows, const Input& x, const Input& y) {
  return {name, [=](int threads) {
            const auto step = [=](bool dropout) {
              nn::ModelGraph g = with_shared_weights(make(dropout)).training_graph(rows);
              return run_plan(std::move(g.graph), {g.loss}, threads, g.updates, {x, y});
            };
            return Prepared(step(true).run, [=] { return step(false).results(); });
          }};
}

Job inference(const std::string& name, const MakeModel& make, xg::Index rows, const Input& x) {
  return {name, [=](int threads) {
            nn::ModelGraph g = with_shared_weights(make(true)).inference_graph(rows);
            return run_plan(std::move(g.graph), {g.prediction}, threads, {}, {x});
          }};
}

std::vector<Job> training_jobs() {
  return {
      training_step("train/mnist/step", mnist_net, mnist_batch, {}, {Kind::one_hot}),
      epochs("train/mnist/in-order", false),
      epochs("train/mnist/shuffled", true),
      training_step("train/wide", wide_net, 256, {}, {Kind::one_hot}),
      training_step("train/boston", boston_net, 8, {}, {}),
  };
}

std::vector<Job> inference_jobs() {
  return {
      inference("infer/mnist/1", mnist_net, 1, {}),
      inference("infer/mnist/128", mnist_net, 128, {}),
      inference("infer/mnist/1024", mnist_net, 1024, {}),
      inference("infer/wide/256", wide_net, 256, {}),
  };
}

std::size_t first_step() {
  const nn::Dataset batch = made_up(mnist_batch);
  nn::Model model = mnist_net();
  (void)model.fit(batch, {.batch_size = mnist_batch, .epochs = 1, .verbose = nn::Verbose::silent});
  return batch.x.bytes() + batch.y.bytes();
}

std::vector<Quantity> memory_quantities() {
  std::vector<Quantity> out;
  const auto add = [&](const std::string& name, const nn::Model& model, xg::Index rows) {
    const nn::ModelGraph g = model.training_graph(rows);
    const xg::Plan plan({g.loss}, g.updates);
    out.push_back({name + "/peak", static_cast<double>(plan.peak_bytes())});
    out.push_back({name + "/all-values", static_cast<double>(plan.total_bytes())});
  };
  add("train/mnist", mnist_net(), mnist_batch);
  add("train/wide", wide_net(), 256);
  add("train/boston", boston_net(), 8);
  return out;
}

}  // namespace bench
