#include <xgrad/graph/plan/internal/block_program.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {

using Register = BlockProgram::Register;

Register BlockProgram::Builder::add(Instruction instruction, Operands operands, DType result) {
  instruction.element_bytes = static_cast<std::uint32_t>(size_of(result));
  instruction.operand_count = static_cast<std::uint32_t>(operands.size());
  std::copy(operands.begin(), operands.end(), instruction.operand.begin());
  program_.instructions.push_back(std::move(instruction));
  return static_cast<Register>(program_.instructions.size() - 1);
}

Register BlockProgram::Builder::input(const TensorType& type, bool row_values) {
  program_.inputs.push_back(type);
  return add({.kind = Kind::input, .level = row_values ? BlockLevel::row : BlockLevel::element}, {}, type.dtype);
}

Register BlockProgram::Builder::map(BlockKernel kernel, Operands operands, DType result, BlockLevel level) {
  std::array<Register, 4> read{};
  std::transform(operands.begin(), operands.end(), read.begin(),
                 [&](Register r) { return level == BlockLevel::element ? as_element(r) : r; });
  return add({.kind = Kind::map, .level = level, .kernel = kernel}, Operands(read).first(operands.size()), result);
}

Register BlockProgram::Builder::call(BlockFunction function, Operands operands, DType result, BlockLevel level) {
  return add({.kind = Kind::call, .level = level, .function = std::move(function)}, operands, result);
}

Register BlockProgram::Builder::reduce(const BlockReduction& reduction, Register operand, DType result) {
  return add({.kind = Kind::reduce, .level = BlockLevel::column, .reduction = &reduction}, {&operand, 1}, result);
}

// Spreads a row value once for all elements that read it.
Register BlockProgram::Builder::as_element(Register operand) {
  if (program_.instructions[operand].level != BlockLevel::row) return operand;
  if (spread_.size() <= operand) spread_.resize(operand + 1, none);
  if (spread_[operand] == none) {
    spread_[operand] = add({.kind = Kind::spread}, {&operand, 1}, DType::f32);
    program_.instructions[spread_[operand]].element_bytes = program_.instructions[operand].element_bytes;
  }
  return spread_[operand];
}

void BlockProgram::Builder::output(Register result) {
  program_.instructions[result].output = static_cast<std::uint32_t>(program_.outputs.size());
  program_.outputs.push_back(result);
}

std::string BlockProgram::str() const {
  constexpr const char* kinds[] = {"input", "map", "call", "reduce", "spread"};
  constexpr const char* levels[] = {"", " of rows", " of columns"};
  std::string out;
  for (std::size_t r = 0; r < instructions.size(); ++r) {
    const Instruction& now = instructions[r];
    out += fmt::format("{} {}{}", r, kinds[static_cast<int>(now.kind)], levels[static_cast<int>(now.level)]);
    for (const Register operand : now.operands()) out += fmt::format(" {}", operand);
    out += now.is_output() ? fmt::format(", output {}\n", now.output) : "\n";
  }
  return out;
}

void verify(const BlockProgram& program) {
  using Kind = BlockProgram::Instruction::Kind;
  const auto& all = program.instructions;
  std::size_t columns = 0;
  for (std::size_t r = 0; r <= all.size(); ++r) {
    const auto require = [&](bool holds, const char* what) {
      if (!holds) throw InternalError(fmt::format("block program: register {}: {}\n{}", r, what, program.str()));
    };
    if (r == all.size()) {
      require(program.inputs.size() <= BlockProgram::max_inputs && columns <= BlockProgram::max_columns &&
                  r <= BlockProgram::max_registers,
              "there are too many inputs, columns or registers");
      return;
    }
    const auto& now = all[r];
    const bool reads_rows = now.kind == Kind::spread || (now.kind == Kind::map && now.level == BlockLevel::row);
    for (const Register operand : now.operands()) {
      require(operand < r, "an operand does not come before it");
      require(all[operand].level == (reads_rows ? BlockLevel::row : BlockLevel::element),
              "an operand has another level than it reads");
    }
    columns += now.level == BlockLevel::column ? 1 : 0;
    require(now.level == BlockLevel::element || program.row > 0, "the program has no rows");
    require(now.level != BlockLevel::column || now.is_output(), "a column is no output");
    require(!now.is_output() || program.outputs[now.output] == r, "it is another output");
    require(now.kind != Kind::input || !now.is_output(), "an input is an output");
  }
}

}  // namespace xgrad::inline v0
