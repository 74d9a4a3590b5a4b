// Kills a writer of events repeatedly, also in the middle of a write: all events of completed calls are in the file, in
// order and without a gap, and the next writer's file continues.
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/nn/events/event_reader.hpp>
#include <xgrad/nn/events/runs.hpp>

#include "support/child_process.hpp"
#include "support/dice.hpp"
#include "support/event_wire.hpp"
#include "support/places.hpp"
#include "support/scratch.hpp"

using namespace xgrad;
using namespace scratch;

namespace {

std::int64_t acknowledged(const fs::path& path) {
  return static_cast<std::int64_t>(event_wire::little_endian(event_wire::content(path)));
}

// Waits until the newest file has grown by at least a part of a large record, but at most two seconds.
void wait_for_large_record(const fs::path& run) {
  constexpr std::uintmax_t much = 4096;  // more than small records
  const auto begin = std::chrono::steady_clock::now();
  fs::path path;
  std::uintmax_t before = 0;
  while (std::chrono::steady_clock::now() - begin < std::chrono::seconds(2)) {
    const std::vector<fs::path> files = fs::exists(run) ? nn::event_files(run) : std::vector<fs::path>{};
    if (files.empty()) continue;
    const std::uintmax_t size = fs::file_size(files.back());
    if (files.back() == path && size >= before + much) return;
    path = files.back();
    before = size;
  }
}

}  // namespace

TEST_CASE("event writer: kill -9 loses no event of a completed call") {
  const ScratchFolder folder;
  const fs::path run = folder / "run", count = write_file(folder / "count", std::string(8, '\0'));
  testing::Dice dice(23);
  std::int64_t next = 0;  // the first step that no file has yet
  int kills = 0, parts = 0;
  std::size_t events = 0;
  // Continue after 60 rounds only while no kill has interrupted a record.
  while (kills < 60 || (parts == 0 && kills < 600)) {
    const std::int64_t before = acknowledged(count);
    testing::ChildProcess child({places::event_flood().string(), run.string(), count.string()});
    const auto begin = std::chrono::steady_clock::now();
    // Wait until the child has begun to write. In a few rounds, chosen at random, stop waiting earlier.
    while (!child.over() && dice.chance(0.999) && acknowledged(count) == before &&
           std::chrono::steady_clock::now() - begin < std::chrono::seconds(20))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    // Kill it at a random time or, since it writes only for a small part of the time, during a large write.
    if (dice.chance(0.5))
      std::this_thread::sleep_for(std::chrono::microseconds(dice.between(0, 30000)));
    else
      wait_for_large_record(run);
    REQUIRE(child.kill());
    ++kills;
    if (!fs::exists(run)) continue;

    const std::vector<fs::path> files = nn::event_files(run);
    for (const fs::path& path : files) {
      // Parse the file by the format's definition.
      const event_wire::Records records = event_wire::records(event_wire::content(path));
      parts += records.rest > 0 ? 1 : 0;
      for (std::size_t i = 0; i < records.data.size(); ++i) {
        const event_wire::WireEvent event(records.data[i]);
        if (i == 0) {
          REQUIRE(event.message.text(3) == "brain.Event:2");
          continue;
        }
        REQUIRE(event.step() == next++);
        const auto values = event.values();
        REQUIRE(values.size() == 1);
        if (event.step() % 4 == 0)
          REQUIRE(values[0].tensor.texts(8).at(0).size() == 1 << 20);
        else
          REQUIRE(values[0].scalar() == static_cast<double>(static_cast<float>(event.step())));
        ++events;
      }
      // EventReader agrees and reaches the end.
      nn::EventReader reader(path);
      std::size_t read = 0;
      while (reader.next()) ++read;
      REQUIRE(read == records.data.size());
      REQUIRE(reader.partial_bytes() == records.rest);
    }
    REQUIRE(next >= acknowledged(count));
    // Keep the last file with an event, and later ones, for the next writer to continue.
    std::size_t kept = files.size();
    for (std::size_t in_kept = 0; kept > 0 && in_kept == 0;) {
      const std::size_t count_of = event_wire::records(event_wire::content(files[--kept])).data.size();
      in_kept = count_of > 0 ? count_of - 1 : 0;
      next -= static_cast<std::int64_t>(in_kept);
    }
    for (std::size_t i = 0; i < kept; ++i) fs::remove(files[i]);
  }
  MESSAGE(kills, " kills, ", events, " events, ", parts, " files with a partial record");
  CHECK(events > 200);
  CHECK(parts > 0);
}
