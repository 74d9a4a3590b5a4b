// EventReader: reads event files of TensorBoard.
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

// A bin [left, right) of a histogram, with the number of its elements.
struct HistogramBin {
  double left, right, count;
};

// One value of an event, in the member that its plugin uses.
struct EventValue {
  std::string tag;
  // The TensorBoard plugin: "scalars", "histograms", "images", "text" ...; derived for older value types.
  std::string plugin;
  std::string content;                  // plugin-specific data
  std::optional<double> scalar;         // for scalars: floats of 16 to 64 bits, integers and bool
  std::vector<HistogramBin> histogram;  // for histograms
  std::vector<std::string> strings;     // for text; for images: width, height and the bytes of each file
  // At the start of a session: names and values of hyper-parameters, as text.
  std::vector<std::pair<std::string, std::string>> hyper_parameters;
};

// One record of an event file.
struct Event {
  std::uint64_t offset = 0;  // byte offset of the record in the file
  double wall_time = 0;      // seconds since 1970
  std::int64_t step = 0;
  std::string file_version{};  // only in the first event of a file
  std::string graph_def{};     // a serialized GraphDef
  bool restart = false;        // see EventWriter::restart
  std::vector<EventValue> values{};
};

// Limits of a reader, and state that the readers of a run share.
struct EventReaderOptions {
  // Longer records are skipped. Reading a record takes a few times its size in memory.
  std::uint64_t max_record = std::uint64_t{64} << 20U;
  // Plugins by tag. Share it among the readers of all files of a run: some writers name a plugin only once per run.
  std::shared_ptr<std::map<std::string, std::string>> plugins{};
};

// Reads an event file written by this library or others.
//
//   nn::EventReader file("logs/run-1/train/events.out.tfevents.1700000000.host.1.0");
//   while (const auto event = file.next())
//     for (const nn::EventValue& v : event->values)
//       if (v.scalar) std::printf("%s %lld %g\n", v.tag.c_str(), (long long)event->step, *v.scalar);
//
// Validates each record's checksum and length. Values and records that cannot be read are skipped and counted. At a
// truncated last record `next` returns nothing, and the record once it is complete, so a file can be followed while it
// is written. A damaged length makes `next` throw FormatError with the byte offset, on this and each later call, since
// the following records cannot be located. Text is returned unchanged and may contain any bytes.
class EventReader {
 public:
  // Throws EnvironmentError if the file does not exist or cannot be read, FormatError if it is not a regular file.
  explicit EventReader(const std::filesystem::path& path, EventReaderOptions options = {});
  ~EventReader();
  EventReader(EventReader&&) noexcept;
  EventReader& operator=(EventReader&&) noexcept;

  // The next event; nothing at the end of the file.
  std::optional<Event> next();
  // Byte offset of the next record, and the number of its bytes in the file so far.
  std::uint64_t offset() const;
  std::uint64_t partial_bytes() const;
  // Number of values and records skipped so far; file, byte and reason of the first ten.
  std::uint64_t skipped() const;
  const std::vector<std::string>& problems() const;

 private:
  struct State;
  static constexpr char empty[] = "event reader: it is empty: it was moved to another EventReader";
  CheckedPointer<std::unique_ptr<State>, empty> state_;
};

}  // namespace xgrad::inline v0::nn
