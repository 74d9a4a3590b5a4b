// The conceptual graph: what Keras' model.to_json() says of a model, as far as TensorBoard reads it
// (tensorboard/plugins/graph/keras_util.py). A chain of layers is told as a Sequential model, which all versions of
// TensorBoard draw; anything else as a Functional one with the connections of Keras 3.
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

struct Part {  // a layer, or an operation beside layers
  std::string name, kind;
  TensorType output;                // of its last node
  std::vector<std::size_t> inputs;  // parts, each once
  bool is_input = false;
};

// "batch_norm_1" gives "BatchNorm", "dense" gives "Dense".
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

class Parts {
 public:
  explicit Parts(Value output)
      : graph_(output.graph()), output_(output.id()), needed_(needed_nodes(graph_, {&output, 1}, "layers")) {
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const std::string& scope = graph_.scope_of(id);
      if (!needed_[id] || scope.empty()) continue;
      for (std::size_t end = scope.find('/'); end != std::string::npos; end = scope.find('/', end + 1))
        with_scopes_.insert(scope.substr(0, end));
    }
    part_of_.resize(graph_.size(), none);
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (needed_[id]) add(id);
    }
  }

  const std::vector<Part>& all() const { return parts_; }
  const Part& of(Value value) const { return parts_[part_of_[value.id()]]; }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  void add(NodeId id) {
    const Node& node = graph_.node(id);
    const std::string& scope = graph_.scope_of(id);
    const Leaf leaf = node.op->traits.leaf;
    // These belong to whoever uses them, unless there is nothing else.
    if ((leaf == Leaf::parameter || leaf == Leaf::constant) && id != output_) return;
    const bool is_layer = leaf == Leaf::none && !scope.empty() && !with_scopes_.contains(scope);
    std::size_t part = none;
    if (is_layer) {
      const auto [found, fresh] = layers_.try_emplace(scope, parts_.size());
      if (fresh) parts_.push_back({give_name(scope), kind_of(scope), node.type, {}, false});
      part = found->second;
    } else {
      const std::string& own = graph_.name(id);
      const std::string name = own.empty() ? node.op->name : own;
      part = parts_.size();
      parts_.push_back({give_name(scope.empty() ? name : scope + "/" + name),
                        leaf == Leaf::input ? "InputLayer" : kind_of(node.op->name),
                        node.type,
                        {},
                        leaf == Leaf::input});
    }
    part_of_[id] = part;
    Part& to = parts_[part];
    to.output = node.type;
    for (const NodeId input : graph_.inputs(id)) {
      const std::size_t from = part_of_[input];
      if (from == none || from == part) continue;
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
  std::vector<std::size_t> part_of_;  // of each node
  std::vector<Part> parts_;
};

bool is_chain(const std::vector<Part>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool linked = i == 0 ? parts[i].inputs.empty() : parts[i].inputs == std::vector<std::size_t>{i - 1};
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

// Axis 0 is that of the rows, of which there may be any number.
Json batch_shape(const Shape& shape) {
  Json out = Json::array();
  for (int axis = 0; axis < shape.rank(); ++axis) out.push_back(axis == 0 ? Json() : Json(shape[axis]));
  return out;
}

Json history(const Part& part) { return Json::array({part.name, 0, 0}); }

Json layer_of(const Part& part, const std::vector<Part>& all, bool chain) {
  Json config{{"name", part.name}, {"dtype", dtype_name(part.output.dtype)}};
  if (part.is_input)
    config["batch_shape"] = batch_shape(part.output.shape);
  else
    config["output_shape"] = batch_shape(part.output.shape);
  Json layer{{"class_name", part.kind}, {"config", config}, {"name", part.name}};
  if (chain) return layer;
  Json calls = Json::array();
  if (!part.inputs.empty()) {
    Json arguments = Json::array();
    for (const std::size_t input : part.inputs)
      arguments.push_back({{"class_name", "__keras_tensor__"}, {"config", {{"keras_history", history(all[input])}}}});
    calls.push_back({{"args", arguments}, {"kwargs", Json::object()}});
  }
  layer["inbound_nodes"] = calls;
  return layer;
}

}  // namespace

std::string layers_json(Value output, const std::string& name) {
  const Parts found(output);
  const std::vector<Part>& parts = found.all();
  const bool chain = is_chain(parts);
  Json layers = Json::array(), inputs = Json::array();
  for (const Part& part : parts) {
    layers.push_back(layer_of(part, parts, chain));
    if (part.is_input) inputs.push_back(history(part));
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
