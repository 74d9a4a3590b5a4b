// Image networks, transformers and rebuilt graphs with libtorch; see jobs/images.cpp, jobs/transformers.cpp and
// jobs/rebuilt.cpp. Layers are registered in the order in which they run, as the weights are shared in that order.
#include <cmath>
#include <memory>
#include <string>

#include "../shapes.hpp"
#include "torch_jobs.hpp"

namespace bench::peer {
namespace {

namespace nn = torch::nn;
constexpr auto channels_last = at::MemoryFormat::ChannelsLast;

nn::ReLU relu() { return nn::ReLU(nn::ReLUOptions().inplace(true)); }

Tensor in_format(const Tensor& x, bool last) { return last ? x.contiguous(channels_last) : x.contiguous(); }

// Stores the kernels of convolutions in the memory format.
template <class Net>
Net formatted(Net net, bool last) {
  const torch::NoGradGuard no_grad;
  for (Tensor& p : net->parameters()) {
    if (p.dim() == 4) p.set_data(in_format(p, last));
  }
  return net;
}

// ---- networks

struct LeNetImpl : nn::Module {
  nn::Conv2d first{nullptr}, second{nullptr};
  nn::Linear hidden{nullptr}, out{nullptr};
  nn::Dropout dropout{nullptr};
  bool last;

  LeNetImpl(bool with_dropout, bool last_channels) : last(last_channels) {
    first = register_module("first", nn::Conv2d(nn::Conv2dOptions(1, 20, 5)));
    second = register_module("second", nn::Conv2d(nn::Conv2dOptions(20, 50, 5)));
    hidden = register_module("hidden", nn::Linear(4 * 4 * 50, 128));
    dropout = register_module("dropout", nn::Dropout(with_dropout ? 0.5 : 0.0));
    out = register_module("out", nn::Linear(128, classes));
    share_weights(*this);
    // The rows of the first dense layer are [height, width, channels] in the shared weights.
    const torch::NoGradGuard no_grad;
    hidden->weight.copy_(hidden->weight.clone().view({128, 4, 4, 50}).permute({0, 3, 1, 2}).reshape({128, 800}));
  }
  Tensor forward(const Tensor& rows) {
    Tensor x = in_format(rows.view({-1, 1, 28, 28}), last);
    x = torch::max_pool2d(first->forward(x).relu_(), 2);
    x = torch::max_pool2d(second->forward(x).relu_(), 2);
    return out->forward(dropout->forward(hidden->forward(x.flatten(1)).relu_()));
  }
};
TORCH_MODULE(LeNet);

nn::Conv2d conv(std::int64_t in, std::int64_t out, std::int64_t window, std::int64_t stride) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, window).stride(stride).padding((window - 1) / 2).bias(false));
}
nn::BatchNorm2d batch_norm(std::int64_t channels) {
  return nn::BatchNorm2d(nn::BatchNorm2dOptions(channels).eps(1e-3).momentum(0.01));
}

struct ResidualImpl : nn::Module {
  nn::Conv2d first{nullptr}, second{nullptr}, shortcut{nullptr};
  nn::BatchNorm2d first_norm{nullptr}, second_norm{nullptr}, shortcut_norm{nullptr};

  ResidualImpl(std::int64_t in, std::int64_t out, std::int64_t stride) {
    first = register_module("first", conv(in, out, 3, stride));
    first_norm = register_module("first_norm", batch_norm(out));
    second = register_module("second", conv(out, out, 3, 1));
    second_norm = register_module("second_norm", batch_norm(out));
    if (stride == 1) return;
    shortcut = register_module("shortcut", conv(in, out, 1, stride));
    shortcut_norm = register_module("shortcut_norm", batch_norm(out));
  }
  Tensor forward(const Tensor& x) {
    const Tensor y = second_norm->forward(second->forward(first_norm->forward(first->forward(x)).relu_()));
    return (y + (shortcut.is_empty() ? x : shortcut_norm->forward(shortcut->forward(x)))).relu_();
  }
};
TORCH_MODULE(Residual);

