// Sparse updates: an optimizer changes only the rows of an embedding that a batch used.
#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/nn/layers/dense.hpp>
#include <xgrad/nn/layers/embedding.hpp>
#include <xgrad/nn/layers/pooling.hpp>
#include <xgrad/nn/losses.hpp>
#include <xgrad/nn/optimizers/rules.hpp>
#include <xgrad/nn/sequential.hpp>
#include <xgrad/nn/training/model.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/dice.hpp"
#include "support/random_graph.hpp"

using namespace xgrad;
using testing::Dice;

namespace {

constexpr Index width = 3;

// Trains a table so that its rows, looked up by batches of indices, come near targets.
class Table {
 public:
  struct Options {
    bool sparse = false;
    bool hidden = false;  // the optimizer does not see that the gradient has few rows
    DType dtype = f32;
    int batch = 5;
  };
  Table(const nn::Optimizer& optimizer, Index rows, Options options)
      : graph({.dtype = options.dtype}),
        state(optimizer),
        ids(graph.input("ids", {options.batch}, i64)),
        targets(graph.input("targets", {options.batch, width})) {
    Dice dice(3);
    table = Parameter("table", testing::random_tensor(dice, {rows, width}, options.dtype));
    const Value used = embedding(graph.parameter(table), ids, options.sparse);
    const Value loss = sum(square(used - targets));
    Value slope = gradients(loss, table);
    if (options.hidden) slope = slope * 1.0 + 0.0;
    plan.emplace(std::vector<Value>{loss}, optimizer.updates(graph, {table}, {slope}, state));
    memory.emplace(*plan);
  }

  void step(const std::vector<std::int64_t>& at, const Tensor& to) {
    memory->feed(ids, Tensor::from<std::int64_t>({static_cast<Index>(at.size())}, at));
    memory->feed(targets, to);
    plan->run(*memory);
  }

  Graph graph;
  nn::OptimizerState state;
  Parameter table;
  Value ids, targets;
  std::optional<Plan> plan;
  std::optional<Workspace> memory;
};

// Batches of few, repeated indices.
struct Batches {
  explicit Batches(Index rows, DType dtype = f32) : dice(11), rows_(rows), dtype_(dtype) {}
  void next(int count = 5) {
    ids.clear();
    for (int i = 0; i < count; ++i) ids.push_back(dice.chance(0.3) && i > 0 ? ids[0] : dice.below(rows_));
    targets = testing::random_tensor(dice, {count, width}, dtype_);
  }
  Dice dice;
  Index rows_;
  DType dtype_;
  std::vector<std::int64_t> ids;
  Tensor targets;
};

void check_equal_to_dense(const nn::Optimizer& optimizer, bool sparse) {
  for (const DType dtype : {f32, f64}) {
    Table few(optimizer, 40, {.sparse = sparse, .dtype = dtype}), all(optimizer, 40, {.hidden = true, .dtype = dtype});
    Batches batches(40, dtype);
    for (int i = 0; i < 20; ++i) {
      batches.next();
      few.step(batches.ids, batches.targets);
      all.step(batches.ids, batches.targets);
    }
    CHECK(bitwise_equal(few.table.value(), all.table.value()));
    for (const auto& [name, slot] : all.state.slots)
      CHECK(bitwise_equal(slot.value(), few.state.slots.at(name).value()));
  }
}

}  // namespace

TEST_CASE("sparse updates: SGD and Adagrad equal updates of all rows, bit for bit") {
  for (const bool sparse : {false, true}) {
    check_equal_to_dense(nn::SGD{.learning_rate = 0.1}, sparse);
    check_equal_to_dense({nn::SGD{.learning_rate = 0.1}, {.clip_value = 0.5}}, sparse);
    check_equal_to_dense(nn::Adagrad{.learning_rate = 0.1}, sparse);
    check_equal_to_dense(nn::Adagrad{.preset = nn::Preset::torch, .accumulator = 0, .epsilon = 1e-7}, sparse);
  }
}

