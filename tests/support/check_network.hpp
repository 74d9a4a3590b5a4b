// Checks the first and second derivatives of a network in f64, in inference and in training.
#pragma once

#include <utility>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

namespace xgrad::testing {

inline void check_network(nn::Sequential net, const Shape& row) {
  nn::Model model{std::move(net), row, {.dtype = f64}};
  CHECK(nn::check_table(model).passed());  // not compiled: checks the prediction, in inference mode
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  const CheckTable table = nn::check_table(model);
  CAPTURE(table.str());
  CHECK(table.passed());
}

}  // namespace xgrad::testing
