// The statistics of a gradient report, by node and by layer, against sums over the gradients.
#include <cmath>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/graphviz.hpp"
#include "support/points.hpp"
#include "support/text.hpp"

using namespace xgrad;
using testing::count;

namespace {

const NodeReport& of(const GradientReport& report, Value value) {
  for (const NodeReport& node : report.nodes()) {
    if (node.node == value.id()) return node;
  }
  FAIL("no such node in the report");
  return report.nodes()[0];
}

const LayerReport& of(const GradientReport& report, const std::string& layer) {
  for (const LayerReport& l : report.layers()) {
    if (l.layer == layer) return l;
  }
  FAIL("no such layer in the report");
  return report.layers()[0];
}

// A chain of layers with weights of equal size, one scope each.
struct Chain {
  Graph g;
  Value x = g.input("x", {6, 8});
  Value loss;
  std::vector<Parameter> weights;
  Feeds feeds;

  Chain(int layers, double scale) {
    Value y = x;
    for (int i = 0; i < layers; ++i) {
      const auto scope = g.unique_scope("layer");
      Tensor w({8, 8});
      for (Index k = 0; k < 64; ++k)
        w.mutable_values<float>()[static_cast<std::size_t>(k)] =
            static_cast<float>(scale * std::sin(1.0 + double(k * (i + 3))));
      weights.emplace_back(g.current_scope() + "/w", w);
      y = tanh(matmul(y, g.parameter(weights.back())));
    }
    loss = mean(square(y)).named("loss");
    Tensor numbers({6, 8});
    for (Index k = 0; k < 48; ++k)
      numbers.mutable_values<float>()[static_cast<std::size_t>(k)] = static_cast<float>(std::cos(double(k)));
    feeds = {{x, numbers}};
  }
};

}  // namespace

TEST_CASE(
    "tensor_stats: mean, standard deviation, range, norm and shares; non-finite elements are counted and left out") {
  const TensorStats s = tensor_stats(Tensor::from<double>({2, 2}, {1, 0, 3, -2}));
  CHECK(s.count == 4);
  CHECK(s.zeros == 1);
  CHECK(s.mean == doctest::Approx(0.5));
  CHECK(s.std == doctest::Approx(std::sqrt((0.25 + 0.25 + 6.25 + 6.25) / 4)));
  CHECK(s.min == -2);
  CHECK(s.max == 3);
  CHECK(s.norm == doctest::Approx(std::sqrt(14.0)));
  CHECK(s.zero_share() == 0.25);
  CHECK(s.finite());

  const double inf = std::numeric_limits<double>::infinity();
  const TensorStats bad = tensor_stats(Tensor::from<double>({5}, {std::nan(""), inf, -inf, 2, 4}));
  CHECK(bad.nans == 1);
  CHECK(bad.infinities == 2);
  CHECK(bad.mean == 3);
  CHECK(bad.min == 2);
  CHECK_FALSE(bad.finite());
  const TensorStats none = tensor_stats(Tensor::zeros({0}));
  CHECK(none.count == 0);
  CHECK(none.mean == 0);
  CHECK_THROWS_AS(tensor_stats(Tensor()), ValueError);

  // A large mean, or f32, does not degrade the standard deviation.
  Tensor far = Tensor::zeros({1000});
  for (std::size_t i = 0; i < 1000; ++i) far.mutable_values<float>()[i] = i % 2 == 0 ? 16'000'001 : 16'000'003;
  CHECK(tensor_stats(far).std == doctest::Approx(1));
}

TEST_CASE("gradient report: the statistics are those of the gradients") {
  Chain c(3, 0.4);
  const NodeId before = c.g.size();
  const GradientReport report = gradient_report(c.loss, c.feeds);
  CHECK(c.g.size() == before);  // the appended nodes were removed
  CHECK(report.loss() == doctest::Approx(evaluate(c.loss, c.feeds).item()));
  CHECK(report.nodes().size() == before);
  std::vector<Value> all;
  for (NodeId id = 0; id < before; ++id) {
    const Value v = c.g.value(id);
    const NodeReport& node = of(report, v);
    const TensorStats expected = tensor_stats(evaluate(v, c.feeds));
    CHECK(node.value.mean == expected.mean);
    CHECK(node.value.std == expected.std);
    REQUIRE(node.gradient.has_value() == (v.node().op->traits.leaf != Leaf::constant));
    if (node.gradient) CHECK(node.gradient->norm == tensor_stats(evaluate(gradients(c.loss, v), c.feeds)).norm);
  }
  REQUIRE(report.layers().size() == 4);
  CHECK(report.layers()[0].layer == "layer");
  CHECK(report.layers()[3].layer == "");
  double squares = 0;
  for (const Parameter& w : c.weights) {
    const LayerReport& layer = of(report, w.name().substr(0, w.name().find('/')));
    const TensorStats g = tensor_stats(evaluate(gradients(c.loss, c.g.parameter(w)), c.feeds));
    CHECK(layer.weights == 64);
    CHECK(layer.weight_norm == doctest::Approx(tensor_stats(w.value()).norm));
    CHECK(layer.gradient_norm == doctest::Approx(g.norm));
    squares += g.norm;
  }
  CHECK(squares > 0);
}

