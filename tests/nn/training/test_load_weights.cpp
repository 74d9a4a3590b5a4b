// Loading weights that another library wrote, with a map of names.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/scratch.hpp"

using namespace xgrad;
using scratch::contains;
using scratch::message_of;
using scratch::ScratchFolder;

namespace {

// Distinct values without symmetry, so that a wrong order of axes is detected.
Tensor values(const Shape& shape, double first) {
  Tensor out(shape, f32);
  for (Index i = 0; i < out.elements(); ++i)
    out.mutable_values<float>()[static_cast<std::size_t>(i)] =
        static_cast<float>(std::sin(first + 1.7 * static_cast<double>(i)));
  return out;
}

const std::map<std::string, std::string> names{
    {"0.weight", "dense/kernel"},
    {"0.bias", "dense/bias"},
    {"1.weight", "batch_norm/gamma"},
    {"1.bias", "batch_norm/beta"},
    {"1.running_mean", "batch_norm/moving_mean"},
    {"1.running_var", "batch_norm/moving_variance"},
    {"2.weight", "dense_1/kernel"},
    {"2.bias", "dense_1/bias"},
};

nn::Model make_model(nn::ModelOptions options = {}) {
  return {nn::Sequential{nn::Dense(4), nn::BatchNorm({.preset = nn::Preset::torch}), nn::Dense(3)}, {4}, options};
}

// The state of torch.nn.Sequential(Linear(4, 4), BatchNorm1d(4), Linear(4, 3)): a square kernel too must be transposed.
nn::TensorFile torch_state() {
  Tensor variance = values({4}, 6);
  for (float& v : variance.mutable_values<float>()) v = v * v + 0.5F;
  return {.tensors = {{"0.weight", values({4, 4}, 1)},
                      {"0.bias", values({4}, 2)},
                      {"1.weight", values({4}, 3)},
                      {"1.bias", values({4}, 4)},
                      {"1.running_mean", values({4}, 5)},
                      {"1.running_var", variance},
                      {"1.num_batches_tracked", Tensor(9)},
                      {"2.weight", values({3, 4}, 7)},
                      {"2.bias", values({3}, 8)}}};
}

// x W' + b for one row, as torch.nn.Linear.
std::vector<double> linear(const std::vector<double>& x, const Tensor& weight, const Tensor& bias) {
  std::vector<double> out;
  for (Index o = 0; o < weight.shape()[0]; ++o) {
    double sum = bias.at(o);
    for (std::size_t i = 0; i < x.size(); ++i) sum += weight.at(o * weight.shape()[1] + static_cast<Index>(i)) * x[i];
    out.push_back(sum);
  }
  return out;
}

}  // namespace

TEST_CASE("load: a PyTorch state dict gives the predictions of PyTorch") {
  const ScratchFolder folder;
  const auto path = folder / "net.safetensors";
  nn::TensorFile state = torch_state();
  nn::save_safetensors(path, state);
  const Tensor x = values({2, 4}, 9);
  std::vector<double> expected;
  for (Index row = 0; row < 2; ++row) {
    std::vector<double> h;
    for (Index i = 0; i < 4; ++i) h.push_back(x.at(4 * row + i));
    h = linear(h, state.tensors["0.weight"], state.tensors["0.bias"]);
    for (Index i = 0; i < 4; ++i) {
      const auto at = [&](const char* name) { return state.tensors[name].at(i); };
      double& v = h[static_cast<std::size_t>(i)];
      v = (v - at("1.running_mean")) / std::sqrt(at("1.running_var") + 1e-5) * at("1.weight") + at("1.bias");
    }
    for (const double y : linear(h, state.tensors["2.weight"], state.tensors["2.bias"])) expected.push_back(y);
  }
  for (const DType dtype : {f32, f64}) {
    nn::Model model = make_model({.dtype = dtype});
    model.load(path, {.names = names, .preset = nn::Preset::torch});
    const Tensor y = model.predict(x.cast(dtype));
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK(y.at(static_cast<Index>(i)) == doctest::Approx(expected[i]).epsilon(1e-5));
  }
}

TEST_CASE("load: convolution kernels are transposed from PyTorch's order of axes") {
  const ScratchFolder folder;
  const auto path = folder / "conv";
  const Tensor kernel = values({2, 3, 4, 5}, 1);  // out, in, height, width
  nn::save_safetensors(path, {.tensors = {{"weight", kernel}}});
  nn::Model model{nn::Sequential{nn::Conv2D(2, {4, 5}, nn::linear, {.use_bias = false})}, {4, 5, 3}};
  model.load(path, {.names = {{"weight", model.parameters()[0].name()}}, .preset = nn::Preset::torch});
  const Tensor image = values({1, 4, 5, 3}, 2);
  const Tensor y = model.predict(image);
  REQUIRE(y.elements() == 2);
  for (Index out = 0; out < 2; ++out) {
    double sum = 0;
    for (Index in = 0; in < 3; ++in) {
      for (Index p = 0; p < 20; ++p) sum += kernel.at((out * 3 + in) * 20 + p) * image.at(p * 3 + in);
    }
    CHECK(y.at(out) == doctest::Approx(sum).epsilon(1e-5));
  }
}

TEST_CASE("load: files and names that do not match throw and leave the model unchanged") {
  const ScratchFolder folder;
  const auto path = folder / "net.safetensors";
  nn::save_safetensors(path, torch_state());
  nn::Model model = make_model();
  const Tensor x = values({3, 4}, 1);
  const Tensor before = model.predict(x);
  const auto with = [&](const char* from, const char* to) {
    nn::LoadOptions options{.names = names, .preset = nn::Preset::torch};
    options.names.erase(from);
    if (*to != '\0') options.names[from] = to;
    return options;
  };
  CHECK(contains(message_of<UserError>([&] { model.load(path, with("2.bias", "dense_2/bias")); }),
                 "the model has no weight \"dense_2/bias\""));
  CHECK(contains(message_of<UserError>([&] { model.load(path, with("2.bias", "dense/bias")); }),
                 "LoadOptions::names has two tensors for the weight \"dense/bias\""));
  CHECK(contains(message_of<UserError>([&] { model.load(path, with("2.bias", "")); }),
                 "LoadOptions::names has no tensor for the weight \"dense_1/bias\" f32[3]"));
  nn::LoadOptions options = with("2.bias", "");
  options.names["3.bias"] = "dense_1/bias";
  CHECK(contains(message_of<FormatError>([&] { model.load(path, options); }), "there is no tensor \"3.bias\""));
  options = with("2.bias", "");
  options.names["1.num_batches_tracked"] = "dense_1/bias";
  CHECK(contains(message_of<FormatError>([&] { model.load(path, options); }),
                 "the tensor \"1.num_batches_tracked\" is i64[], but the weight \"dense_1/bias\" is f32[3]"));
  // Without the preset, kernels are not transposed: [3, 4] does not match [4, 3].
  CHECK(contains(message_of<FormatError>([&] { model.load(path, {.names = names}); }), "\"2.weight\" is f32[3, 4]"));
  CHECK(contains(message_of<FormatError>([&] { model.load(path, nn::LoadOptions{}); }), "there is no tensor"));
  CHECK(bitwise_equal(model.predict(x), before));

  // With strict = false the other weights stay unchanged.
  model.load(path, {.names = {{"2.bias", "dense_1/bias"}}, .strict = false});
  CHECK_FALSE(bitwise_equal(model.predict(x), before));
  CHECK(bitwise_equal(model.parameters()[0].value(), make_model().parameters()[0].value()));
}
