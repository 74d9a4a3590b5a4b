// EventReader: what stands in a file of events, of this library or of others.
//
//   nn::EventReader file("logs/run-1/train/events.out.tfevents.1700000000.host.1.0");
//   while (const auto event = file.next())
//     for (const nn::EventValue& v : event->values)
//       if (v.scalar) std::printf("%s %lld %g\n", v.tag.c_str(), (long long)event->step, *v.scalar);
//
// Files are read with suspicion: checks are compared and lengths bounded before anything is taken from a record. A
// record at the end that is not whole, as a writer leaves it that was killed or is at work, is no error: `next` gives
// nothing, and the record when it has become whole. Anything else throws FormatError with file and byte, again and
// again: what is behind a damaged record cannot be told from noise. Text is as it stands in the file, and may hold
// anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

struct HistogramBin {
  double left, right, count;
};

struct EventValue {
  std::string tag;
  // Who reads it in TensorBoard: "scalars", "histograms", "images", "text" ...; of older forms the same.
  std::string plugin;
  std::string content;                  // what else the plugin is told
  std::optional<double> scalar;         // of scalars; none of types other than f32 and f64
  std::vector<HistogramBin> histogram;  // of histograms
  std::vector<std::string> strings;     // of text, and of images: width, height and the bytes of each file
  // Of the begin of a session: hyper-parameters by name, and what was chosen as text.
  std::vector<std::pair<std::string, std::string>> chosen;
};

struct Event {
  std::uint64_t offset = 0;  // of its record in the file
  double wall_time = 0;      // seconds since 1970
  std::int64_t step = 0;
  std::string file_version{};  // of a file's first event
  std::string graph_def{};     // a serialised GraphDef
  bool restart = false;        // see EventWriter::restart
  std::vector<EventValue> values{};
};

struct EventReaderOptions {
  // A longer record is an error. Reading one takes a few times its bytes in memory.
  std::uint64_t max_record = std::uint64_t{64} << 20U;
};

class EventReader {
 public:
  // Throws EnvironmentError if there is no such file or it cannot be read, FormatError if it is no regular file.
  explicit EventReader(const std::filesystem::path& path, EventReaderOptions options = {});
  ~EventReader();
  EventReader(EventReader&&) noexcept;
  EventReader& operator=(EventReader&&) noexcept;

  std::optional<Event> next();
  // Where the next record begins, and how many bytes of it there are so far.
  std::uint64_t offset() const;
  std::uint64_t rest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace xgrad::nn