TEST_CASE("gradient report: vanishing and exploding gradients are blue and red, saturated units are counted") {
  Chain small(8, 0.05);
  const GradientReport vanishing = gradient_report(small.loss, small.feeds);
  CHECK(of(vanishing, "layer").gradient->norm < 1e-4 * of(vanishing, "layer_7").gradient->norm);
  const std::string picture =
      to_dot(small.g, {.outputs = {small.loss}, .depth = 0, .annotations = vanishing.annotations()});
  CHECK(count(picture, "fillcolor=\"#2") + count(picture, "fillcolor=\"#3") + count(picture, "fillcolor=\"#4") > 0);
  CHECK(count(picture, "norm of the gradient") == 1);
  CHECK(count(picture, "layer_7") == 1);

  Chain large(3, 40);
  const GradientReport saturated = gradient_report(large.loss, large.feeds);
  const LayerReport& layer = of(saturated, "layer_2");
  CHECK(layer.units == 48);
  CHECK(layer.saturated > 40);

  Graph g;
  const Value x = g.input("x", {4});
  const Value y = relu(x);
  const GradientReport dead = gradient_report(sum(y), {{x, Tensor::from<float>({4}, {-1, -2, 3, -4})}});
  CHECK(of(dead, y).units == 4);
  CHECK(of(dead, y).saturated == 3);
  CHECK(of(dead, y).value.zeros == 3);
  CHECK(of(dead, x).units == 0);
  // A constant slope is never saturated, and a product is not an elementwise function of one input.
  const Value z = -x;
  const GradientReport straight = gradient_report(sum(z * x), {{x, Tensor::full({4}, 1)}});
  CHECK(of(straight, z).units == 4);
  CHECK(of(straight, z).saturated == 0);
}

TEST_CASE("gradient report: NaN and infinities are counted and highlighted") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value y = log(x);
  const GradientReport report = gradient_report(sum(y), {{x, Tensor::from<float>({3}, {0, -1, 2})}});
  CHECK(of(report, y).value.infinities == 1);
  CHECK(of(report, y).value.nans == 1);
  CHECK(count(report.str(), "NaN") >= 1);
  CHECK(std::isnan(report.loss()));
  const std::string picture = to_dot(g, {.annotations = report.annotations()});
  CHECK(count(picture, "NaN, Inf") == 1);               // the legend
  CHECK(count(picture, "fillcolor=\"#c026d3\"") == 3);  // x, by its gradient, log, and the sum
}

TEST_CASE("gradient report: the text does not depend on the number of threads") {
  Chain a(4, 0.3), b(4, 0.3);
  const GradientReport one = gradient_report(a.loss, a.feeds, {.threads = 1});
  const GradientReport two = gradient_report(b.loss, b.feeds, {.threads = 2});
  CHECK(one.str() == two.str());
  CHECK(to_dot(a.g, {.annotations = one.annotations()}) == to_dot(b.g, {.annotations = two.annotations()}));
}

TEST_CASE("gradient report: annotations outlive report and graph") {
  Annotations notes;
  std::string picture;
  Chain again(2, 0.3);
  {
    Chain c(2, 0.3);
    notes = gradient_report(c.loss, c.feeds).annotations();
    picture = to_dot(c.g, {.annotations = notes});
  }
  CHECK(to_dot(again.g, {.annotations = notes}) == picture);
}

TEST_CASE("gradient report: invalid losses throw, and leave the graph unchanged") {
  Graph g;
  const Value x = g.input("x", {3});
  const NodeId size = g.size();
  CHECK_THROWS_WITH_AS(gradient_report(Value()), doctest::Contains("gradient_report"), GraphError);
  CHECK_THROWS_WITH_AS(gradient_report(x), doctest::Contains("must be a floating-point scalar"), GradientError);
  CHECK(g.size() == size);
  const Value loss = sum(x);
  const NodeId with_loss = g.size();
  CHECK_THROWS_AS(gradient_report(loss), FeedError);
  CHECK(g.size() == with_loss);
}

TEST_CASE("gradient report: of a compiled model, and as a diagram that Graphviz accepts") {
  nn::Model model{nn::Sequential{nn::Dense(6, nn::relu), nn::BatchNorm(), nn::Dropout(0.5), nn::Dense(3, nn::softmax)},
                  {4}};
  Tensor x({5, 4});
  for (std::size_t i = 0; i < 20; ++i) x.mutable_values<float>()[i] = static_cast<float>(std::sin(double(i)));
  const nn::Dataset rows(x, Tensor::from<std::int64_t>({5}, {0, 1, 2, 0, 1}));
  CHECK_THROWS_AS(nn::gradient_report(model, rows), GraphError);  // not compiled
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::SGD{}});
  const auto report = nn::gradient_report(model, rows);
  CHECK(report.str() == nn::gradient_report(model, rows).str());
  for (const char* layer : {"dense ", "batch_norm", "dropout", "dense_1", "loss"})
    CHECK(count(report.str(), layer) >= 1);
  const scratch::ScratchFolder folder;
  report.save(folder / "g.dot");
  std::ifstream file(folder / "g.dot");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  CHECK(count(text, "<B>dense_1</B>") == 1);
  CHECK(count(text, "norm of the gradient") == 1);
  if (graphviz::found()) {
    CHECK(graphviz::read(text).nodes == 7);  // x, y, four layers, the loss
    CHECK(graphviz::read(to_dot(*report.graph.graph, {.annotations = report.report.annotations()})).nodes > 50);
  }
}
