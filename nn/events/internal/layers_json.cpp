// The conceptual graph in the format of Keras' model.to_json(), as far as TensorBoard reads it
// (tensorboard/plugins/graph/keras_util.py). A chain of layers becomes a Sequential model, which all versions of
// TensorBoard draw; other graphs become a Functional model with the connection format of Keras 3.
#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include <xgrad/graph/print.hpp>
#include <xgrad/nn/events/internal/graph_def.hpp>

namespace xgrad::inline v0::nn {
namespace {

using Json = nlohmann::ordered_json;

// A layer, or an operation outside of layers.
struct LayerNode {
  std::string name, kind;
  TensorType output;                // type of its last node
  std::vector<std::size_t> inputs;  // indices of layers, without duplicates
  bool is_input = false;
};

// The kind of a layer by its scope: "batch_norm_1" gives "BatchNorm", "dense" gives "Dense".
std::string kind_of(const std::string& scope) {
  std::string name = scope.substr(scope.rfind('/') + 1);  // npos + 1 is 0
  const std::size_t number = name.find_last_not_of("0123456789");
  if (number != std::string::npos && number + 1 < name.size() && name[number] == '_') name.resize(number);
  std::string out;
  bool capital = true;
  for (const char c : name) {
    if (c != '_') out += capital ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    capital = c == '_';
  }
  return out;
}

class LayerNodes {
 public:
  explicit LayerNodes(Value output)
      : graph_(output.graph()), output_(output.id()), needed_(needed_nodes(graph_, {&output, 1}, "layers")) {
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const std::string& scope = graph_.scope_of(id);
      if (!needed_[id] || scope.empty()) continue;
      for (std::size_t end = scope.find('/'); end != std::string::npos; end = scope.find('/', end + 1))
        with_scopes_.insert(scope.substr(0, end));
    }
    entry_of_.resize(graph_.size(), none);
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (needed_[id]) add(id);
    }
  }

  const std::vector<LayerNode>& all() const { return entries_; }
  const LayerNode& of(Value value) const { return entries_[entry_of_[value.id()]]; }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  void add(NodeId id) {
    const Node& node = graph_.node(id);
    const std::string& scope = graph_.scope_of(id);
    const Leaf leaf = node.op->traits.leaf;
    // Parameters and constants belong to the layer that uses them, unless they are the output.
    if ((leaf == Leaf::parameter || leaf == Leaf::constant) && id != output_) return;
    const bool is_layer = leaf == Leaf::none && !scope.empty() && !with_scopes_.contains(scope);
    std::size_t entry = none;
    if (is_layer) {
      const auto [found, fresh] = layers_.try_emplace(scope, entries_.size());
      if (fresh) entries_.push_back({give_name(scope), kind_of(scope), node.type, {}, false});
      entry = found->second;
    } else {
      const std::string& own = graph_.name(id);
      const std::string name = own.empty() ? node.op->name : own;
      entry = entries_.size();
      entries_.push_back({give_name(scope.empty() ? name : scope + "/" + name),
                          leaf == Leaf::input ? "InputLayer" : kind_of(node.op->name),
                          node.type,
                          {},
                          leaf == Leaf::input});
    }
    entry_of_[id] = entry;
    LayerNode& to = entries_[entry];
    to.output = node.type;
    for (const NodeId input : graph_.inputs(id)) {
      const std::size_t from = entry_of_[input];
      if (from == none || from == entry) continue;
      if (std::find(to.inputs.begin(), to.inputs.end(), from) == to.inputs.end()) to.inputs.push_back(from);
    }
  }

  std::string give_name(const std::string& wanted) {
    std::string name = wanted;
    for (int i = 1; !names_.insert(name).second; ++i) name = wanted + "_" + std::to_string(i);
    return name;
  }

  const Graph& graph_;
  NodeId output_;
  std::vector<bool> needed_;
  std::set<std::string> with_scopes_, names_;
  std::map<std::string, std::size_t> layers_;
  std::vector<std::size_t> entry_of_;  // by node
  std::vector<LayerNode> entries_;
};

bool is_chain(const std::vector<LayerNode>& entries) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const bool linked = i == 0 ? entries[i].inputs.empty() : entries[i].inputs == std::vector<std::size_t>{i - 1};
    if (!linked) return false;
  }
  return true;
}

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::f32: return "float32";
    case DType::f64: return "float64";
    case DType::i64: return "int64";
    case DType::boolean: return "bool";
  }
  return "";
}

// The shape as JSON. The extent of axis 0, the batch axis, is null.
Json batch_shape(const Shape& shape) {
  Json out = Json::array();
  for (int axis = 0; axis < shape.rank(); ++axis) out.push_back(axis == 0 ? Json() : Json(shape[axis]));
  return out;
}

Json history(const LayerNode& entry) { return Json::array({entry.name, 0, 0}); }

Json layer_of(const LayerNode& entry, const std::vector<LayerNode>& all, bool chain) {
  Json config{{"name", entry.name}, {"dtype", dtype_name(entry.output.dtype)}};
  if (entry.is_input)
    config["batch_shape"] = batch_shape(entry.output.shape);
  else
    config["output_shape"] = batch_shape(entry.output.shape);
  Json layer{{"class_name", entry.kind}, {"config", config}, {"name", entry.name}};
  if (chain) return layer;
  Json calls = Json::array();
  if (!entry.inputs.empty()) {
    Json arguments = Json::array();
    for (const std::size_t input : entry.inputs)
      arguments.push_back({{"class_name", "__keras_tensor__"}, {"config", {{"keras_history", history(all[input])}}}});
    calls.push_back({{"args", arguments}, {"kwargs", Json::object()}});
  }
  layer["inbound_nodes"] = calls;
  return layer;
}

}  // namespace

std::string layers_json(Value output, const std::string& name) {
  const LayerNodes found(output);
  const std::vector<LayerNode>& entries = found.all();
  const bool chain = is_chain(entries);
  Json layers = Json::array(), inputs = Json::array();
  for (const LayerNode& entry : entries) {
    layers.push_back(layer_of(entry, entries, chain));
    if (entry.is_input) inputs.push_back(history(entry));
  }
  Json config{{"name", name}, {"layers", layers}};
  if (!chain) {
    config["input_layers"] = inputs;
    config["output_layers"] = Json::array({history(found.of(output))});
  }
  const Json model{{"class_name", chain ? "Sequential" : "Functional"}, {"config", config}};
  return model.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace xgrad::inline v0::nn
