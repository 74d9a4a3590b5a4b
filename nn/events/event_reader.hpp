// EventReader: what stands in a file of events, of this library or of others.
//
//   nn::EventReader file("logs/run-1/train/events.out.tfevents.1700000000.host.1.0");
//   while (const auto event = file.next())
//     for (const nn::EventValue& v : event->values)
//       if (v.scalar) std::printf("%s %lld %g\n", v.tag.c_str(), (long long)event->step, *v.scalar);
//
// Lengths and checks are validated before anything is taken from a record. A value or record that cannot be read is
// passed over and counted, and the rest is read. A record at the end that is not whole, as a writer leaves it that was
// killed or is at work, is no error: `next` gives nothing, and the record once it is whole. Where not even the length
// of a record can be trusted, `next` throws FormatError with file and byte, each time it is called: nothing behind that
// byte can be read. Text is as it stands in the file, and may hold anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/base/checked_pointer.hpp>

namespace xgrad::inline v0::nn {

struct HistogramBin {
  double left, right, count;
};

struct EventValue {
  std::string tag;
  // Who reads it in TensorBoard: "scalars", "histograms", "images", "text" ...; of older forms the same.
  std::string plugin;
  std::string content;                  // what else the plugin is told
  std::optional<double> scalar;         // of scalars: of floats of 16 to 64 bits, integers and bool
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
  std::string graph_def{};     // a serialized GraphDef
  bool restart = false;        // see EventWriter::restart
  std::vector<EventValue> values{};
};

struct EventReaderOptions {
  // A longer record is passed over. Reading one takes a few times its bytes in memory.
  std::uint64_t max_record = std::uint64_t{64} << 20U;
  // Plugins by tag: some writers name them only once a run. To be shared by the readers of all files of a run.
  std::shared_ptr<std::map<std::string, std::string>> plugins{};
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
  // How many values and records could not be read so far, and for the first ten of them file, byte and reason.
  std::uint64_t passed_over() const;
  const std::vector<std::string>& problems() const;

 private:
  struct State;
  static constexpr char empty[] = "event reader: it is empty: it was moved to another EventReader";
  CheckedPointer<std::unique_ptr<State>, empty> state_;
};

}  // namespace xgrad::inline v0::nn
