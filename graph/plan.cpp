#include <xgrad/graph/plan.hpp>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/graph/float_mode.hpp>
#include <xgrad/graph/memory_plan.hpp>
#include <xgrad/graph/program.hpp>

namespace xgrad {

struct Plan::Program : xgrad::Program {};

struct Workspace::State {
  std::shared_ptr<const Plan::Program> program;
  std::shared_ptr<void> arena;
  std::vector<char> fed;  // by planned input
  // Everything a run needs, with every pointer in place, so that a run only calls kernels.
  std::vector<ConstBuffer> operands;
  std::vector<const void*> block_inputs;
  std::vector<void*> block_outputs;
  struct Call {
    KernelCall kernel;  // without an operation, if there is none
    const BlockProgram* block = nullptr;
    const void* const* inputs = nullptr;
    void* const* outputs = nullptr;
    void* scratch = nullptr;
  };
  std::vector<Call> calls;

  void* at(std::uint32_t value) const {
    const Place& place = program->values[value].place;
    switch (place.kind) {
      case Place::Kind::none: return nullptr;
      case Place::Kind::arena: return static_cast<char*>(arena.get()) + place.offset;
      case Place::Kind::parameter: return program->parameters[place.index].raw();
      case Place::Kind::constant: return const_cast<void*>(program->constants[place.index].raw());
    }
    return nullptr;
  }
  void copy(const Copy& copy) const { std::memcpy(at(copy.to), at(copy.from), program->values[copy.to].type.bytes()); }

  template <class Matches>
  std::size_t find_input(const std::string& described, Matches matches) const {
    const auto& inputs = program->inputs;
    const auto found = std::find_if(inputs.begin(), inputs.end(), matches);
    if (found == inputs.end()) throw FeedError(fmt::format("feed: the plan's graph has no input {}", described));
    return static_cast<std::size_t>(found - inputs.begin());
  }
  std::size_t find_input(const std::string& name) const {
    return find_input("\"" + name + "\"", [&](const PlannedInput& i) { return i.name == name; });
  }
  std::size_t find_input(Value value) const {
    return find_input(fmt::format("%{} (is it a handle of another graph, or not an input?)", value.id()),
                      [&](const PlannedInput& i) { return i.handle == value; });
  }

  void feed(std::size_t input, const Tensor& value) {
    const PlannedInput& planned = program->inputs[input];
    const Tensor converted = convert_feed(planned.name, planned.type, value);
    if (!planned.needed) return;
    std::memcpy(at(planned.value), converted.raw(), converted.bytes());
    fed[input] = 1;
  }
  Buffer input(std::size_t input) {
    const PlannedInput& planned = program->inputs[input];
    if (!planned.needed) return {};
    fed[input] = 1;
    return {at(planned.value), planned.type};
  }
};

Plan::Plan(const std::vector<Value>& outputs, const std::vector<Update>& updates, const PlanOptions& options)
    : program_(std::make_shared<const Program>(Program{build_program(outputs, updates, options)})) {}
Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

Workspace::Workspace(const Plan& plan) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.program = plan.program_;
  const Plan::Program& program = *s.program;
  s.arena = allocate_aligned(program.arena_bytes);
  s.fed.assign(program.inputs.size(), 0);
  std::size_t operands = 0, inputs = 0, outputs = 0;
  for (const Step& step : program.steps) {
    operands += step.operands.size();
    inputs += step.inputs.size();
    outputs += step.outputs.size();
  }
  s.operands.reserve(operands);  // the calls below keep pointers into these
  s.block_inputs.reserve(inputs);
  s.block_outputs.reserve(outputs);
  for (const Step& step : program.steps) {
    State::Call call;
    if (step.block) {
      call.block = step.block.get();
      call.inputs = s.block_inputs.data() + s.block_inputs.size();
      call.outputs = s.block_outputs.data() + s.block_outputs.size();
      for (std::uint32_t value : step.inputs) s.block_inputs.push_back(s.at(value));
      for (std::uint32_t value : step.outputs) s.block_outputs.push_back(s.at(value));
      call.scratch = static_cast<char*>(s.arena.get()) + step.block_scratch_offset;
    }
    if (step.op != nullptr) {
      const std::size_t first = s.operands.size();
      for (std::uint32_t value : step.operands) s.operands.push_back({s.at(value), program.values[value].type});
      KernelCall& kernel = call.kernel;
      kernel.op = step.op;
      kernel.inputs = {s.operands.data() + first, step.operands.size()};
      kernel.output = {s.at(step.result), program.values[step.result].type};
      kernel.attrs = &step.attrs;
      kernel.scratch = static_cast<char*>(s.arena.get()) + step.scratch_offset;
    }
    s.calls.push_back(call);
  }
}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;

