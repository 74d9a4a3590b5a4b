#include <xgrad/graph/plan/plan.hpp>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/sizes.hpp>
#include <xgrad/graph/machine/internal/float_mode.hpp>
#include <xgrad/graph/plan/internal/finite_checker.hpp>
#include <xgrad/graph/plan/internal/memory_plan.hpp>
#include <xgrad/graph/plan/internal/program.hpp>

namespace xgrad::inline v0 {

struct Workspace::State {
  std::shared_ptr<const Plan::Program> program;
  std::shared_ptr<void> arena;
  std::vector<char> fed;  // by planned input
  // The arguments of all kernels. They are stored here once, so that a run only calls kernels.
  std::vector<ConstBuffer> operands;
  std::vector<const void*> block_inputs;
  std::vector<void*> block_outputs;
  struct Call {
    KernelCall kernel;  // `op` is null if the step has only a block program
    const BlockCode* block = nullptr;
    const void* const* inputs = nullptr;
    void* const* outputs = nullptr;
    void* scratch = nullptr;
    Index row_elements = 0;  // of the kernel, see Graph::row_elements
  };
  std::vector<Call> calls;
  std::uint64_t next_step = 0;  // the step of the next run without RunOptions::step
  // An input may have two buffers, see swap_inputs.
  struct InputMemory {
    void* now = nullptr;   // the buffer that runs read
    void* next = nullptr;  // the buffer to fill; null until next_input is called
    std::shared_ptr<void> own;
    std::vector<const void**> readers;  // the pointers above to `now`
  };
  std::unique_ptr<FiniteChecker> finite;  // null before the first run with check_finite
  std::vector<InputMemory> inputs;        // by planned input
  std::vector<std::uint32_t> input_of;    // by value: its index in `inputs`

  std::uint32_t input_at(std::uint32_t value) const { return input_of[program->values[value].bytes_of]; }
  void* at(std::uint32_t value) const {
    if (const std::uint32_t input = input_at(value); input < inputs.size()) return inputs[input].now;
    const Storage& storage = program->values[value].storage;
    switch (storage.kind) {
      case Storage::Kind::none: return nullptr;
      case Storage::Kind::arena: return static_cast<char*>(arena.get()) + storage.offset;
      case Storage::Kind::parameter: return program->parameters[storage.index].raw();
      case Storage::Kind::constant: return const_cast<void*>(program->constants[storage.index].raw());
    }
    return nullptr;
  }
  void copy(const Copy& copy) const { std::memcpy(at(copy.to), at(copy.from), program->values[copy.to].type.bytes()); }

  // Both allocate nothing: training loops call them at each step.
  std::size_t find_input(const std::string& name) const {
    const auto found = program->input_of_name.find(name);
    if (found != program->input_of_name.end()) return found->second;
    std::vector<std::string> known;
    for (const PlannedInput& input : program->inputs) known.push_back(input.name);
    fail_unknown_feed(name, std::move(known));
  }
  std::size_t find_input(Value value) const {
    const auto& all = program->inputs;  // in the order of their nodes
    const auto found = std::lower_bound(all.begin(), all.end(), value.id(),
                                        [](const PlannedInput& i, NodeId id) { return i.handle.id() < id; });
    if (found != all.end() && found->handle == value) return static_cast<std::size_t>(found - all.begin());
    throw FeedError(fmt::format(
        "feed: the plan's graph has no input %{} (is it a handle of another graph, or not an input?)", value.id()));
  }

  void feed(std::size_t input, const Tensor& value) {
    const PlannedInput& planned = program->inputs[input];
    const Tensor converted = convert_feed(planned.name, planned.type, value);
    if (!planned.needed) return;
    std::memcpy(inputs[input].now, converted.raw(), converted.bytes());
    fed[input] = 1;
  }
  Buffer feed_in_place(std::size_t input) {
    const PlannedInput& planned = program->inputs[input];
    if (!planned.needed) return {};
    fed[input] = 1;
    return {inputs[input].now, planned.type};
  }
  Buffer next_input(std::size_t input) {
    const PlannedInput& planned = program->inputs[input];
    if (!planned.needed) return {};
    InputMemory& memory = inputs[input];
    if (memory.next == nullptr) {
      memory.own = allocate_aligned(planned.type.bytes(), "workspace");
      memory.next = memory.own.get();
    }
    return {memory.next, planned.type};
  }
  void swap_inputs() {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      InputMemory& memory = inputs[i];
      if (memory.next == nullptr) continue;
      std::swap(memory.now, memory.next);
      for (const void** reader : memory.readers) *reader = memory.now;
      fed[i] = 1;
    }
  }
  // Records the pointer if it points to an input, for swap_inputs.
  void watch(const void*& pointer, std::uint32_t value) {
    if (const std::uint32_t input = input_at(value); input < inputs.size()) inputs[input].readers.push_back(&pointer);
  }
};

