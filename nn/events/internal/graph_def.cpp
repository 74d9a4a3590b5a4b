#include <xgrad/nn/events/internal/graph_def.hpp>

#include <map>
#include <set>
#include <string_view>

#include <xgrad_proto/events.pb.h>

#include <xgrad/graph/print.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr int graph_version = 22;  // GraphDef producer version, as other writers set it

// Replaces characters that node names must not have; "^" and ":" have a meaning in input names.
std::string valid_name(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '.' || c == '-' || c == '/';
    // Path components must not be empty or begin with a punctuation mark.
    const bool begins = out.empty() || out.back() == '/';
    if (c == '/' && begins) continue;
    if (begins && (c == '_' || c == '-' || !plain)) out += 'x';
    out += plain ? c : '_';
  }
  while (!out.empty() && out.back() == '/') out.pop_back();
  return out;
}

// Assigns unique node names that differ from the names of boxes.
class Names {
 public:
  void add_box(const std::string& path) {
    for (std::size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1))
      taken_.insert(path.substr(0, end));
    if (!path.empty()) taken_.insert(path);
  }
  std::string give(const std::string& wanted) {
    std::string name = wanted;
    for (int& last = last_[wanted]; !taken_.insert(name).second;) name = wanted + "_" + std::to_string(++last);
    return name;
  }

 private:
  std::set<std::string> taken_;
  std::map<std::string, int> last_;  // last numeric suffix of each requested name
};

wire::DataType type_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return wire::DT_FLOAT;
    case DType::f64: return wire::DT_DOUBLE;
    case DType::i64: return wire::DT_INT64;
    case DType::boolean: return wire::DT_BOOL;
  }
  return wire::DT_INVALID;
}

wire::AttrValue& add_attr(wire::NodeDef& node, const std::string& name) {
  wire::AttrEntry& entry = *node.add_attr();
  entry.set_key(name);
  return *entry.mutable_value();
}

void describe(wire::NodeDef& node, const TensorType& type) {
  add_attr(node, "T").set_type(type_of(type.dtype));
  wire::TensorShape& shape = *add_attr(node, "_output_shapes").mutable_list()->add_shape();
  for (const Index extent : type.shape) shape.add_dim()->set_size(extent);
}

struct SetAttr {
  wire::AttrValue& to;
  void operator()(bool v) const { to.set_b(v); }
  void operator()(std::int64_t v) const { to.set_i(v); }
  void operator()(double v) const { to.set_f(static_cast<float>(v)); }
  void operator()(DType v) const { to.set_type(type_of(v)); }
  void operator()(const std::vector<Index>& v) const {
    for (const Index i : v) to.mutable_list()->add_i(i);
    if (v.empty()) to.mutable_list();
  }
  void operator()(const std::string& v) const { to.set_s(v); }
  void operator()(const Opaque& v) const { to.set_s(v.name); }
};

const char* box_of(Role role) {
  switch (role) {
    case Role::forward: return "";
    case Role::backward: return "gradients/";
    case Role::update: return "updates/";
  }
  return "";
}

std::string kind_of(const Node& node) {
  switch (node.op->traits.leaf) {
    case Leaf::input: return "Placeholder";
    case Leaf::parameter: return "Variable";
    case Leaf::constant: return "Const";
    case Leaf::none: break;
  }
  return node.op->name;
}

class Builder {
 public:
  Builder(const Graph& graph, const std::vector<Update>& updates) : graph_(graph), updates_(updates) {}

  std::string build() {
    for (const Update& update : updates_) graph_.require(update.value, "graph of operations, update");
    choose_names();
    for (NodeId id = 0; id < graph_.size(); ++id) add_node(id);
    for (const Update& update : updates_) add_update(update);
    out_.mutable_versions()->set_producer(graph_version);
    return out_.SerializeAsString();
  }

 private:
  // The path of a node: its name (parameter names include the scope), or its scope and operation. Optimizer state is
  // placed with the updates.
  std::string path_of(NodeId id) const {
    const Node& node = graph_.node(id);
    if (node.op->traits.leaf == Leaf::parameter) return valid_name(box_of(node.role) + graph_.parameter_of(id).name());
    const std::string& own = graph_.name(id);
    return valid_name(box_of(node.role) + graph_.scope_of(id) + "/" + (own.empty() ? kind_of(node) : own));
  }

  void choose_names() {
    std::vector<std::string> paths;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      paths.push_back(path_of(id));
      if (paths.back().empty()) paths.back() = "node";
    }
    for (const Update& update : updates_) paths.push_back(valid_name("updates/" + update.parameter.name() + "_assign"));
    for (const std::string& path : paths) {
      if (const std::size_t end = path.rfind('/'); end != std::string::npos) names_.add_box(path.substr(0, end));
    }
    for (const std::string& path : paths) given_.push_back(names_.give(path));
  }

  void add_node(NodeId id) {
    const Node& node = graph_.node(id);
    wire::NodeDef& to = *out_.add_node();
    to.set_name(given_[id]);
    to.set_op(kind_of(node));
    for (const NodeId input : graph_.inputs(id)) to.add_input(given_[input]);
    describe(to, node.type);
    if (node.op->traits.leaf == Leaf::constant) add_attr(to, "value").set_s(constant_text(graph_, id));
    if (node.op->traits.leaf == Leaf::parameter) {
      const Parameter& parameter = graph_.parameter_of(id);
      add_attr(to, "trainable").set_b(graph_.trainable(parameter));
      parameters_[parameter.raw()] = id;
    }
    if (node.op->traits.leaf != Leaf::none) return;
    for (const auto& [name, value] : graph_.attrs(id).items()) std::visit(SetAttr{add_attr(to, name)}, value);
  }

  void add_update(const Update& update) {
    wire::NodeDef& to = *out_.add_node();
    to.set_name(given_[static_cast<std::size_t>(out_.node_size()) - 1]);
    to.set_op("Assign");
    const auto parameter = parameters_.find(update.parameter.raw());
    if (parameter != parameters_.end()) to.add_input(given_[parameter->second]);
    to.add_input(given_[update.value.id()]);
    describe(to, update.parameter.type());
  }

  const Graph& graph_;
  const std::vector<Update>& updates_;
  Names names_;
  std::vector<std::string> given_;            // names of nodes, then of updates
  std::map<const void*, NodeId> parameters_;  // by data pointer
  wire::GraphDef out_;
};

}  // namespace

std::string graph_def(const Graph& graph, const std::vector<Update>& updates) {
  return Builder(graph, updates).build();
}

}  // namespace xgrad::inline v0::nn
