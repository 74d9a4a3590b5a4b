// What a fuzz target defines: a reader of files, and files to begin with. driver.cpp does the rest.
//
// A file may be read or refused with an error of ours. Everything else is a finding: a report of a sanitizer, another
// exception, an InternalError, memory beyond libFuzzer's limits, no end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

// Of libFuzzer, for targets that mend checksums after a mutation, without which hardly any file would be looked into:
// LLVMFuzzerCustomMutator then calls this, which changes the bytes and gives their new number.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace fuzz {

// Reads the file with the reader under test.
void read(const std::filesystem::path& file);
// Writes files that are valid into the empty folder, by the library's own writers where it has them.
void write_seeds(const std::filesystem::path& folder);

}  // namespace fuzz
