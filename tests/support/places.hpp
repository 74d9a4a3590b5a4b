// Paths of the sources and of the programs that tests run. Only places.cpp is compiled with these paths, so that
// compiler caches work across checkouts.
#pragma once

#include <filesystem>

namespace places {

std::filesystem::path sources();
std::filesystem::path interrupted();  // programs/interrupted.cpp
std::filesystem::path event_flood();  // programs/event_flood.cpp

}  // namespace places
