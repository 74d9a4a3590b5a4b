// EventWriter: writes event files for TensorBoard.
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

// A hyper-parameter of a run, such as {"units", 64}, {"shuffle", true} or {"optimizer", "adam"}.
struct HyperParameter {
  template <class T>
  requires std::is_arithmetic_v<T> HyperParameter(std::string key, T number) : name(std::move(key)) {
    if constexpr (std::is_same_v<T, bool>)
      value = number;
    else
      value = static_cast<double>(number);
  }
  HyperParameter(std::string key, std::string text) : name(std::move(key)), value(std::move(text)) {}
  HyperParameter(std::string key, const char* text) : name(std::move(key)), value(std::string(text)) {}

  std::string name;
  std::variant<bool, double, std::string> value;
};

// Writes event files, which TensorBoard shows live.
//
//   nn::EventWriter events("logs/run-1");
//   events.scalar("loss", 0.31, step);
//   events.histogram("dense/kernel", kernel.value(), step);
//   events.image("confusion", picture, step);
//   events.text("notes", "Learns **twice** as fast.", step);
//
// A folder is a run; TensorBoard compares the runs below its --logdir. Each writer starts a new file, so a run can be
// continued in the same folder. Only one writer per folder should be open at a time, since TensorBoard reads the files
// one after the other. If a tag has several values for a step, the last one written counts.
//
// Each call writes one complete record to the operating system before it returns. A killed program loses at most the
// record being written, and readers ignore a truncated one; records are not synced to disk, so a power failure may lose
// more. A call that throws leaves the file unchanged. Not thread-safe.
//
// Tags must be non-empty UTF-8; "/" groups them. `step` is the training step or epoch, >= 0. Calls throw UserError for
// invalid arguments, EnvironmentError if the file cannot be written.
class EventWriter {
 public:
  // Creates a file in the folder, named by time, host and process. Creates the folder if it does not exist.
  explicit EventWriter(const std::filesystem::path& folder);
  ~EventWriter();
  EventWriter(EventWriter&&) noexcept;
  EventWriter& operator=(EventWriter&&) noexcept;

  const std::filesystem::path& path() const;

  // Writes a value, stored as f32; NaN and infinity are allowed.
  void scalar(const std::string& tag, double value, std::int64_t step);
  // Writes several scalars in one record.
  void scalars(const std::vector<std::pair<std::string, double>>& values, std::int64_t step);
  // Writes the counts of `bins` bins of equal width from minimum to maximum. Bins include their left edge, the last one
  // also its right edge. Equal elements give one bin of width 1, no elements give no bins. Returns the number of NaN
  // and infinite elements, which are not counted.
  Index histogram(const std::string& tag, const Tensor& values, std::int64_t step, int bins = 30);
  // Writes an image; shapes and errors as for save_png.
  void image(const std::string& tag, const Tensor& image, std::int64_t step);
  // Writes Markdown text.
  void text(const std::string& tag, const std::string& markdown, std::int64_t step);
  // Adds the run to TensorBoard's HParams table; its metrics are the scalars of the run and of runs in subfolders. Call
  // begin_session once, first, and end_session at the end.
  void begin_session(const std::vector<HyperParameter>& hyper_parameters);
  void end_session(bool success = true);
  // Writes the graph of operations. Scopes become boxes; gradient nodes are in the box "gradients", parameter updates
  // in the box "updates".
  void graph(const Graph& graph, const std::vector<Update>& updates = {});
  // Writes TensorBoard's conceptual graph: the layers that `output` depends on. A layer is a scope without nested
  // scopes; operations outside of such scopes are shown individually.
  void layers(Value output, const std::string& name = "model");
  // Restarts the run at `step`: readers discard earlier events with this or a later step.
  void restart(std::int64_t step);

 private:
  struct State;
  static constexpr char empty[] = "event writer: it is empty: it was moved to another EventWriter";
  CheckedPointer<std::unique_ptr<State>, empty> state_;
};

}  // namespace xgrad::inline v0::nn