nn::Sequential resnet() {
  nn::Sequential net(conv(3, 16, 3, 1), batch_norm(16), relu(), Residual(16, 16, 1), Residual(16, 16, 1),
                     Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 32, 1), Residual(32, 32, 1),
                     Residual(32, 64, 2), Residual(64, 64, 1), Residual(64, 64, 1),
                     nn::AdaptiveAvgPool2d(nn::AdaptiveAvgPool2dOptions({1, 1})), nn::Flatten(),
                     nn::Linear(64, classes));
  share_weights(*net);
  return net;
}

constexpr std::int64_t width = 256, heads = 4, length = 64, depth = width / heads;

struct BlockImpl : nn::Module {
  nn::LayerNorm before_attention{nullptr}, before_dense{nullptr};
  nn::Linear query_key_value{nullptr}, projection{nullptr}, up{nullptr}, down{nullptr};
  Tensor mask = made({Kind::causal}, {length, length}, 0);
  bool baddbmm;  // with the scale and the mask inside of the product of queries and keys

  explicit BlockImpl(bool inside) : baddbmm(inside) {
    const auto norm = [] { return nn::LayerNorm(nn::LayerNormOptions({width}).eps(1e-3)); };
    before_attention = register_module("before_attention", norm());
    query_key_value = register_module("query_key_value", nn::Linear(width, 3 * width));
    projection = register_module("projection", nn::Linear(width, width));
    before_dense = register_module("before_dense", norm());
    up = register_module("up", nn::Linear(width, 4 * width));
    down = register_module("down", nn::Linear(4 * width, width));
  }
  Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v) {
    const double scale = 1 / std::sqrt(static_cast<double>(depth));
    if (baddbmm) {
      const auto flat = [](const Tensor& t) { return t.reshape({-1, length, depth}); };
      const Tensor scores = torch::baddbmm(mask, flat(q), flat(k).transpose(1, 2), 1, scale);
      return torch::bmm(torch::softmax(scores, -1), flat(v)).view({-1, heads, length, depth});
    }
    return torch::matmul(torch::softmax(torch::matmul(q, k.transpose(-1, -2)).mul_(scale).add_(mask), -1), v);
  }
  Tensor forward(const Tensor& x) {
    const Tensor parts = query_key_value->forward(before_attention->forward(x))
                             .view({-1, length, 3, heads, depth})
                             .permute({2, 0, 3, 1, 4});
    const Tensor mixed = attend(parts[0], parts[1], parts[2]).transpose(1, 2).reshape({-1, length, width});
    const Tensor y = x + projection->forward(mixed);
    return y + down->forward(torch::gelu(up->forward(before_dense->forward(y))));
  }
};
TORCH_MODULE(Block);

nn::Sequential transformer(int blocks, bool baddbmm) {
  nn::Sequential net;
  for (int i = 0; i < blocks; ++i) net->push_back(Block(baddbmm));
  share_weights(*net);
  return net;
}

nn::Sequential dense_net(const std::vector<std::int64_t>& units, torch::Dtype dtype) {
  nn::Sequential net;
  std::int64_t in = pixels;
  for (const std::int64_t n : units) {
    net->push_back(nn::Linear(in, n));
    net->push_back(relu());
    in = n;
  }
  net->push_back(nn::Linear(in, classes));
  net->to(dtype);
  share_weights(*net);
  return net;
}

// ---- jobs

Tensor labels(std::int64_t rows) { return made({Kind::labels, {}, classes}, {rows}, 1); }

// The compared results are the losses of a step of the network without dropout.
template <class MakeNet, class Loss>
Prepared training(const MakeNet& make, const Tensor& x, const Loss& loss) {
  const auto step_of = [=](bool dropout) {
    auto net = make(dropout);
    net->train();
    return [net, adam = std::make_shared<Adam>(net->parameters()), x, loss]() mutable {
      adam->zero_grad();
      Tensor out = loss(net->forward(x));
      out.backward();
      adam->step();
      return Tensors{out};
    };
  };
  return {prepared(step_of(true)).run, [=] { return prepared(step_of(false)).results(); }};
}

template <class Net>
Prepared inference(Net net, const Tensor& x, bool softmax) {
  net->eval();
  return prepared([=]() mutable {
    const torch::NoGradGuard no_grad;
    const Tensor out = net->forward(x);
    return Tensors{softmax ? out.softmax(1) : out};
  });
}

