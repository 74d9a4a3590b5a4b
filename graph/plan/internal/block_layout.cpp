#include <xgrad/graph/plan/internal/block_run.hpp>

#include <algorithm>
#include <bit>

#include <xgrad/graph/machine/internal/stream.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index far_elements = 1 << 18;  // data of more elements does not fit into the L2 cache

std::size_t cache_lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

class Layouter {
  using Register = BlockProgram::Register;
  using Instruction = BlockProgram::Instruction;
  using Kind = Instruction::Kind;
  using Access = BlockLayout::Access;

 public:
  explicit Layouter(const BlockProgram& program) : program_(program), all_(program.instructions) {
    out_.inputs.reserve(program.inputs.size());
    out_.operations.reserve(program.operations());
    for (Register r = 0; r < all_.size(); ++r) {
      if (all_[r].kind == Kind::input)
        out_.inputs.push_back({.made = r, .element_bytes = all_[r].element_bytes});
      else
        out_.operations.push_back(r);
    }
    out_.values.resize(all_.size());
    out_.rows = program.rows();
    out_.far = program.elements() > far_elements && out_.operations.size() > 1;
    const Index row = program.row;
    block_rows_ = row > 0 ? std::max<Index>(1, floor_power_of_two(BlockLayout::block_elements / row)) : 0;
  }

  BlockLayout run() {
    collapse_axes();
    choose_accesses();
    assign_slots();
    assign_scratch();
    partition();
    return std::move(out_);
  }

 private:
  static Index floor_power_of_two(Index n) { return static_cast<Index>(std::bit_floor(static_cast<std::size_t>(n))); }
  bool has_rows() const { return program_.row > 0; }
  const TensorType& type(std::size_t input) const { return program_.inputs[input]; }
  bool reads_row_values(std::size_t input) const { return all_[out_.inputs[input].made].level == BlockLevel::row; }

