#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/internal/program.hpp>

// Every plan that a test makes is verified, stage by stage.
[[maybe_unused]] static const bool verified = xgrad::verify_stages = true;

// CHECK_THROWS_WITH compares messages without the source location at their end; test_source_locations.cpp checks it.
REGISTER_EXCEPTION_TRANSLATOR(const xgrad::Error& error) { return error.message().c_str(); }
