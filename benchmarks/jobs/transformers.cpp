// Transformer blocks for sequences of 64 vectors of width 256, with 4 heads and causal attention; and two dense nets of
// other sizes and dtypes than those of networks.cpp.

#include "../shapes.hpp"
#include "jobs.hpp"

namespace bench {

namespace xg = xgrad;
namespace nn = xgrad::nn;

namespace {

constexpr xg::Index width = 256, heads = 4, length = 64;

// Normalization before attention and before the dense layers, as in GPT-2.
struct Block : nn::Module {
  nn::LayerNorm before_attention, before_dense;
  nn::Dense query_key_value{3 * width}, projection{width}, up{4 * width, nn::gelu}, down{width};

  xg::Value operator()(xg::Value x) {
    const xg::Index batch = x.shape()[0], depth = width / heads;
    const xg::Value all = reshape(query_key_value(before_attention(x)), {batch, length, 3 * heads, depth});
    const std::vector<xg::Value> parts = split(transpose(all, {0, 2, 1, 3}), heads, 1);
    const xg::Value mixed = scaled_dot_product_attention(parts[0], parts[1], parts[2], {.causal = true});
    x = x + projection(reshape(transpose(mixed, {0, 2, 1, 3}), {batch, length, width}));
    return x + down(up(before_dense(x)));
  }
};

nn::Model dense_net(std::initializer_list<xg::Index> units, xg::DType dtype) {
  auto net = [units = std::vector<xg::Index>(units), hidden = std::vector<nn::Dense>()](xg::Value x) mutable {
    if (hidden.empty()) {
      for (const xg::Index n : units) hidden.emplace_back(n, nn::relu);
      hidden.emplace_back(classes, nn::softmax);
    }
    for (nn::Dense& layer : hidden) x = layer(x);
    return x;
  };
  nn::Model model{nn::AnyModule(net), {pixels}, {.dtype = dtype}};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}});
  return model;
}

}  // namespace

nn::Model transformer(int blocks) {
  auto net = [parts = std::vector<Block>(static_cast<std::size_t>(blocks))](xg::Value x) mutable {
    for (Block& block : parts) x = block(x);
    return x;
  };
  nn::Model model{nn::AnyModule(net), {length, width}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{}});
  return model;
}

std::vector<Job> transformer_jobs() {
  const auto blocks = [](int count) { return [count](bool) { return transformer(count); }; };
  const auto wide_f64 = [](bool) { return dense_net({64, 64, 64}, xg::f64); };
  const auto narrow = [](bool) { return dense_net({256, 256}, xg::f32); };
  const Input values{Kind::values};
  return {
      training_step("train/transformer-1/16", blocks(1), 16, values, values),
      training_step("train/transformer-12/16", blocks(12), 16, values, values),
      training_step("train/mlp-f64/128", wide_f64, 128, {}, {Kind::labels, {}, classes}),
      inference("infer/transformer-1/1", blocks(1), 1, values),
      inference("infer/transformer-1/16", blocks(1), 16, values),
      inference("infer/mlp/8192", narrow, 8192, {}),
  };
}

}  // namespace bench