const auto cross_entropy = [](const Tensor& out) { return torch::cross_entropy_loss(out, labels(out.size(0))); };

Tensor image(std::int64_t rows, bool last) {
  return in_format(made({Kind::values}, {rows, 32, 32, 3}, 0).movedim(-1, 1), last);
}

// Gradient descent on 784-64-64-64-10, which libtorch builds anew for each step.
Prepared gradient_descent() {
  nn::Sequential net = dense_net({64, 64, 64}, torch::kFloat);
  return prepared(
      [net, parameters = net->parameters(), x = made_up({mnist_batch, pixels}), y = labels(mnist_batch)]() mutable {
        for (Tensor& p : parameters) p.mutable_grad().reset();
        Tensor loss = torch::cross_entropy_loss(net->forward(x), y);
        loss.backward();
        const torch::NoGradGuard no_grad;
        for (Tensor& p : parameters) p.add_(p.grad(), -1e-3);
        return Tensors{loss};
      });
}

Prepared tiny_gradients() {
  Tensors w{made({Kind::weight}, {13, 32}, weight_seed(0)), torch::zeros({32}),
            made({Kind::weight}, {32, 1}, weight_seed(2)), torch::zeros({1})};
  for (Tensor& p : w) p.set_requires_grad(true);
  return prepared([w, x = made_up({8, 13})] {
    const Tensor y = torch::addmm(w[3], torch::tanh(torch::addmm(w[1], x, w[0])), w[2]);
    return torch::autograd::grad({y.square().mean()}, w);
  });
}

}  // namespace

std::vector<Job> network_jobs() {
  std::vector<Job> out;
  for (const bool last : {false, true}) {
    const std::string at = last ? "@channels-last" : "@contiguous";
    const auto lenet = [last](bool dropout) { return formatted(LeNet(dropout, last), last); };
    const auto residual = [last](bool) { return formatted(resnet(), last); };
    out.push_back({"train/lenet/128" + at, [=](int) {
                     return training(lenet, made_up({128, pixels}), cross_entropy);
                   }});
    out.push_back({"train/resnet-20/32" + at, [=](int) { return training(residual, image(32, last), cross_entropy); }});
    for (const std::int64_t rows : {1, 128}) {
      out.push_back({"infer/lenet/" + std::to_string(rows) + at, [=](int) {
                       return inference(lenet(true), made_up({rows, pixels}), true);
                     }});
    }
    for (const std::int64_t rows : {1, 32}) {
      out.push_back({"infer/resnet-20/" + std::to_string(rows) + at,
                     [=](int) { return inference(residual(true), image(rows, last), true); }});
    }
  }
  for (const bool inside : {false, true}) {
    const std::string at = inside ? "@baddbmm" : "@matmul";
    for (const int blocks : {1, 12}) {
      out.push_back({"train/transformer-" + std::to_string(blocks) + "/16" + at, [=](int) {
                       const Extents shape{16, length, width};
                       const Tensor y = made({Kind::values}, shape, 1);
                       return training([=](bool) { return transformer(blocks, inside); },
                                       made({Kind::values}, shape, 0),
                                       [y](const Tensor& result) { return torch::mse_loss(result, y); });
                     }});
    }
    for (const std::int64_t rows : {1, 16}) {
      out.push_back({"infer/transformer-1/" + std::to_string(rows) + at, [=](int) {
                       return inference(transformer(1, inside), made({Kind::values}, {rows, length, width}, 0), false);
                     }});
    }
  }
  out.push_back({"train/mlp-f64/128", [](int) {
                   return training(
                       [](bool) {
                         return dense_net({64, 64, 64}, torch::kDouble);
                       },
                       made({Kind::positive, {}, 1, false, true}, {128, pixels}, 0), cross_entropy);
                 }});
  out.push_back({"infer/mlp/8192", [](int) {
                   return inference(dense_net({256, 256}, torch::kFloat), made_up({8192, pixels}), true);
                 }});
  for (const char* name : {"graph+plan+run", "plan+run", "run", "graph+interpreter"}) {
    out.push_back({std::string("rebuilt/") + name, [](int) { return gradient_descent(); }});
  }
  out.push_back({"rebuilt/tiny-gradients", [](int) { return tiny_gradients(); }});
  return out;
}

}  // namespace bench::peer
