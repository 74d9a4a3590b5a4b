#include <xgrad/nn/module.hpp>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string_view>

#include <cxxabi.h>
#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0::nn {
namespace {

// FNV-1a, by Fowler, Noll and Vo: the same on every machine, unlike std::hash.
std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return h;
}

}  // namespace

Weight::Weight(std::string name, Initializer initializer, WeightOptions options)
    : state_(std::make_shared<State>(State{std::move(name), std::move(initializer), std::move(options)})) {
  const auto require_function = [&](const char* kind, const auto& rule) {
    if (!rule || rule->apply) return;
    throw UserError(fmt::format("weight \"{}\": the {} \"{}\" has no function", state_->name, kind, rule->name));
  };
  require_function("regularizer", state_->options.regularizer);
  require_function("constraint", state_->options.constraint);
}

Value Weight::operator()(Graph& graph, const Shape& shape, DType dtype) const {
  return (*this)(graph, shape, dtype, state_->initializer);
}

Value Weight::operator()(Graph& graph, const Shape& shape, DType dtype, const Initializer& initializer) const {
  State& s = *state_;
  if (!s.parameter.valid()) {
    const std::string& scope = graph.current_scope();
    const std::string name = scope.empty() ? s.name : scope + "/" + s.name;
    const std::uint64_t seed = HostRandom(graph.options().seed, hash(name)).bits();
    s.parameter = Parameter(name, initializer(shape, dtype, seed), s.options.trainable && !s.frozen);
    if (s.options.constraint) s.parameter.set_constraint(s.options.constraint->apply.function());
  }
  const TensorType wanted{dtype, shape};
  if (s.parameter.type() != wanted) {
    throw ShapeError(
        fmt::format("weight \"{}\": it has type {}, but its module needs {} here\n  hint: a module keeps its "
                    "weights from its first call on; use another module for other shapes",
                    s.parameter.name(), s.parameter.type().str(), wanted.str()));
  }
  const Value node = graph.parameter(s.parameter);
  if (graph.pin_trainable(s.parameter) && s.options.regularizer) graph.add_penalty(s.options.regularizer->apply(node));
  return node;
}

void Weight::freeze(bool frozen) {
  state_->frozen = frozen;
  if (exists()) state_->parameter.set_trainable(state_->options.trainable && !frozen);
}

void Layer::set_trainable(bool trainable) {
  state_->trainable = trainable;
  for (Weight& weight : state_->weights) weight.freeze(!trainable);
}

Weight Layer::weight(std::string name, Initializer initializer, WeightOptions options) {
  Weight made(std::move(name), std::move(initializer), std::move(options));
  made.freeze(!state_->trainable);
  state_->weights.push_back(made);
  return made;
}

Value AnyModule::operator()(Value x) const {
  if (!call_) throw GraphError("module: it is empty: it was moved to another AnyModule");
  return call_(x);
}

int AnyModule::deepest(const std::vector<AnyModule>& modules) {
  int out = 0;
  for (const AnyModule& module : modules) out = std::max(out, module.nesting());
  return out;
}

void AnyModule::check_nesting() const {
  if (nesting_ > max_nesting)
    throw GraphError(fmt::format("module: modules are nested more than {} deep", max_nesting));
}

std::string AnyModule::scope_name(const std::type_info& type) {
  int status = 0;
  char* readable = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? readable : "module";
  std::free(readable);
  name = name.substr(0, name.find('<'));
  if (const auto colon = name.rfind(':'); colon != std::string::npos) name = name.substr(colon + 1);
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    if (std::isupper(c) != 0 && i > 0 && std::isupper(static_cast<unsigned char>(name[i - 1])) == 0) out += '_';
    if (std::isalnum(c) != 0 || c == '_') out += static_cast<char>(std::tolower(c));
  }
  return out.empty() ? "module" : out;
}

}  // namespace xgrad::inline v0::nn