  void collapse_axes() {
    const Shape& shape = program_.shape;
    const std::size_t inputs = out_.inputs.size();
    std::array<std::array<Index, Shape::max_rank>, BlockProgram::max_inputs> full;  // strides before collapsing
    for (std::size_t i = 0; i < inputs; ++i) {
      full[i] = {};
      if (!reads_row_values(i)) full[i] = broadcast_strides(type(i).shape, shape);
    }
    std::vector<Index>& extent = out_.extent;
    extent.reserve(Shape::max_rank);
    Index after = shape.elements();  // the product of the extents from this axis on
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(shape.rank()); ++axis) {
      const Index now = shape[static_cast<int>(axis)];
      const bool starts_row = after == program_.row;
      if (now > 0) after /= now;
      if (now == 1) continue;
      bool collapses = !extent.empty() && !starts_row;
      for (std::size_t i = 0; collapses && i < inputs; ++i)
        collapses = out_.inputs[i].stride[extent.size() - 1] == full[i][axis] * now;
      if (collapses)
        extent.back() *= now;
      else
        extent.push_back(now);
      for (std::size_t i = 0; i < inputs; ++i) out_.inputs[i].stride[extent.size() - 1] = full[i][axis];
    }
    if (!extent.empty()) return;
    extent.push_back(1);
    for (BlockLayout::Input& in : out_.inputs) in.stride[0] = 1;  // a single element is contiguous, not a scalar
  }

  void choose_accesses() {
    const std::size_t inner = out_.extent.size() - 1;
    out_.row_parts = !has_rows() && inner > 0 && out_.inner() > BlockLayout::block_elements / 2;
    const bool row_by_row = out_.row_parts || (has_rows() && block_rows_ == 1 && out_.inner() == program_.row);
    for (std::size_t i = 0; i < out_.inputs.size(); ++i) {
      BlockLayout::Input& in = out_.inputs[i];
      if (reads_row_values(i)) {
        in.access = Access::row_value;
        out_.values[in.made].repeats = type(i).shape.elements() == 1 && out_.rows > 1;
        continue;
      }
      bool contiguous = in.stride[inner] == 1;
      in.fixed = true;
      Index dense = 1;
      for (std::size_t axis = inner; axis-- > 0;) {
        dense *= out_.extent[axis + 1];
        contiguous = contiguous && in.stride[axis] == dense;
        in.fixed = in.fixed && in.stride[axis] == 0;
      }
      if (contiguous)
        in.access = Access::contiguous;
      else if (in.fixed && in.stride[inner] == 0)
        in.access = Access::scalar;
      else if (row_by_row)
        in.access = in.stride[inner] == 0 ? Access::row_scalar : Access::row_contiguous;
      else
        in.access = Access::packed;
      out_.values[in.made].repeats = in.access == Access::scalar || in.access == Access::row_scalar;
      out_.packs = out_.packs || in.access == Access::packed;
      out_.packs_each_block = out_.packs_each_block || (in.access == Access::packed && !in.fixed);
    }
    for (const Register r : out_.operations) out_.values[r].repeats = block_rows_ == 1 && all_[r].kind == Kind::spread;
  }

  // Returns, by register, the last register that reads it, directly or as a spread value; itself if none does.
  std::vector<Register> last_reads() const {
    std::vector<Register> last(all_.size());
    for (auto r = static_cast<Register>(all_.size()); r-- > 0;) {
      last[r] = std::max(last[r], r);
      for (const Register operand : all_[r].operands())
        last[operand] = std::max(last[operand], all_[r].kind == Kind::spread ? last[r] : r);
    }
    return last;
  }

  void assign_slots() {
    struct Slot {
      Register busy_until = BlockProgram::none;
      std::size_t element_bytes = 0;
      bool of_elements = false;
    };
    std::vector<Slot> slots;
    std::size_t largest = 1;
    for (const Instruction& i : all_) largest = std::max<std::size_t>(largest, i.element_bytes);
    const Index elements = has_rows() ? block_rows_ * program_.row : BlockLayout::block_elements;
    const std::size_t bytes = cache_lines(bytes_of(elements, largest));
    for (const BlockLayout::Input& in : out_.inputs) {
      if (in.access != Access::packed) continue;
      out_.values[in.made].slot = slots.size() * bytes;
      slots.emplace_back();
    }
    // A slot is free after the last operation that reads it. A map over elements may overwrite elements of equal size
    // that it reads, but no row value: a map in pieces reads that again for each piece.
    const std::vector<Register> last = last_reads();
    for (const Register r : out_.operations) {
      const Instruction& now = all_[r];
      const bool streams = now.is_output() && now.level == BlockLevel::element &&
                           bytes_of(program_.elements(), now.element_bytes) > nontemporal_min_bytes &&
                           prefer_nontemporal_stores();
      out_.values[r].nontemporal = streams;
      out_.any_nontemporal = out_.any_nontemporal || streams;
      if ((now.is_output() && !streams) || now.level == BlockLevel::column) continue;
      const bool element_by_element = now.kind == Kind::map && now.level == BlockLevel::element;
      const auto free = std::find_if(slots.begin(), slots.end(), [&](const Slot& s) {
        return !streams && (s.busy_until < r || (s.busy_until == r && element_by_element && s.of_elements &&
                                                 s.element_bytes == now.element_bytes));
      });
      Slot& slot = free != slots.end() ? *free : slots.emplace_back();
      // A non-temporal output is still being written during the next block.
      slot = {streams ? BlockProgram::none : last[r], now.element_bytes, now.level == BlockLevel::element};
      out_.values[r].slot = static_cast<std::size_t>(&slot - slots.data()) * bytes;
    }
    out_.slot_bytes = slots.size() * bytes;
  }

  void assign_scratch() {
    for (const Register r : out_.operations) {
      if (all_[r].level != BlockLevel::column) continue;
      const Index groups = divide_up(out_.rows, all_[r].reduction->group);
      out_.values[r].scratch = out_.scratch_bytes;
      if (groups > 1) out_.scratch_bytes += cache_lines(bytes_of(groups * program_.row, all_[r].element_bytes));
    }
  }

  void partition() {
    const Index elements = program_.elements();
    if (elements == 0) return;
    const Index inner = out_.inner();
    const bool flat = !has_rows() && out_.extent.size() == 1;
    const auto operations = static_cast<Index>(out_.operations.size());
    out_.item_elements = has_rows() ? program_.row : flat ? 1 : inner;
    out_.items = elements / out_.item_elements;
    out_.items_per_block = has_rows() ? block_rows_
                           : flat     ? BlockLayout::block_elements
                                      : std::max<Index>(1, BlockLayout::block_elements / inner);
    // If no operation reads the result of another, blocks need not fit into the cache: a task is one block.
    out_.one_block = flat && operations == 1 && !out_.any_nontemporal;
    out_.walk_rows = out_.item_elements / inner;
    Index least = out_.items_per_block;  // tasks must not share a group of a column reduction
    for (const Instruction& now : all_) {
      if (now.kind == Kind::reduce) least = std::max(least, now.reduction->group);
      if (now.kind == Kind::input) continue;
      const bool in_pieces = now.kind == Kind::map && now.level == BlockLevel::element;
      const Index block = out_.items_per_block * out_.item_elements;
      out_.requests += in_pieces ? static_cast<std::size_t>(divide_up(block, BlockLayout::piece_elements)) : 1;
    }
    const Index preferred = std::max<Index>(1, BlockLayout::task_work / (out_.item_elements * operations));
    out_.items_per_task = divide_up(preferred, least) * least;
    out_.tasks = divide_up(out_.items, out_.items_per_task);
  }

  const BlockProgram& program_;
  const std::vector<Instruction>& all_;
  BlockLayout out_;
  Index block_rows_ = 0;  // rows per block, a power of two
};

}  // namespace

BlockLayout lay_out(const BlockProgram& program) { return Layouter(program).run(); }

}  // namespace xgrad::inline v0