TEST_CASE("sparse updates: without the option, rules with moments and decay update all rows") {
  check_equal_to_dense(nn::Adam{}, false);
  check_equal_to_dense(nn::SGD{.learning_rate = 0.1, .momentum = 0.9}, false);
  check_equal_to_dense({nn::SGD{.learning_rate = 0.1}, {.weight_decay = 0.1}}, false);
  check_equal_to_dense({nn::SGD{.learning_rate = 0.1}, {.ema_momentum = 0.9}}, true);
  check_equal_to_dense({nn::SGD{.learning_rate = 0.1}, {.accumulate = 3}}, true);
}

// The formula of torch.optim.SparseAdam: moments of a row decay in steps that use it, the bias correction in all steps.
TEST_CASE("sparse updates: Adam equals a loop over the rows that were used") {
  constexpr Index rows = 30;
  constexpr double rate = 0.05, beta_1 = 0.9, beta_2 = 0.99, epsilon = 1e-3;
  const nn::Adam adam{
      .preset = nn::Preset::torch, .learning_rate = rate, .beta_1 = beta_1, .beta_2 = beta_2, .epsilon = epsilon};
  Table table(adam, rows, {.sparse = true, .dtype = f64});
  const Tensor start = table.table.value();
  std::vector<double> w(start.values<double>().begin(), start.values<double>().end());
  std::vector<double> m(w.size(), 0), v(w.size(), 0);
  Batches batches(rows, f64);
  for (int t = 1; t <= 25; ++t) {
    batches.next();
    table.step(batches.ids, batches.targets);
    std::map<std::size_t, double> gradient;
    for (std::size_t i = 0; i < batches.ids.size(); ++i) {
      for (std::size_t k = 0; k < width; ++k) {
        const std::size_t at = static_cast<std::size_t>(batches.ids[i]) * width + k;
        gradient[at] += 2 * (w[at] - batches.targets.at(static_cast<Index>(i * width + k)));
      }
    }
    for (const auto& [at, g] : gradient) {
      m[at] += (1 - beta_1) * (g - m[at]);
      v[at] += (1 - beta_2) * (g * g - v[at]);
      w[at] -=
          rate / (1 - std::pow(beta_1, t)) * m[at] / (std::sqrt(v[at]) / std::sqrt(1 - std::pow(beta_2, t)) + epsilon);
    }
  }
  const Tensor now = table.table.value();
  for (std::size_t i = 0; i < w.size(); ++i)
    CHECK(now.at(static_cast<Index>(i)) == doctest::Approx(w[i]).epsilon(1e-12));
}

TEST_CASE("sparse updates: rows that a batch did not use stay as they are with every rule") {
  for (const nn::Optimizer& optimizer :
       std::vector<nn::Optimizer>{nn::SGD{.momentum = 0.9},
                                  nn::RMSprop{.momentum = 0.5, .centered = true},
                                  nn::Adadelta{},
                                  nn::AdamW{},
                                  nn::Adamax{},
                                  nn::Nadam{},
                                  nn::Lion{},
                                  {nn::Adam{.amsgrad = true}, {.global_clip_norm = 1}}}) {
    CAPTURE(optimizer.name());
    Table table(optimizer, 50, {.sparse = true});
    const Tensor before = table.table.value();
    Batches batches(20);
    for (int i = 0; i < 8; ++i) {
      batches.next();
      table.step(batches.ids, batches.targets);
    }
    const Tensor after = table.table.value();
    int changed = 0;
    for (Index i = 0; i < before.elements(); ++i) {
      changed += before.at(i) != after.at(i) ? 1 : 0;
      if (i >= 20 * width) CHECK(before.at(i) == after.at(i));
    }
    CHECK(changed > 10 * width);
    for (const auto& [name, slot] : table.state.slots) {
      const Tensor kept = slot.value();
      for (Index i = 20 * width; i < kept.elements(); ++i) CHECK(kept.at(i) == 0);
    }
  }
}

