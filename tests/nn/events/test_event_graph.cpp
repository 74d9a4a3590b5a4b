// Graphs in event files: nodes, edges, shapes, and the layers of a model.
#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/xgrad.hpp>

#include "support/event_wire.hpp"
#include "support/random_graph.hpp"
#include "support/scratch.hpp"

using namespace xgrad;
using namespace scratch;
using event_wire::Message;

namespace {

struct NodeDef {
  std::string op, device;
  std::vector<std::string> inputs;
  std::map<std::string, Message> attrs;
  std::vector<std::int64_t> shape() const {
    std::vector<std::int64_t> out;
    const auto shapes = attrs.at("_output_shapes").message(1).messages(7);
    REQUIRE(shapes.size() == 1);
    for (const Message& dim : shapes[0].messages(2)) out.push_back(dim.integer(1));
    return out;
  }
};

struct GraphDef {
  std::vector<std::string> names;  // in the order of the file
  std::map<std::string, NodeDef> nodes;
};

// Checks invariants of every graph: names are unique, no node has the name of a box, inputs precede their consumers.
GraphDef read_graph(const event_wire::WireEvent& event) {
  GraphDef out;
  const Message graph = event.message.message(4);
  CHECK(graph.message(4).integer(1) > 0);  // a version
  for (const Message& node : graph.messages(1)) {
    const std::string name = node.text(1);
    for (const char c : name) CHECK((std::isalnum(static_cast<unsigned char>(c)) != 0 || contains("_.-/", {&c, 1})));
    NodeDef def{node.text(2), node.text(4), node.texts(3), {}};
    for (const Message& attr : node.messages(5)) {
      CHECK(!def.attrs.contains(attr.text(1)));
      def.attrs[attr.text(1)] = attr.message(2);
    }
    for (const std::string& input : def.inputs) CHECK(out.nodes.contains(input));
    CHECK(!def.op.empty());
    CHECK(def.device.empty());
    CHECK(out.nodes.emplace(name, std::move(def)).second);
    out.names.push_back(name);
  }
  std::set<std::string> boxes;
  for (const std::string& name : out.names) {
    CHECK(!name.empty());
    CHECK(!contains("/" + name + "/", "//"));
    for (std::size_t end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1))
      boxes.insert(name.substr(0, end));
  }
  for (const std::string& box : boxes) CHECK_MESSAGE(!out.nodes.contains(box), box);
  return out;
}

// Compares the file with the graph, node for node, except names.
void compare(const GraphDef& found, const Graph& g, const std::vector<Update>& updates) {
  REQUIRE(found.names.size() == g.size() + updates.size());
  for (NodeId id = 0; id < g.size(); ++id) {
    const NodeDef& def = found.nodes.at(found.names[id]);
    const Node& node = g.node(id);
    const std::vector<std::int64_t> shape(node.type.shape.begin(), node.type.shape.end());
    CHECK(def.shape() == shape);
    const std::map<DType, std::int64_t> types{{f32, 1}, {f64, 2}, {i64, 9}, {boolean, 10}};
    CHECK(def.attrs.at("T").integer(6) == types.at(node.type.dtype));
    REQUIRE(def.inputs.size() == node.input_count);
    for (std::uint32_t i = 0; i < node.input_count; ++i) CHECK(def.inputs[i] == found.names[node.inputs[i]]);
    switch (node.op->traits.leaf) {
      case Leaf::input: CHECK(def.op == "Placeholder"); break;
      case Leaf::parameter: CHECK(def.op == "Variable"); break;
      case Leaf::constant: CHECK(def.op == "Const"); break;
      case Leaf::none: CHECK(def.op == node.op->name); break;
    }
    const bool in_gradients = found.names[id].starts_with("gradients/");
    if (node.op->traits.leaf == Leaf::none && node.role == Role::backward) CHECK(in_gradients);
    if (node.op->traits.leaf == Leaf::none && node.role == Role::forward && !g.scope_of(id).starts_with("gradients"))
      CHECK(!in_gradients);
  }
  for (std::size_t i = 0; i < updates.size(); ++i) {
    const std::string& name = found.names[g.size() + i];
    const NodeDef& def = found.nodes.at(name);
    CHECK(name.starts_with("updates/"));
    CHECK(def.op == "Assign");
    CHECK(def.inputs.back() == found.names[updates[i].value.id()]);
  }
}

// All events of a writer's file.
template <class F>
event_wire::WireEvent written(const F& write) {
  const ScratchFolder folder;
  nn::EventWriter writer(folder.path());
  write(writer);
  return event_wire::events(writer.path()).back();
}

nn::Model deep_net() {
  nn::Model model{nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dense(64, nn::relu), nn::BatchNorm(),
                                 nn::Dropout(0.2), nn::Dense(10, nn::softmax)},
                  {784}};
  model.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
  return model;
}

nlohmann::json layers_of(Value output) {
  const auto event = written([&](nn::EventWriter& w) { w.layers(output); });
  const auto values = event.values();
  REQUIRE(values.size() == 1);
  CHECK(values[0].plugin == "graph_keras_model");
  CHECK(values[0].content == "1");
  CHECK(values[0].data_class == 3);
  CHECK(values[0].shape() == std::vector<std::int64_t>{1});
  REQUIRE(values[0].tensor.texts(8).size() == 1);
  return nlohmann::json::parse(values[0].tensor.texts(8)[0]);
}

}  // namespace

