// Modules: functions from Value to Value that own weights.
//
//   struct Residual : nn::Module {
//     nn::Dense a{64, nn::tanh}, b{64};
//     Value operator()(Value x) { return x + b(a(x)); }
//   };
//
// A module is a plain struct; calling it appends nodes to the graph of its argument. The first call creates its
// weights, because their shapes are then known. Weights are handles: a copy of a module shares its weights, and a
// module that is called twice uses them twice. A module can be called in many graphs. Layers such as dropout depend on
// whether the graph is for training (GraphOptions).
//
// Layer, Sequential and AnyModule, which holds any struct or function, have
//
//   std::vector<Parameter> parameters() const;   // weights and moving statistics, each once
//   void set_trainable(bool trainable);          // for all weights and contained layers
//
// parameters() throws GraphError before the first call: an empty list would look like a module without weights.
// set_trainable() before the first call applies to the layers and weights that the call uses. Both functions cover
// every Layer and Weight that the struct or function uses, but no Parameter that it uses directly.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <xgrad/graph/base/checked_pointer.hpp>
#include <xgrad/graph/graph.hpp>
#include <xgrad/nn/constraints.hpp>
#include <xgrad/nn/initializers.hpp>
#include <xgrad/nn/regularizers.hpp>

namespace xgrad::inline v0::nn {

// Options of a weight.
struct WeightOptions {
  bool trainable = true;  // false for moving statistics, which optimizers do not change
  std::optional<Regularizer> regularizer{};
  std::optional<Constraint> constraint{};
};

// A weight of a module: a Parameter that is created at its first use.
//
//   nn::Weight gain{"gain", nn::ones};
//   Value g = gain(x.graph(), {x.shape().back()}, x.dtype());
class Weight {
 public:
  Weight(std::string name, Initializer initializer, WeightOptions options = {});

  // The node of the parameter in the graph; the first call creates the parameter. Its name starts with the graph's
  // scope. Its initial values depend on the graph's seed and the name, or on the initializer's own seed. The penalty of
  // a trainable weight is added to the graph. Throws ShapeError if the parameter has another shape or dtype.
  Value operator()(Graph& graph, const Shape& shape, DType dtype) const;
  // The same with another initializer.
  Value operator()(Graph& graph, const Shape& shape, DType dtype, const Initializer& initializer) const;

  // Not valid before the first call.
  const Parameter& parameter() const { return state_->parameter; }
  bool exists() const { return state_->parameter.valid(); }
  // Excludes the weight from training, or includes it again.
  void freeze(bool frozen);
  friend bool operator==(const Weight& a, const Weight& b) { return a.state_.get() == b.state_.get(); }

 private:
  struct State {
    std::string name;
    Initializer initializer;
    WeightOptions options;
    bool frozen = false;
    Parameter parameter{};
  };
  static constexpr char empty[] = "weight: it is empty: it was moved to another Weight";
  CheckedPointer<std::shared_ptr<State>, empty> state_;
};

// The weights of a module and the modules that it has called. Copies of a module share them.
class ModuleParts {
 public:
  explicit ModuleParts(std::string module, bool trains = true) : name(std::move(module)), trainable(trains) {}

  // Scope guard: the weights and modules that this thread uses are recorded as parts of the module.
  struct Use {
    explicit Use(const std::shared_ptr<ModuleParts>& parts);
    Use(const Use&) = delete;
    ~Use();
    ModuleParts& parts;
    const Use* const outer;
  };

  void add(Weight weight);
  void add(const std::shared_ptr<ModuleParts>& module);
  std::vector<Parameter> parameters();
  void set_trainable(bool trains);

  const std::string name;  // scope name
  bool trainable;          // pinned by graphs

 private:
  friend class AnyModule;
  // Calls visit(parts) once for this module and each contained one.
  template <class Visit>
  void for_each(std::set<const ModuleParts*>& seen, const Visit& visit);
  bool decides() const { return decided_ || !trainable; }

  bool used_ = false;
  bool decided_ = false;  // set_trainable was called, which also applies to parts added later
  std::vector<Weight> weights_;
  std::vector<std::weak_ptr<ModuleParts>> modules_;  // their callers own them
};

// Optional base of modules: names the module's scope after its type.
struct Module {};

// Base of the library's layers: a module that opens a scope. `kind` is the default scope name.
class Layer : public Module {
 public:
  const std::string& name() const { return name_; }
  // Whether training changes the layer's weights. Copies of a layer share this flag. A graph pins the flag when the
  // layer is called in it, a model at compile(): compile again after a change.
  bool trainable() const { return parts_->trainable; }
  void set_trainable(bool trainable) { parts_->set_trainable(trainable); }
  std::vector<Parameter> parameters() const { return parts_->parameters(); }

