// EventWriter: a file of events that TensorBoard shows while it is written.
//
//   nn::EventWriter events("logs/run-1");
//   events.scalar("loss", 0.31, step);
//   events.histogram("dense/kernel", kernel.value(), step);
//   events.image("confusion", picture, step);
//   events.text("notes", "Learns **twice** as fast.", step);
//
// A folder is a run: TensorBoard lays the runs below its --logdir side by side. Each writer begins a file of its own,
// so a run may be gone on with in the same folder; at any time one writer a folder should be open, since TensorBoard
// reads a folder's files one after the other. Of two numbers with one tag and step, and of all with a later step, the
// one that was written last counts.
//
// Each call appends one whole record and gives it to the system before it returns. So a program that is killed leaves
// all that was written before, and at most one record that is not whole, which readers pass over. What a machine that
// loses its power keeps is up to the system. A call that throws leaves the file as it was. A writer is used by one
// thread at a time.
//
// Tags are not empty and UTF-8; "/" groups them. Steps are not negative. UserError says what does not hold, and
// EnvironmentError what cannot be written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <xgrad/graph/base/checked_pointer.hpp>
#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// Something that was chosen for a run, such as {"units", 64}, {"shuffle", true} or {"optimizer", "adam"}.
struct HyperParameter {
  template <class T>
  requires std::is_arithmetic_v<T> HyperParameter(std::string what, T chosen) : name(std::move(what)) {
    if constexpr (std::is_same_v<T, bool>)
      value = chosen;
    else
      value = static_cast<double>(chosen);
  }
  HyperParameter(std::string what, std::string chosen) : name(std::move(what)), value(std::move(chosen)) {}
  HyperParameter(std::string what, const char* chosen) : name(std::move(what)), value(std::string(chosen)) {}

  std::string name;
  std::variant<bool, double, std::string> value;
};

class EventWriter {
 public:
  // Begins a file, named by the time, the machine and the process, in the folder, which is made if it is not there.
  explicit EventWriter(const std::filesystem::path& folder);
  ~EventWriter();
  EventWriter(EventWriter&&) noexcept;
  EventWriter& operator=(EventWriter&&) noexcept;

  const std::filesystem::path& path() const;

  // A number, kept as f32, which may be NaN or infinite.
  void scalar(const std::string& tag, double value, std::int64_t step);
  // Several in one record.
  void scalars(const std::vector<std::pair<std::string, double>>& values, std::int64_t step);
  // How many elements lie in each of `bins` bins of equal widths from the least to the largest; bins hold their left
  // edge, the last one its right edge too. All elements being equal, there is one bin of width 1 about them; without
  // any there is none. Returns how many are NaN or infinite, which no bin counts.
  Index histogram(const std::string& tag, const Tensor& values, std::int64_t step, int bins = 30);
  // An image as save_png takes it.
  void image(const std::string& tag, const Tensor& image, std::int64_t step);
  // Text in Markdown.
  void text(const std::string& tag, const std::string& markdown, std::int64_t step);
  // The run's row in the table of runs; its numbers are the scalars of the run and of runs in folders below it. `begin`
  // once, before the rest, and `end` when all is done.
  void begin_session(const std::vector<HyperParameter>& chosen);
  void end_session(bool success = true);
  // The graph of operations: scopes are boxes, what gradients added stands in a box "gradients", and what changes
  // parameters in one named "updates".
  void graph(const Graph& graph, const std::vector<Update>& updates = {});
  // What leads to `output` layer by layer, TensorBoard's conceptual graph: a layer is a scope of the graph without
  // scopes in it, and operations beside such scopes stand for themselves.
  void layers(Value output, const std::string& name = "model");
  // From here on the run goes on at `step`: all with that step or a later one that was written before is forgotten.
  void restart(std::int64_t step);

 private:
  struct State;
  static constexpr char empty[] = "event writer: it is empty: it was moved to another EventWriter";
  CheckedPointer<std::unique_ptr<State>, empty> state_;
};

}  // namespace xgrad::inline v0::nn
