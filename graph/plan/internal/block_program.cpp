#include <xgrad/graph/plan/internal/block_program.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {

using Register = BlockProgram::Register;

std::span<const Register> BlockProgram::Instruction::operands() const {
  if (const auto* map = std::get_if<Map>(&action)) return std::span(map->operands).first(map->count);
  if (const auto* reduce = std::get_if<Reduce>(&action)) return {&reduce->operand, 1};
  if (const auto* spread = std::get_if<Spread>(&action)) return {&spread->operand, 1};
  return {};
}

Register BlockProgram::Builder::add(Instruction instruction) {
  program_.instructions.push_back(std::move(instruction));
  return static_cast<Register>(program_.instructions.size() - 1);
}

Register BlockProgram::Builder::input(const TensorType& type, bool row_values) {
  program_.inputs.push_back(type);
  const auto number = static_cast<std::uint32_t>(program_.inputs.size() - 1);
  return add({.action = Input{number, row_values},
              .element_bytes = static_cast<std::uint32_t>(size_of(type.dtype)),
              .level = row_values ? BlockLevel::row : BlockLevel::element});
}

Register BlockProgram::Builder::map(BlockKernel kernel, std::span<const Register> operands, DType result,
                                    BlockLevel level) {
  Map map{kernel, {}, static_cast<std::uint32_t>(operands.size())};
  for (std::size_t i = 0; i < operands.size(); ++i)
    map.operands[i] = level == BlockLevel::element ? beside_elements(operands[i]) : operands[i];
  return add({.action = map, .element_bytes = static_cast<std::uint32_t>(size_of(result)), .level = level});
}

Register BlockProgram::Builder::reduce(const BlockReduction& by, Register operand, DType result, BlockLevel level) {
  return add(
      {.action = Reduce{&by, operand}, .element_bytes = static_cast<std::uint32_t>(size_of(result)), .level = level});
}

Register BlockProgram::Builder::draw(RandomBlockKernel kernel, const Attrs& attrs, DType result, Index row_elements) {
  program_.attrs.push_back(attrs);
  const auto number = static_cast<std::uint32_t>(program_.attrs.size() - 1);
  return add(
      {.action = Draw{kernel, number, row_elements}, .element_bytes = static_cast<std::uint32_t>(size_of(result))});
}

// A row value is repeated along its row once for all that read it there.
Register BlockProgram::Builder::beside_elements(Register operand) {
  const Instruction made = program_.instructions[operand];
  if (made.level != BlockLevel::row) return operand;
  if (spread_.size() <= operand) spread_.resize(operand + 1, none);
  if (spread_[operand] == none)
    spread_[operand] = add({.action = Spread{operand}, .element_bytes = made.element_bytes});
  return spread_[operand];
}

void BlockProgram::Builder::output(Register result) {
  program_.instructions[result].output = static_cast<std::uint32_t>(program_.outputs.size());
  program_.outputs.push_back(result);
}

std::string BlockProgram::str() const {
  constexpr const char* words[] = {"input", "map", "draw", "reduce", "spread"};
  constexpr const char* levels[] = {"", " of rows", " of columns"};
  std::string out;
  for (std::size_t r = 0; r < instructions.size(); ++r) {
    const Instruction& now = instructions[r];
    out += fmt::format("{} {}{}", r, words[now.action.index()], levels[static_cast<int>(now.level)]);
    for (const Register operand : now.operands()) out += fmt::format(" {}", operand);
    if (now.output != none) out += fmt::format(", output {}", now.output);
    out += '\n';
  }
  return out;
}

void verify(const BlockProgram& program) {
  const auto require = [&](bool holds, std::size_t r, const char* what) {
    if (!holds) throw InternalError(fmt::format("block program: register {}: {}\n{}", r, what, program.str()));
  };
  const auto& all = program.instructions;
  std::size_t columns = 0;
  for (std::size_t r = 0; r < all.size(); ++r) {
    const auto& now = all[r];
    for (const Register operand : now.operands()) {
      require(operand < r, r, "an operand does not come before it");
      const BlockLevel level = all[operand].level;
      require(level != BlockLevel::column, r, "it reads a column, which is complete only after the last block");
      const bool reads_rows =
          now.is<BlockProgram::Spread>() || (now.is<BlockProgram::Map>() && now.level == BlockLevel::row);
      require((level == BlockLevel::row) == reads_rows, r, "it reads a value of another level");
    }
    columns += now.level == BlockLevel::column ? 1 : 0;
    require(now.level == BlockLevel::element || program.row > 0, r, "there are no rows");
    require(now.level != BlockLevel::column || now.output != BlockProgram::none, r, "a column is no output");
    require(now.output == BlockProgram::none || program.outputs[now.output] == r, r, "it is another output");
    require(!now.is<BlockProgram::Input>() || now.output == BlockProgram::none, r, "an input is an output");
  }
  const bool fits = program.inputs.size() <= BlockProgram::max_inputs && columns <= BlockProgram::max_columns &&
                    all.size() <= BlockProgram::max_registers;
  require(fits, all.size(), "there are too many");
}

}  // namespace xgrad::inline v0