TEST_CASE("event graph: matches a training step of a deep net, node for node") {
  const nn::Model model = deep_net();
  const nn::ModelGraph step = model.training_graph(32);
  const auto event = written([&](nn::EventWriter& w) { w.graph(*step.graph, step.updates); });
  const GraphDef found = read_graph(event);
  compare(found, *step.graph, step.updates);
  CHECK(found.nodes.at("x").op == "Placeholder");
  CHECK(found.nodes.at("x").shape() == std::vector<std::int64_t>{32, 784});
  CHECK(found.nodes.at("dense/kernel").op == "Variable");
  CHECK(found.nodes.at("updates/dense/kernel/mean").op == "Variable");
  CHECK(found.nodes.at("dense/matmul").inputs == std::vector<std::string>{"x", "dense/kernel"});
  CHECK(found.nodes.at("gradients/dense_1/matmul").attrs.contains("transpose_b"));
  CHECK(found.nodes.at("updates/dense/kernel_assign").inputs.front() == "dense/kernel");
}

TEST_CASE("event graph: equal graphs give equal bytes") {
  const nn::Model model = deep_net();
  std::string bytes;
  for (int i = 0; i < 2; ++i) {
    const nn::ModelGraph step = model.training_graph(8);
    const auto event = written([&](nn::EventWriter& w) { w.graph(*step.graph, step.updates); });
    if (i == 0) bytes = event.message.text(4);
    CHECK(event.message.text(4) == bytes);
  }
}

TEST_CASE("event graph: invalid names, names of boxes and names of any bytes become valid") {
  Graph g;
  const Value x = g.input("a/b", {2});
  const Value y = g.input("a", {2});
  const Value odd = g.input("^x:0 \xC3\xA4\n\"", {2});
  const Value under = g.input("//_a//-b/", {2});
  {
    const auto scope = g.scope("a");
    (void)(x + y).named("b");
    (void)(x * y).named("b");
  }
  {
    const auto scope = g.scope("gradients");
    (void)(odd + under);
  }
  (void)gradients(sum(x * odd), x);
  const auto event = written([&](nn::EventWriter& w) { w.graph(g); });
  compare(read_graph(event), g, {});
}

TEST_CASE("event graph: random graphs") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Graph g;
    testing::Grower grower(g, seed, {});
    grower.grow_to(80);
    const auto event = written([&](nn::EventWriter& w) { w.graph(g); });
    compare(read_graph(event), g, {});
  }
}

TEST_CASE("event graph: ten thousand nodes with equal names") {
  Graph g;
  Value x = g.input("x", {2});
  for (int i = 0; i < 10000; ++i) x = x + static_cast<double>(i % 7 + 1);
  const auto event = written([&](nn::EventWriter& w) { w.graph(g); });
  compare(read_graph(event), g, {});
}

TEST_CASE("event layers: a chain becomes a Sequential model") {
  const nn::Model model = deep_net();
  const nn::ModelGraph step = model.training_graph(16);
  const nlohmann::json json = layers_of(step.prediction);
  CHECK(json["class_name"] == "Sequential");
  CHECK(json["config"]["name"] == "model");
  std::vector<std::string> names, kinds;
  for (const auto& layer : json["config"]["layers"]) {
    names.push_back(layer["config"]["name"]);
    kinds.push_back(layer["class_name"]);
    CHECK(layer["config"]["dtype"] == "float32");
    CHECK(!layer.contains("inbound_nodes"));
  }
  CHECK(names == std::vector<std::string>{"x", "dense", "batch_norm", "dense_1", "batch_norm_1", "dropout", "dense_2"});
  CHECK(kinds ==
        std::vector<std::string>{"InputLayer", "Dense", "BatchNorm", "Dense", "BatchNorm", "Dropout", "Dense"});
  CHECK(json["config"]["layers"][0]["config"]["batch_shape"] == nlohmann::json::parse("[null, 784]"));
  CHECK(json["config"]["layers"][6]["config"]["output_shape"] == nlohmann::json::parse("[null, 10]"));
}

namespace {

struct Residual : nn::Module {
  nn::Dense a{4, nn::tanh}, b{4};
  Value operator()(Value x) { return x + b(a(x)); }
};

}  // namespace

TEST_CASE("event layers: branches become a Functional model, nested modules become boxes") {
  const nn::Model model{nn::Sequential{nn::Dense(4), Residual{}}, {3}};
  const nn::ModelGraph step = model.inference_graph(16);
  const nlohmann::json json = layers_of(step.prediction);
  CHECK(json["class_name"] == "Functional");
  std::map<std::string, std::vector<std::string>> inputs;
  for (const auto& layer : json["config"]["layers"]) {
    auto& to = inputs[layer["config"]["name"]];
    for (const auto& call : layer["inbound_nodes"]) {
      for (const auto& argument : call["args"]) to.push_back(argument["config"]["keras_history"][0]);
    }
  }
  CHECK(inputs == std::map<std::string, std::vector<std::string>>{{"x", {}},
                                                                  {"dense", {"x"}},
                                                                  {"residual/dense", {"dense"}},
                                                                  {"residual/dense_1", {"residual/dense"}},
                                                                  {"residual/add", {"dense", "residual/dense_1"}}});
  CHECK(json["config"]["input_layers"] == nlohmann::json::parse(R"([["x", 0, 0]])"));
  CHECK(json["config"]["output_layers"] == nlohmann::json::parse(R"([["residual/add", 0, 0]])"));
}

TEST_CASE("event graph: invalid values throw") {
  const ScratchFolder folder;
  nn::EventWriter writer(folder.path());
  const std::string before = event_wire::content(writer.path());
  Graph g, other;
  const Parameter p("p", Tensor::zeros({2}));
  CHECK(contains(message_of<GraphError>([&] {
                   writer.graph(g, {{p, other.input("x", {2})}});
                 }),
                 "graph of operations"));
  CHECK(contains(message_of<GraphError>([&] { writer.layers(Value()); }), "empty"));
  CHECK(event_wire::content(writer.path()) == before);
}