Plan::Plan(const std::vector<Value>& outputs, const std::vector<Update>& updates, const PlanOptions& options)
    : program_(with_memory(
          [&] { return std::make_shared<const Program>(Program{build_program(outputs, updates, options)}); },
          [&] {
            return fmt::format("plan: out of memory for {} outputs and {} updates", outputs.size(), updates.size());
          })) {}
Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

Workspace::Workspace(const Plan& plan) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.program = plan.program_.pointer();
  const Plan::Program& program = *s.program;
  s.arena = allocate_aligned(program.arena_bytes, "workspace");
  s.fed.assign(program.inputs.size(), 0);
  s.input_of.assign(program.values.size(), ~std::uint32_t{0});
  s.inputs.resize(program.inputs.size());
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    const PlannedInput& input = program.inputs[i];
    if (!input.needed) continue;
    s.input_of[input.value] = static_cast<std::uint32_t>(i);
    s.inputs[i].now = static_cast<char*>(s.arena.get()) + program.values[input.value].storage.offset;
  }
  std::size_t operands = 0, inputs = 0, outputs = 0;
  for (const Step& step : program.steps) {
    operands += step.operands.size();
    inputs += step.inputs.size();
    outputs += step.outputs.size();
  }
  s.operands.reserve(operands);  // the calls below keep pointers into these vectors
  s.block_inputs.reserve(inputs);
  s.block_outputs.reserve(outputs);
  for (const Step& step : program.steps) {
    State::Call call;
    if (step.block) {
      call.block = step.block.get();
      call.inputs = s.block_inputs.data() + s.block_inputs.size();
      call.outputs = s.block_outputs.data() + s.block_outputs.size();
      for (std::uint32_t value : step.inputs) s.watch(s.block_inputs.emplace_back(s.at(value)), value);
      for (std::uint32_t value : step.outputs) s.block_outputs.push_back(s.at(value));
      call.scratch = static_cast<char*>(s.arena.get()) + step.scratch_offset + step.block_scratch;
    }
    if (step.op != nullptr) {
      const std::size_t first = s.operands.size();
      for (std::uint32_t value : step.operands)
        s.watch(s.operands.emplace_back(ConstBuffer{s.at(value), program.values[value].type}).data, value);
      KernelCall& kernel = call.kernel;
      kernel.op = step.op;
      kernel.inputs = {s.operands.data() + first, step.operands.size()};
      kernel.output = {s.at(step.result), program.values[step.result].type};
      kernel.attrs = &step.attrs;
      kernel.prepared = step.prepared.get();
      kernel.scratch = static_cast<char*>(s.arena.get()) + step.scratch_offset;
      call.row_elements = step.row_elements;
    }
    s.calls.push_back(call);
  }
}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;

void Workspace::feed(Value input, const Tensor& value) { state_->feed(state_->find_input(input), value); }
void Workspace::feed(const std::string& input, const Tensor& value) { state_->feed(state_->find_input(input), value); }
Buffer Workspace::feed_in_place(Value input) { return state_->feed_in_place(state_->find_input(input)); }
void Workspace::feed(const Feeds& feeds) {
  std::unordered_set<std::size_t> fed;
  State& state = *state_;
  for (const Feed& feed : feeds) {
    const bool by_name = !feed.input.valid() && !feed.name.empty();
    const std::size_t input = by_name ? state.find_input(feed.name) : state.find_input(feed.input);
    state.feed(input, feed.value);
    if (!fed.insert(input).second)
      throw FeedError(fmt::format("feed {:?}: it is fed twice", state.program->inputs[input].name));
  }
}

Buffer Workspace::next_input(Value input) { return state_->next_input(state_->find_input(input)); }
void Workspace::swap_inputs() { state_->swap_inputs(); }

Tensor Workspace::output(int i) const {
  const auto& outputs = state_->program->outputs;
  if (i < 0 || i >= static_cast<int>(outputs.size())) {
    throw GraphError(fmt::format("workspace: output {} of a plan with {} outputs", i, outputs.size()));
  }
  const std::uint32_t value = outputs[static_cast<std::size_t>(i)];
  return Tensor::borrow(state_->at(value), state_->program->values[value].type);
}

