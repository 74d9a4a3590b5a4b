#include <xgrad/nn/module.hpp>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include <cxxabi.h>
#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0::nn {
namespace {

// The hash FNV-1a (Fowler, Noll and Vo). Unlike std::hash, it is the same on every machine.
std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return h;
}

thread_local const ModuleParts::Use* innermost = nullptr;
std::mutex adding;  // several threads may call one module, each in its own graph

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
  if (innermost != nullptr) innermost->parts.add(*this);
  if (!s.parameter.valid()) {
    const std::string& scope = graph.current_scope();
    const std::string name = scope.empty() ? s.name : scope + "/" + s.name;
    const std::uint64_t seed = HostRandom(graph.options().seed, hash(name)).bits();
    s.parameter = Parameter(name, initializer(shape, dtype, seed), s.options.trainable && !s.frozen);
    if (s.options.constraint) s.parameter.set_constraint(s.options.constraint->apply.function());
  }
  const TensorType expected{dtype, shape};
  if (s.parameter.type() != expected) {
    throw ShapeError(
        fmt::format("weight \"{}\": it has type {}, but this call needs {}\n  hint: the first call of a module "
                    "fixes the shapes of its weights; use another module for other shapes",
                    s.parameter.name(), s.parameter.type().str(), expected.str()));
  }
  const Value node = graph.parameter(s.parameter);
  if (graph.pin_trainable(s.parameter) && s.options.regularizer) graph.add_penalty(s.options.regularizer->apply(node));
  return node;
}

void Weight::freeze(bool frozen) {
  state_->frozen = frozen;
  if (exists()) state_->parameter.set_trainable(state_->options.trainable && !frozen);
}

ModuleParts::Use::Use(const std::shared_ptr<ModuleParts>& used) : parts(*used), outer(innermost) {
  if (outer != nullptr && &outer->parts != &parts) outer->parts.add(used);
  if (!parts.used_) parts.used_ = true;
  innermost = this;
}

ModuleParts::Use::~Use() { innermost = outer; }

void ModuleParts::add(Weight weight) {
  std::unique_lock lock(adding);
  if (std::find(weights_.begin(), weights_.end(), weight) != weights_.end()) return;
  weights_.push_back(weight);
  lock.unlock();
  if (decides()) weight.freeze(!trainable);
}

void ModuleParts::add(const std::shared_ptr<ModuleParts>& module) {
  std::unique_lock lock(adding);
  if (std::any_of(modules_.begin(), modules_.end(), [&](const auto& known) { return known.lock() == module; })) return;
  std::erase_if(modules_, [](const auto& known) { return known.expired(); });
  modules_.push_back(module);
  lock.unlock();
  if (decides()) module->set_trainable(trainable);
}

template <class Visit>
void ModuleParts::for_each(std::set<const ModuleParts*>& seen, const Visit& visit) {
  if (!seen.insert(this).second) return;
  visit(*this);
  for (const auto& known : modules_) {
    if (const auto module = known.lock()) module->for_each(seen, visit);
  }
}

std::vector<Parameter> ModuleParts::parameters() {
  std::vector<Parameter> out;
  std::set<const ModuleParts*> seen;
  for_each(seen, [&](const ModuleParts& parts) {
    if (!parts.used_) {
      throw GraphError(
          fmt::format("parameters: {:?} has no weights before its first call\n  hint: make the Model first, or "
                      "call the module on an input",
                      parts.name));
    }
    for (const Weight& weight : parts.weights_) {
      if (weight.exists() && std::find(out.begin(), out.end(), weight.parameter()) == out.end())
        out.push_back(weight.parameter());
    }
  });
  return out;
}

void ModuleParts::set_trainable(bool trains) {
  std::set<const ModuleParts*> seen;
  for_each(seen, [&](ModuleParts& parts) {
    parts.trainable = trains;
    parts.decided_ = true;
    for (Weight& weight : parts.weights_) weight.freeze(!trains);
  });
}

Weight Layer::weight(std::string name, Initializer initializer, WeightOptions options) {
  Weight made(std::move(name), std::move(initializer), std::move(options));
  parts_->add(made);
  return made;
}

Value AnyModule::operator()(Value x) const {
  const ModuleParts::Use use(parts_.pointer());
  const SourceLocationScope line = SourceLocationScope::otherwise(line_, x);
  if (!opens_scope_) return call_(x);
  const auto scope = x.graph().unique_scope(parts_->name);
  return call_(x);
}

std::shared_ptr<ModuleParts> AnyModule::parts_of_all(const std::vector<AnyModule>& modules) {
  auto out = std::make_shared<ModuleParts>("sequential");
  out->used_ = true;
  for (const AnyModule& module : modules) out->add(module.parts_.pointer());
  return out;
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
