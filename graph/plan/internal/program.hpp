// Program: the compiled form of a Plan: values with their storage, steps in execution order, updates. `build_program`
// makes it, plan.cpp runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <xgrad/graph/plan/internal/block_run.hpp>
#include <xgrad/graph/plan/internal/memory_plan.hpp>
#include <xgrad/graph/plan/internal/needed.hpp>
#include <xgrad/graph/plan/plan.hpp>

namespace xgrad::inline v0 {

// Where the bytes of a value are.
struct Storage {
  enum class Kind : std::uint8_t {
    none,       // only its shape is read, or it stays within a block program
    arena,      // `offset` bytes into the workspace
    parameter,  // the memory of parameters[index]
    constant,   // the memory of constants[index]
  };
  Kind kind = Kind::none;
  std::uint32_t index = 0;
  std::size_t offset = 0;
};

struct PlannedValue {
  TensorType type;
  Storage storage;
  std::uint32_t bytes_of = 0;  // the value that owns its bytes: itself or, for a view, a value that is not a view
};

// The description of a step, for messages, tables and diagrams.
struct StepLabel {
  std::string own;                 // the operation whose kernel runs, if any
  std::vector<std::string> fused;  // operations of the block program
  std::string walked;              // the type over whose shape the block program iterates
  SourceLocation line;             // of the operation whose kernel runs

  std::string str() const;
};

// A node that a step computes, for profiles.
struct StepPart {
  NodeId node = 0;
  const OpDef* op = nullptr;
  std::string scope;
  Role role = Role::forward;
  TensorType type;
  double flops = 0;
};

// The kernel of one operation, a block program, or both: then the block program runs on rows of the kernel's result as
// they become ready. Operands, results, inputs and outputs are indices into Program::values.
struct Step {
  StepLabel label;
  std::vector<StepPart> parts;  // in execution order
  const OpDef* op = nullptr;    // whose kernel runs, if any
  Attrs attrs;
  std::shared_ptr<const void> prepared;  // by OpDef::prepare
  std::vector<std::uint32_t> operands;
  std::uint32_t result = 0;
  std::shared_ptr<const BlockCode> block;
  std::vector<std::uint32_t> inputs;
  std::vector<std::uint32_t> outputs;
  std::size_t scratch_offset = 0;  // into the workspace
  std::size_t block_scratch = 0;   // bytes of the kernel's scratch memory; the block program's follows
  Index row_elements = 0;          // of the operation whose kernel runs, see Graph::row_elements
  bool in_place = false;           // overwrites one of its inputs
};

// A copy of one value to another after the last step.
struct Copy {
  std::uint32_t from = 0;  // values
  std::uint32_t to = 0;
};

struct Program {
  std::vector<PlannedValue> values;
  std::vector<Step> steps;
  std::vector<Copy> saves;    // old values that an update would overwrite, into the arena
  std::vector<Copy> commits;  // new values into parameters, after the saves
  std::vector<std::uint32_t> outputs;
  std::vector<PlannedInput> inputs;  // in the order of their nodes
  std::unordered_map<std::string, std::size_t> input_of_name;
  std::vector<Parameter> parameters;
  std::vector<Tensor> constants;
  std::vector<Lifetime> lifetimes;  // of the arena's buffers
  std::vector<std::size_t> offsets;
  // For check_finite.
  const Graph* graph = nullptr;  // may be used while `life` has not expired
  std::weak_ptr<const void> life;
  std::shared_ptr<const Graph> snapshot;  // with PlanOptions::check_finite
  std::vector<Value> requested_outputs;
  std::vector<Update> updates;
  std::uint64_t seed = 0;
  std::size_t arena_bytes = 0;
  std::size_t total_bytes = 0;
};

struct Plan::Program : xgrad::Program {};

// Runs the stages of planning: rewrite, needed, schedule, select, place; then lowers their results to a program.
Program build_program(const std::vector<Value>& outputs, const std::vector<Update>& updates,
                      const PlanOptions& options);

// Whether build_program verifies each stage: by default in debug builds only. Tests set it.
extern bool verify_stages;

}  // namespace xgrad::inline v0