void Workspace::feed(Value input, const Tensor& value) { state_->feed(state_->find_input(input), value); }
void Workspace::feed(const std::string& input, const Tensor& value) { state_->feed(state_->find_input(input), value); }
Buffer Workspace::input(Value input) { return state_->input(state_->find_input(input)); }
Buffer Workspace::input(const std::string& input) { return state_->input(state_->find_input(input)); }

Tensor Workspace::output(int i) const {
  const auto& outputs = state_->program->outputs;
  if (i < 0 || i >= static_cast<int>(outputs.size())) {
    throw GraphError(fmt::format("workspace: output {} of a plan with {} outputs", i, outputs.size()));
  }
  const std::uint32_t value = outputs[static_cast<std::size_t>(i)];
  return Tensor::borrow(state_->at(value), state_->program->values[value].type);
}

void Plan::run(Workspace& memory, const RunOptions& options) const {
  Workspace::State& s = *memory.state_;
  if (s.program != program_) throw GraphError("plan: the workspace was made for another plan");
  for (std::size_t i = 0; i < s.fed.size(); ++i) {
    const PlannedInput& input = program_->inputs[i];
    if (input.needed && !s.fed[i]) {
      throw FeedError(fmt::format("plan: input \"{}\" {} was not fed", input.name, input.type.str()));
    }
  }
  const FlushDenormals mode;
  const Parallel parallel(options.threads > 0 ? options.threads : default_threads());
  const RandomState random{program_->seed, options.step};
  for (Workspace::State::Call& call : s.calls) {
    if (call.kernel.op == nullptr) {
      call.block->run({call.inputs, call.outputs, call.scratch, random}, parallel);
      continue;
    }
    const auto follow = [&](Index first, Index last) {
      call.block->run_rows({call.inputs, call.outputs, call.scratch, random}, first, last);
    };
    const RangeRef rows_done(follow);
    call.kernel.rows_done = call.block != nullptr ? &rows_done : nullptr;
    call.kernel.parallel = parallel;
    call.kernel.random = random;
    try {
      call.kernel.op->kernel(call.kernel);
    } catch (const ValueError& error) {
      const auto step = static_cast<std::size_t>(&call - s.calls.data());
      throw ValueError(fmt::format("{}\n  in {}", error.what(), program_->labels[step]));
    }
  }
  for (const Copy& copy : program_->saves) s.copy(copy);
  for (const Copy& copy : program_->commits) s.copy(copy);
}

std::vector<Tensor> Plan::run(const Feeds& feeds, const RunOptions& options) const {
  Workspace memory(*this);
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (feeds[i].input == feeds[j].input) {
        throw FeedError(fmt::format("plan: {} is fed twice", feeds[i].input.describe()));
      }
    }
    memory.feed(feeds[i].input, feeds[i].value);
  }
  run(memory, options);
  std::vector<Tensor> out;
  for (int i = 0; i < static_cast<int>(program_->outputs.size()); ++i) out.push_back(memory.output(i).clone());
  return out;
}

std::size_t Plan::peak_bytes() const { return program_->arena_bytes; }
std::size_t Plan::total_bytes() const { return program_->total_bytes; }
int Plan::steps() const { return static_cast<int>(program_->steps.size()); }

std::vector<TensorType> Plan::outputs() const {
  std::vector<TensorType> out;
  for (std::uint32_t value : program_->outputs) out.push_back(program_->values[value].type);
  return out;
}

std::string Plan::str() const {
  const auto where = [&](std::uint32_t value) {
    const Place& place = program_->values[value].place;
    switch (place.kind) {
      case Place::Kind::none: return std::string("shape");
      case Place::Kind::arena: return fmt::format("@{}", place.offset);
      case Place::Kind::parameter: return fmt::format("\"{}\"", program_->parameters[place.index].name());
      case Place::Kind::constant: return std::string("const");
    }
    return std::string();
  };
  std::string out = fmt::format("plan: {} steps, {} bytes at peak, {} bytes if every value had its own\n",
                                program_->steps.size(), program_->arena_bytes, program_->total_bytes);
  for (const PlannedInput& input : program_->inputs) {
    if (input.needed) out += fmt::format("  input {} \"{}\" {}\n", where(input.value), input.name, input.type.str());
  }
  for (std::size_t i = 0; i < program_->steps.size(); ++i) {
    const Step& step = program_->steps[i];
    out += fmt::format("{:5}  {:<44}", i, program_->labels[i]);
    if (step.op != nullptr) out += " " + where(step.result);
    for (std::uint32_t value : step.outputs) out += " " + where(value);
    out += " <-";
    for (std::uint32_t value : step.operands) out += " " + where(value);
    for (std::uint32_t value : step.inputs) out += " " + where(value);
    if (step.in_place) out += "  in place";
    out += '\n';
  }
  for (const Copy& copy : program_->saves) out += fmt::format("   save  {} <- {}\n", where(copy.to), where(copy.from));
  for (const Copy& copy : program_->commits)
    out += fmt::format(" commit  {} <- {}\n", where(copy.to), where(copy.from));
  return out;
}

}  // namespace xgrad