// Calls `done` with the index of each step after it has run, and once more at the end.
template <class Done>
void Plan::run_steps(Workspace& memory, const RunOptions& options, Done done) const {
  Workspace::State& s = *memory.state_;
  if (s.program != program_.pointer()) throw GraphError("plan: the workspace was made for another plan");
  for (std::size_t i = 0; i < s.fed.size(); ++i) {
    const PlannedInput& input = program_->inputs[i];
    if (input.needed && !s.fed[i]) {
      throw FeedError(fmt::format("plan: input \"{}\" {} was not fed", input.name, input.type.str()));
    }
  }
  check_run_options("plan", options);
  const KernelFloatMode mode;
  const Parallel parallel(options.threads > 0 ? options.threads : default_threads());
  const std::uint64_t random_step = options.step.value_or(s.next_step);
  const RandomState random{program_->seed, random_step};
  if (options.check_finite) {
    if (s.finite == nullptr) s.finite = std::make_unique<FiniteChecker>(*program_);
    s.finite->begin(random_step, options.first_row, [&](std::size_t i) { return s.inputs[i].now; });
  }
  for (Workspace::State::Call& call : s.calls) {
    const Index step = &call - s.calls.data();
    if (call.kernel.op == nullptr) {
      call.block->run({call.inputs, call.outputs, call.scratch, random, options.first_row}, parallel);
      done(step);
      continue;
    }
    const auto follow = [&](Index first, Index last) {
      call.block->run_rows({call.inputs, call.outputs, call.scratch, random, options.first_row}, first, last);
    };
    const RangeRef on_rows_ready(follow);
    call.kernel.on_rows_ready = call.block != nullptr ? &on_rows_ready : nullptr;
    call.kernel.parallel = parallel;
    call.kernel.random = random;
    call.kernel.first = options.first_row * call.row_elements;
    try {
      call.kernel.op->kernel(call.kernel);
    } catch (const ValueError& error) {
      const StepLabel& label = program_->steps[static_cast<std::size_t>(step)].label;
      const SourceLocationScope line = SourceLocationScope::instead(label.line, nullptr);
      throw ValueError(fmt::format("{}\n  in {}", error.message(), label.str()));
    }
    done(step);
  }
  for (const Copy& copy : program_->saves) s.copy(copy);
  for (const Copy& copy : program_->commits) s.copy(copy);
  if (options.check_finite)
    s.finite->end([&](std::size_t i) { return memory.output(static_cast<int>(i)); }, options.threads);
  s.next_step = random_step + 1;
  done(static_cast<Index>(s.calls.size()));
}

void Plan::run(Workspace& memory, const RunOptions& options) const {
  run_steps(memory, options, [](Index) {});
}

void Plan::run_watched(Workspace& memory, const RunOptions& options, TaskRef done) const {
  const std::uint64_t next_step = memory.state_->next_step;
  run_steps(memory, options, [&](Index step) { done(step); });
  memory.state_->next_step = next_step;
}

std::vector<Tensor> Plan::run(const Feeds& feeds, const RunOptions& options) const {
  Workspace memory(*this);
  memory.feed(feeds);
  run(memory, options);
  std::vector<Tensor> out;
  for (int i = 0; i < static_cast<int>(program_->outputs.size()); ++i) out.push_back(memory.output(i).clone());
  return out;
}

std::size_t Plan::peak_bytes() const { return program_->arena_bytes; }
std::size_t Plan::total_bytes() const { return program_->total_bytes; }
int Plan::steps() const { return static_cast<int>(program_->steps.size()); }
double Plan::flops() const {
  double out = 0;
  for (const Step& step : program_->steps) {
    for (const StepPart& part : step.parts) out += part.flops;
  }
  return out;
}

std::vector<TensorType> Plan::outputs() const {
  std::vector<TensorType> out;
  for (std::uint32_t value : program_->outputs) out.push_back(program_->values[value].type);
  return out;
}

std::string StepLabel::str() const {
  if (fused.empty()) return own;
  std::string out = own.empty() ? "" : own + ", then ";
  out += fmt::format("fused {}:", fused.size());
  for (const std::string& op : fused) out += " " + op;
  return out + " " + walked;
}

std::string Plan::str() const {
  const auto where = [&](std::uint32_t value) {
    const Storage& storage = program_->values[value].storage;
    switch (storage.kind) {
      case Storage::Kind::none: return std::string("shape");
      case Storage::Kind::arena: return fmt::format("@{}", storage.offset);
      case Storage::Kind::parameter: return fmt::format("\"{}\"", program_->parameters[storage.index].name());
      case Storage::Kind::constant: return std::string("const");
    }
    return std::string();
  };
  std::string out = fmt::format("plan: {} step{}, {} bytes at peak, {} bytes if every value had its own buffer\n",
                                program_->steps.size(), program_->steps.size() == 1 ? "" : "s", program_->arena_bytes,
                                program_->total_bytes);
  for (const PlannedInput& input : program_->inputs) {
    if (input.needed) out += fmt::format("  input {} \"{}\" {}\n", where(input.value), input.name, input.type.str());
  }
  for (std::size_t i = 0; i < program_->steps.size(); ++i) {
    const Step& step = program_->steps[i];
    out += fmt::format("{:5}  {:<44}", i, step.label.str());
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

}  // namespace xgrad::inline v0