TEST_CASE("sparse updates: a step does not depend on the number of rows") {
  struct Cost {
    std::size_t peak;
    int steps;
    double flops;
  };
  const auto cost = [](const nn::Optimizer& optimizer, bool sparse, Index rows) {
    const Table table(optimizer, rows, {.sparse = sparse});
    const Plan& plan = *table.plan;
    return Cost{plan.peak_bytes(), plan.steps(), plan.flops()};
  };
  struct Case {
    nn::Optimizer optimizer;
    bool sparse;
  };
  for (const Case& c : std::vector<Case>{
           {nn::SGD{}, false}, {nn::Adagrad{}, false}, {nn::Adam{}, true}, {nn::SGD{.momentum = 0.9}, true}}) {
    CAPTURE(c.optimizer.name());
    const Cost few = cost(c.optimizer, c.sparse, 1000), many = cost(c.optimizer, c.sparse, 200000);
    CHECK(many.peak == few.peak);
    CHECK(many.peak < 10000);
    CHECK(many.steps == few.steps);
    CHECK(many.flops == few.flops);
  }
  CHECK(cost(nn::Adam{}, false, 2000).peak > 2000 * width * sizeof(float));
}

TEST_CASE("sparse updates: an index out of range changes nothing") {
  Table table(nn::Adam{}, 50, {.sparse = true});
  Batches batches(50);
  batches.next();
  table.step(batches.ids, batches.targets);
  const Tensor before = table.table.value(), mean = table.state.slots.at("table/mean").value();
  batches.ids[3] = 50;
  CHECK_THROWS_WITH_AS(table.step(batches.ids, batches.targets), doctest::Contains("index 50 at position 3"),
                       ValueError);
  CHECK(bitwise_equal(before, table.table.value()));
  CHECK(bitwise_equal(mean, table.state.slots.at("table/mean").value()));
}

TEST_CASE("sparse updates: several uses of one table, and tied weights") {
  const auto train = [](const nn::Optimizer& optimizer, bool tied, bool sparse, bool hidden) {
    Graph g;
    Dice dice(5);
    const Parameter table("table", testing::random_tensor(dice, {60, 4}, f32));
    const Value ids = g.constant(Tensor::from<std::int64_t>({2, 3}, {1, 7, 7, 40, 1, 59}));
    const Value more = g.constant(Tensor::from<std::int64_t>({4}, {7, 2, 2, 1}));
    const Value t = g.parameter(table);
    Value y = mean(embedding(t, ids, sparse), {0, 1}) + sum(square(embedding(t, more, sparse)), {0});
    if (tied) y = matmul(expand_dims(y, 0), transpose(t));
    const Value loss = sum(square(y));
    nn::OptimizerState state(optimizer);
    Value slope = gradients(loss, table);
    if (hidden) slope = slope * 1.0 + 0.0;
    const Plan plan({loss}, optimizer.updates(g, {table}, {slope}, state));
    Workspace memory(plan);
    for (int i = 0; i < 5; ++i) plan.run(memory);
    return table.value();
  };
  const nn::Optimizer sgd = nn::SGD{.learning_rate = 0.01}, adam = nn::Adam{};
  CHECK(bitwise_equal(train(sgd, false, true, false), train(sgd, false, false, true)));
  CHECK(bitwise_equal(train(sgd, true, true, false), train(sgd, true, false, true)));
  CHECK(bitwise_equal(train(adam, true, true, false), train(adam, true, false, true)));
}

TEST_CASE("sparse updates: a model with a large sparse embedding learns") {
  constexpr Index rows = 5000;
  nn::Model model{nn::Sequential{nn::Embedding(rows, 8, {.sparse = true}), nn::GlobalAveragePool(), nn::Dense(1)},
                  {4},
                  {.seed = 1}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{.learning_rate = 0.05}});
  nn::Dataset data{Tensor({16, 4}, i64), Tensor({16, 1})};
  Dice dice(9);
  for (auto& id : data.x.mutable_values<std::int64_t>()) id = dice.below(rows);
  for (auto& y : data.y.mutable_values<float>()) y = static_cast<float>(dice.real(-1, 1));
  const double before = model.evaluate(data)["loss"];
  for (int i = 0; i < 200; ++i) model.train_on_batch(data);
  CHECK(model.evaluate(data)["loss"] < 0.01 * before);
  // Rows of weight 0 change nothing.
  const Tensor table = model.parameters()[0].value();
  data.weights = Tensor::zeros({16});
  model.train_on_batch(data);
  CHECK(bitwise_equal(table, model.parameters()[0].value()));
}