 protected:
  // The flag as this graph has pinned it, for layers whose computation depends on it.
  bool trainable_in(Graph& graph) const { return graph.pin_trainable({parts_.pointer(), &parts_->trainable}); }
  // `at` is the source location of the layer. Its nodes get this location unless user code calls the layer directly.
  Layer(const char* kind, const std::string& name, bool trainable = true, SourceLocation at = {})
      : name_(name.empty() ? kind : name), parts_(std::make_shared<ModuleParts>(name_, trainable)), line_(at) {}
  // Scope guard: opens the layer's scope, and sets the source location to that of the call, if known, or of the layer.
  // Throws GraphError if the layer was moved from.
  struct Opened {
    SourceLocationScope line;
    ModuleParts::Use use;
    Graph::ScopeGuard scope;
  };
  [[nodiscard]] Opened open(const Operand& x) const {
    return {SourceLocationScope::instead(x.line().known() ? x.line() : line_, x), ModuleParts::Use(parts_.pointer()),
            x.graph().unique_scope(name_)};
  }
  // Like the function above, for a call with a Value, which has no source location: nodes keep the locations of the
  // lines inside the layer.
  [[nodiscard]] Opened open(Value x) const {
    return {SourceLocationScope::otherwise(line_, x), ModuleParts::Use(parts_.pointer()),
            x.graph().unique_scope(name_)};
  }
  // A weight that is frozen together with the layer.
  Weight weight(std::string name, Initializer initializer, WeightOptions options = {});

 private:
  friend class AnyModule;
  static constexpr char empty[] = "layer: it is empty: it was moved to another layer";
  std::string name_;
  CheckedPointer<std::shared_ptr<ModuleParts>, empty> parts_;
  SourceLocation line_;
};

// Any module, layer or function from Value to Value, held by value. `at` is the source location of modules that have
// none, such as activations. Throws GraphError if modules are nested more than `max_nesting` deep, or if it is called
// after it was moved from.
class AnyModule {
 public:
  // Calling and destroying modules recurses as deep as they are nested.
  static constexpr int max_nesting = 1000;

  template <class M>
  requires(!std::is_same_v<M, AnyModule> && !std::is_same_v<M, std::vector<AnyModule>>)
      AnyModule(M module, SourceLocation at = SourceLocation::here())
      : nesting_(1 + nesting_of(module)),
        parts_(parts_of(module)),
        opens_scope_(std::is_base_of_v<Module, M> && !std::is_base_of_v<Layer, M> &&
                     !requires { typename M::is_transparent; }),
        line_(at) {
    check_nesting();
    constexpr bool is_module = std::is_invocable_r_v<Value, M&, Value>;
    static_assert(is_module, "a module is a layer, or a struct or function that takes a Value and returns a Value");
    if constexpr (is_module) call_ = [held = std::make_shared<M>(std::move(module))](Value x) { return (*held)(x); };
  }

  Value operator()(Value x) const;
  std::vector<Parameter> parameters() const { return parts_->parameters(); }
  void set_trainable(bool trainable) { parts_->set_trainable(trainable); }
  // Nesting depth of modules, including this one.
  int nesting() const { return nesting_; }
  static int deepest(const std::vector<AnyModule>& modules);

 private:
  template <class M>
  static int nesting_of(const M& module) {
    if constexpr (requires {
                    { module.nesting() } -> std::same_as<int>;
                  })
      return module.nesting();
    else
      return 0;
  }
  template <class M>
  static std::shared_ptr<ModuleParts> parts_of(const M& module) {
    if constexpr (std::is_base_of_v<Layer, M>)
      return module.parts_.pointer();
    else if constexpr (requires { module.modules(); })
      return parts_of_all(module.modules());
    else
      return std::make_shared<ModuleParts>(std::is_base_of_v<Module, M> ? scope_name(typeid(M)) : "module");
  }
  static std::shared_ptr<ModuleParts> parts_of_all(const std::vector<AnyModule>& modules);
  void check_nesting() const;
  // The scope name of a type: "residual" for `Residual`, "wide_block" for `my::WideBlock`.
  static std::string scope_name(const std::type_info& type);

  static constexpr char empty[] = "module: it is empty: it was moved to another AnyModule";
  int nesting_;
  CheckedPointer<std::shared_ptr<ModuleParts>, empty> parts_;
  bool opens_scope_;  // named parts_->name
  SourceLocation line_;
  std::function<Value(Value)> call_;
};

}  // namespace xgrad::inline v0::nn
