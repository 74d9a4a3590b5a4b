// Modules: functions from Value to Value that own weights.
//
//   struct Residual : nn::Module {
//     nn::Dense a{64, nn::tanh}, b{64};
//     Value operator()(Value x) { return x + b(a(x)); }
//   };
//
// A module is a plain struct; calling it appends nodes to the graph of its argument. Its weights come to life at the
// first call, when their shapes are known. Weights are handles: a copy of a module has the same weights, and a module
// called twice uses them twice. The same module may be called in many graphs; whether a graph trains (GraphOptions) is
// what layers such as dropout go by.
//
// Layer, Sequential and AnyModule, which holds any struct or function, have
//
//   std::vector<Parameter> parameters() const;   // weights and moving statistics, each once
//   void set_trainable(bool trainable);          // of all weights, and of the layers in it
//
// parameters() throws GraphError before the first call: an empty list would look like a module without weights.
// set_trainable() may come before it, and then holds for the layers and weights that the call uses. Both reach what is
// a Layer or a Weight, wherever the struct or function keeps it, and no Parameter that it uses by itself.
#pragma once

#include <concepts>
#include <cstdint>
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

struct WeightOptions {
  bool trainable = true;  // whether an optimizer may ever change it; moving statistics are not trainable
  std::optional<Regularizer> regularizer{};
  std::optional<Constraint> constraint{};
};

// A weight of a module: a Parameter that is made at its first use.
//
//   nn::Weight gain{"gain", nn::ones};
//   Value g = gain(x.graph(), {x.shape().back()}, x.dtype());
class Weight {
 public:
  Weight(std::string name, Initializer initializer, WeightOptions options = {});

  // The node of the parameter, which is made first if need be: it is named after the graph's scope and its numbers are
  // a function of the graph's seed and of that name, or of the initializer's own seed. Its penalty, if it has one and
  // is not frozen, is added to the graph. Throws ShapeError if it exists with another shape or dtype.
  Value operator()(Graph& graph, const Shape& shape, DType dtype) const;
  // The same with other first numbers than those given to the constructor.
  Value operator()(Graph& graph, const Shape& shape, DType dtype, const Initializer& initializer) const;

  // Not valid before the first use.
  const Parameter& parameter() const { return state_->parameter; }
  bool exists() const { return state_->parameter.valid(); }
  // Keeps its numbers as they are in training, or no longer.
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

// What a module consists of: weights, and the modules that it was seen to call. Copies of a module share it.
class ModuleParts {
 public:
  explicit ModuleParts(std::string module, bool trains = true) : name(std::move(module)), trainable(trains) {}

  // For as long as it lives, the weights and modules that this thread uses become parts of the module.
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

  const std::string name;  // of the scope
  bool trainable;          // pinned by graphs

 private:
  friend class AnyModule;
  // Calls visit(parts) for this module and those in it, each once.
  template <class Visit>
  void for_each(std::set<const ModuleParts*>& seen, const Visit& visit);
  bool decides() const { return decided_ || !trainable; }

  bool used_ = false;
  bool decided_ = false;  // by set_trainable, also of parts to come
  std::vector<Weight> weights_;
  std::vector<std::weak_ptr<ModuleParts>> modules_;  // their callers own them
};

// Base of modules: it marks a struct as one, so that its type gives the name of its scope.
struct Module {};

// A module that opens its own scope, as all layers of this library do. `kind` is the default name of the scope.
class Layer : public Module {
 public:
  const std::string& name() const { return name_; }
  // Whether training changes the layer's weights. Copies of a layer share this as they share the weights. A graph keeps
  // what was set when the layer was called in it, and a model what was set at compile(), for every batch size: compile
  // it again after a change.
  bool trainable() const { return parts_->trainable; }
  void set_trainable(bool trainable) { parts_->set_trainable(trainable); }
  std::vector<Parameter> parameters() const { return parts_->parameters(); }

 protected:
  // Whether the layer is trainable in this graph: what layers that freeze more than weights go by.
  bool trainable_in(Graph& graph) const { return graph.pin_trainable({parts_.pointer(), &parts_->trainable}); }
  // `at` is the line the layer was written in, which what it appends is said to be made at when nothing but another
  // module of this library calls it.
  Layer(const char* kind, const std::string& name, bool trainable = true, SourceLocation at = {})
      : name_(name.empty() ? kind : name), parts_(std::make_shared<ModuleParts>(name_, trainable)), line_(at) {}
  // The scope of the layer, for as long as it lives, and the line: that of the call or else that of the layer. Throws
  // GraphError if the layer was moved from.
  struct Opened {
    SourceLocationScope line;
    ModuleParts::Use use;
    Graph::ScopeGuard scope;
  };
  [[nodiscard]] Opened open(const Operand& x) const {
    return {SourceLocationScope::instead(x.line().known() ? x.line() : line_, x), ModuleParts::Use(parts_.pointer()),
            x.graph().unique_scope(name_)};
  }
  // The same for a layer that was called with a Value alone, in which each line counts for itself.
  [[nodiscard]] Opened open(Value x) const {
    return {SourceLocationScope::otherwise(line_, x), ModuleParts::Use(parts_.pointer()),
            x.graph().unique_scope(name_)};
  }
  // A weight that is frozen while the layer is.
  Weight weight(std::string name, Initializer initializer, WeightOptions options = {});

 private:
  friend class AnyModule;
  static constexpr char empty[] = "layer: it is empty: it was moved to another layer";
  std::string name_;
  CheckedPointer<std::shared_ptr<ModuleParts>, empty> parts_;
  SourceLocation line_;
};

// Any module, layer or function from Value to Value, held by value. `at` is the line of what has none of its own, such
// as an activation. Throws GraphError for modules that are nested more than `max_nesting` deep, and when it is called
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
  // How deep modules are nested in it, itself included.
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
  // `Residual` gives "residual", `my::WideBlock` gives "wide_block".
  static std::string scope_name(const std::type_info& type);

  static constexpr char empty[] = "module: it is empty: it was moved to another AnyModule";
  int nesting_;
  CheckedPointer<std::shared_ptr<ModuleParts>, empty> parts_;
  bool opens_scope_;  // of the parts' name
  SourceLocation line_;
  std::function<Value(Value)> call_;
};

}  // namespace xgrad::inline v0::nn
