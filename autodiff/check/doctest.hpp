// Gradient checks as doctest assertions, for your own test suites.
//
//   #include <doctest/doctest.h>
//   #include <xgrad/autodiff/check/doctest.hpp>
//
//   TEST_CASE("my_loss: gradients") {
//     CHECK_GRADIENTS(loss, {x, w}, {{x, tensor}});                        // as xgrad::check_gradients
//     CHECK_GRADIENTS(loss, {x, w}, {}, {.order = 1, .relative = 1e-5});
//     CHECK_OPERATION(my_op);                                              // as xgrad::check_op
//   }
//
// A failure does not end the test case; its message is the report. Include doctest before this header.
#pragma once

#include <exception>
#include <string>

#include <xgrad/autodiff/check/check.hpp>

#define CHECK_GRADIENTS(...)                                                           \
  do {                                                                                 \
    const ::xgrad::CheckReport xgrad_report = ::xgrad::compare_gradients(__VA_ARGS__); \
    DOCTEST_CHECK_MESSAGE(xgrad_report.passed, xgrad_report.str());                    \
  } while (false)

#define CHECK_OPERATION(...)                                         \
  do {                                                               \
    std::string xgrad_complaint;                                     \
    try {                                                            \
      ::xgrad::check_op(__VA_ARGS__);                                \
    } catch (const std::exception& error) {                          \
      xgrad_complaint = error.what();                                \
    }                                                                \
    DOCTEST_CHECK_MESSAGE(xgrad_complaint.empty(), xgrad_complaint); \
  } while (false)
