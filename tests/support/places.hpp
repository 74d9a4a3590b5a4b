// Where the sources lie and the programs that tests run. Only places.cpp is compiled with these paths, so that all
// other tests are compiled alike in any folder, and a compiler cache serves every checkout.
#pragma once

#include <filesystem>

namespace places {

std::filesystem::path sources();
std::filesystem::path interrupted();  // programs/interrupted.cpp
std::filesystem::path event_flood();  // programs/event_flood.cpp

}  // namespace places
