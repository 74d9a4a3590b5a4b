// parameters() and set_trainable() of layers, of Sequential, and of structs and functions that hold layers.
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/small_model.hpp"

using namespace xgrad;
using small_model::numbers;
using small_model::silent;

namespace {

const nn::Dataset data{numbers({6, 2}), numbers({6, 1}, 0.5)};

using Names = std::vector<std::string>;

Names names(const std::vector<Parameter>& parameters) {
  Names out;
  for (const Parameter& p : parameters) out.push_back(p.name());
  return out;
}

// A layer, a batch norm, a Sequential and a weight of its own.
struct Block : nn::Module {
  nn::Dense in{3, nn::tanh, {.name = "in"}};
  nn::BatchNorm norm;
  nn::Sequential out{nn::Dense(2, nn::linear, {.use_bias = false, .name = "out"})};
  nn::Weight gain{"gain", nn::ones};

  Value operator()(Value x) { return x + out(norm(in(x))) * gain(x.graph(), {2}, x.dtype()); }
};
const Names of_block{"block/gain",
                     "block/in/kernel",
                     "block/in/bias",
                     "block/batch_norm/gamma",
                     "block/batch_norm/beta",
                     "block/batch_norm/moving_mean",
                     "block/batch_norm/moving_variance",
                     "block/out/kernel"};

nn::Dense head() { return nn::Dense(1, nn::linear, {.name = "head"}); }
const Names of_head{"head/kernel", "head/bias"};

nn::Model compiled(nn::AnyModule net) {
  nn::Model out{std::move(net), {2}, {.seed = 1}};
  out.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0.1}});
  return out;
}

// Names of the parameters that a fit changes.
Names changed(nn::Model& model) {
  const std::vector<Tensor> before = small_model::weights(model);
  model.fit(data, {.batch_size = 3, .verbose = silent});
  Names out;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!bitwise_equal(before[i], model.parameters()[i].value())) out.push_back(model.parameters()[i].name());
  }
  return out;
}

void compile_again(nn::Model& model) {
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0.1}});
}

}  // namespace

TEST_CASE("parameters: those of a layer, of a struct and of a Sequential, each once") {
  nn::AnyModule block = Block();
  nn::Dense last = head();
  nn::Sequential net{block, last};
  const nn::Model model = compiled(net);
  CHECK(names(block.parameters()) == of_block);
  CHECK(names(last.parameters()) == of_head);
  Names all = of_block;
  all.insert(all.end(), of_head.begin(), of_head.end());
  CHECK(names(net.parameters()) == all);
  CHECK(net.parameters().size() == model.parameters().size());
  CHECK(last.parameters()[0] == last.kernel());  // handles of the same parameter
  CHECK(nn::Sequential{last, last}.parameters().size() == 2);
}

TEST_CASE("parameters: a module that was not called throws, one without weights has none") {
  const char* message =
      "parameters: \"head\" has no weights before its first call\n  hint: make the "
      "Model first, or call the module on an input";
  nn::Dense last = head();
  const nn::Sequential net{nn::relu, last};
  CHECK_THROWS_WITH_AS((void)last.parameters(), doctest::Contains(message), GraphError);
  CHECK_THROWS_WITH_AS((void)nn::Sequential{last}.parameters(), doctest::Contains(message), GraphError);
  CHECK_THROWS_WITH_AS((void)nn::AnyModule(Block()).parameters(),
                       doctest::Contains("\"block\" has no weights before its first call"), GraphError);
  Graph g;
  (void)net(g.input("x", {1, 2}));
  CHECK(net.parameters().size() == 2);
  nn::Flatten flatten;
  (void)flatten(g.input("image", {1, 2, 2}));
  CHECK(flatten.parameters().empty());
  CHECK(nn::Sequential().parameters().empty());
}

TEST_CASE("set_trainable: of a struct, a function and a Sequential, before the first call and after it") {
  // Functions, since a copy of a module has the same weights.
  const std::vector<std::function<nn::AnyModule()>> makers{
      [] { return Block(); }, [] { return [block = Block()](Value x) mutable { return block(x); }; },
      [] { return nn::Sequential{Block()}; },
      [] {
        return nn::Add{Block(), nn::linear};
      },
      [] { return [in = nn::AnyModule(Block())](Value x) { return in(x); }; }};
  for (const bool early : {true, false}) {
    for (std::size_t i = 0; i < makers.size(); ++i) {
      CAPTURE(early);
      CAPTURE(i);
      nn::AnyModule body = makers[i]();
      if (early) body.set_trainable(false);
      nn::Model model = compiled(nn::Sequential{body, head()});
      const std::size_t all = model.parameters().size();
      if (!early) {
        CHECK(changed(model).size() == all);
        body.set_trainable(false);
        CHECK(changed(model).size() == all);  // compile() chose the trainable parameters
        compile_again(model);
      }
      // A frozen batch norm does not update its moving statistics.
      CHECK(changed(model) == of_head);
      CHECK(model.trainable_count() == 3);
      for (const Parameter& p : body.parameters()) CHECK_FALSE(p.trainable());
      body.set_trainable(true);
      CHECK(changed(model) == of_head);
      compile_again(model);
      CHECK(changed(model).size() == all);
    }
  }
}

TEST_CASE("set_trainable: the last call takes effect, whether on the part or on the whole") {
  nn::Dense part(2, nn::linear, {.name = "part"});
  nn::AnyModule whole = [=](Value x) { return part(x); };
  part.set_trainable(false);
  whole.set_trainable(true);  // the function was not called yet, so its layers are unknown
  nn::Model model = compiled(nn::Sequential{whole, head()});
  CHECK(part.trainable());
  CHECK(changed(model).size() == 4);
  whole.set_trainable(false);
  part.set_trainable(true);
  compile_again(model);
  CHECK(changed(model).size() == 4);
  whole.set_trainable(false);
  compile_again(model);
  CHECK(changed(model) == of_head);
}

TEST_CASE("set_trainable: layers that a function makes at each call are frozen too, and are not kept") {
  nn::AnyModule module = [](Value x) { return nn::BatchNorm({.name = "fresh"})(x); };
  module.set_trainable(false);
  for (int i = 0; i < 3; ++i) {
    Graph g({.training = true});
    (void)module(g.input("x", {2, 2}));
    CHECK(g.updates().empty());  // no updates of moving statistics, since the layer is frozen
    CHECK(g.trainable_parameters().empty());
  }
  CHECK(module.parameters().empty());
}

TEST_CASE("parameters: minimize() of an optimizer accepts those of a module") {
  nn::Sequential net{nn::Dense(3, nn::tanh), head()};
  Graph g({.training = true});
  const Value loss = mean(square(net(g.input("x", {6, 2})) - g.input("y", {6, 1})));
  const nn::Optimizer sgd = nn::SGD{.learning_rate = 0.1};
  nn::OptimizerState state(sgd);
  const nn::TrainingStep step = sgd.minimize(loss, state, net.parameters());
  CHECK(step.trained == net.parameters());
}
