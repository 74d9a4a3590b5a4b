// The interface of a fuzz target: a file reader and a seed corpus. driver.cpp does the rest.
//
// A reader may succeed or throw an error of this library. Findings are sanitizer reports, other exceptions, an
// InternalError, exceeding libFuzzer's memory limit, and hangs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

// libFuzzer's default mutation, which changes the bytes and returns their new number. Targets with checksums call it
// from LLVMFuzzerCustomMutator and fix the checksums afterwards.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace fuzz {

// Reads the file with the reader under test.
void read(const std::filesystem::path& file);
// Writes valid files into the empty folder, with the library's writers if there are any.
void write_seeds(const std::filesystem::path& folder);

}  // namespace fuzz
