#include "places.hpp"

namespace places {

std::filesystem::path sources() { return XGRAD_SOURCE_DIR; }
std::filesystem::path interrupted() { return XGRAD_INTERRUPTED; }
std::filesystem::path event_flood() { return XGRAD_EVENT_FLOOD; }

}  // namespace places
