// The worker for libtorch. Each job uses the fastest form of its C++ front end that we know:
//   - OpenBLAS with OpenMP, the thread pool that libtorch uses; the pthreads build would compete for the cores (see
//     peers.cmake);
//   - one pool of the requested number of threads, set before the first operation;
//   - inference in InferenceMode, without a copy of the input;
//   - training with gradients set to none instead of zeroed, in-place relu, and a loss of logits and class indices;
//   - a hand-written Adam with the fewest calls, which is faster than torch::optim::Adam and the _foreach functions;
//   - single operations write into an existing tensor, since a new one causes page faults;
//   - batch norm and losses call the functions behind autograd without creating its nodes.
// The driver starts it with and without AVX-512, and with allocations that stay in the process.
#include <fstream>
#include <memory>
#include <string>

#include <torch/torch.h>

#include "../shapes.hpp"
#include "../worker.hpp"
#include "torch_jobs.hpp"

namespace {

using bench::Extents;
using bench::Job;
using bench::Prepared;
using bench::Run;
using bench::timed;
using bench::peer::Adam;
using bench::peer::made_up;
using bench::peer::prepared;
using bench::peer::Tensors;
using torch::Tensor;
using torch::indexing::Slice;
namespace nn = torch::nn;

nn::BatchNorm1d batch_norm(std::int64_t features) {
  return nn::BatchNorm1d(nn::BatchNorm1dOptions(features).eps(1e-3).momentum(0.01));
}

nn::ReLU relu() { return nn::ReLU(nn::ReLUOptions().inplace(true)); }

// Outputs logits; the loss or inference applies softmax.
nn::Sequential mnist_net(bool dropout = true) {
  nn::Sequential net(nn::Linear(bench::pixels, 64), relu(), batch_norm(64), nn::Linear(64, 64), relu(), batch_norm(64),
                     nn::Linear(64, 64), relu(), batch_norm(64), nn::Dropout(dropout ? 0.2 : 0.0),
                     nn::Linear(64, bench::classes));
  bench::peer::share_weights(*net);
  return net;
}

nn::Sequential wide_net(bool = true) {
  nn::Sequential net(nn::Linear(bench::pixels, 1024), relu(), nn::Linear(1024, 1024), relu(), nn::Linear(1024, 1024),
                     relu(), nn::Linear(1024, bench::classes));
  bench::peer::share_weights(*net);
  return net;
}

nn::Sequential boston_net(bool dropout = true) {
  nn::Sequential net(nn::Linear(13, 32), relu(), batch_norm(32), nn::Linear(32, 16), relu(), batch_norm(16),
                     nn::Dropout(dropout ? 0.2 : 0.0), nn::Linear(16, 1));
  bench::peer::share_weights(*net);
  return net;
}

// ---- networks

struct Data {
  Tensor x, y;
  explicit Data(std::int64_t rows) : x(made_up({rows, bench::pixels})), y(torch::arange(rows) % bench::classes) {}
};

// A training step; does not read the loss.
template <class Loss>
Tensor train_step(nn::Sequential& net, Adam& adam, const Tensor& x, const Loss& loss) {
  adam.zero_grad();
  Tensor out = loss(net->forward(x));
  out.backward();
  adam.step();
  return out;
}

// The compared results are the losses of a network without dropout.
template <class Loss>
Prepared repeated_step(nn::Sequential (*make)(bool dropout), const Tensor& x, const Loss& loss) {
  const auto step_of = [=](bool dropout) {
    nn::Sequential net = make(dropout);
    net->train();
    return prepared([net, adam = std::make_shared<Adam>(net->parameters()), x, loss]() mutable {
      return Tensors{train_step(net, *adam, x, loss)};
    });
  };
  return {step_of(true).run, [=] { return step_of(false).results(); }};
}

Prepared classifier_step(nn::Sequential (*make)(bool dropout), std::int64_t rows) {
  const Data data(rows);
  return repeated_step(make, data.x, [data](const Tensor& out) { return torch::cross_entropy_loss(out, data.y); });
}

Prepared boston_step() {
  return repeated_step(boston_net, made_up({8, 13}),
                       [y = made_up({8, 1}, 1)](const Tensor& out) { return torch::mse_loss(out, y); });
}

// Epochs as a loop over batches: views if in order, gathered into existing tensors if shuffled.
Run epochs(bool shuffle) {
  nn::Sequential net = mnist_net();
  net->train();
  return timed([net, adam = Adam(net->parameters()), data = Data(bench::images), shuffle]() mutable {
    const Tensor order = shuffle ? torch::randperm(bench::images) : Tensor();
    Tensor x = torch::empty({bench::mnist_batch, bench::pixels}), y = torch::empty({bench::mnist_batch}, torch::kLong);
    for (std::int64_t first = 0; first < bench::images; first += bench::mnist_batch) {
      const std::int64_t end = std::min(first + bench::mnist_batch, bench::images);
      Tensor batch_x, batch_y;
      if (shuffle) {
        const Tensor rows = order.slice(0, first, end);
        batch_x = x.slice(0, 0, end - first);
        batch_y = y.slice(0, 0, end - first);
        at::index_select_out(batch_x, data.x, 0, rows);
        at::index_select_out(batch_y, data.y, 0, rows);
      } else {
        batch_x = data.x.slice(0, first, end);
        batch_y = data.y.slice(0, first, end);
      }
      train_step(net, adam, batch_x, [&](const Tensor& out) { return torch::cross_entropy_loss(out, batch_y); });
    }
  });
}

Prepared inference(nn::Sequential net, std::int64_t rows) {
  net->eval();
  return prepared([net, x = made_up({rows, bench::pixels})]() mutable {
    const c10::InferenceMode mode;
    Tensor out = net->forward(x);
    at::_softmax_out(out, out, 1, false);
    return Tensors{out};
  });
}

// ---- derivatives

struct TanhNet {
  nn::Sequential net{nn::Linear(64, 64), nn::Tanh(), nn::Linear(64, 64), nn::Tanh(), nn::Linear(64, 64), nn::Tanh()};
  Tensor x = made_up({128, 64});
  Tensors weights = net->parameters();

  TanhNet() { bench::peer::share_weights(*net); }
  // Gradients in the layout of this library.
  Tensors gradients(const Tensor& of) const {
    Tensors out = torch::autograd::grad({of}, weights);
    for (Tensor& slope : out) slope = slope.t();
    return out;
  }
};

Prepared first_order() {
  return prepared([n = TanhNet()]() mutable { return n.gradients(n.net->forward(n.x).square().mean()); });
}

Prepared input_penalty() {
  TanhNet made;
  made.x.set_requires_grad(true);
  return prepared([n = made]() mutable {
    const Tensor out = n.net->forward(n.x);
    const Tensor slope = torch::autograd::grad({out.sum()}, {n.x}, {}, true, true)[0];
    return n.gradients(out.square().mean() + slope.square().sum(1).mean());
  });
}

Prepared parameter_norm() {
  return prepared([n = TanhNet()]() mutable {
    const Tensor loss = n.net->forward(n.x).square().mean();
    Tensor norm;
    for (const Tensor& slope : torch::autograd::grad({loss}, n.weights, {}, true, true)) {
      const Tensor part = slope.square().sum();
      norm = norm.defined() ? norm + part : part;
    }
    return n.gradients(norm);
  });
}

// On matrices, or on images in one of the memory formats.
Prepared batch_norm_job(const Extents& size, bool backward, bool last) {
  const auto of_images = [=](const Tensor& t) {
    if (size.size() != 4) return t;
    const Tensor second = t.movedim(-1, 1);
    return last ? second.contiguous(at::MemoryFormat::ChannelsLast) : second.contiguous();
  };
  const auto ours = [=](const Tensor& t) { return size.size() == 4 ? t.movedim(1, -1) : t; };
  const std::int64_t features = size.back();
  const Tensor x = of_images(made_up(size)), cotangent = of_images(made_up(size, 1));
  const Tensor gamma = torch::ones({features}), beta = torch::zeros({features});
  const Tensor mean = torch::zeros({features}), variance = torch::ones({features});
  return prepared([=] {
    const torch::NoGradGuard no_grad;
    const auto [y, saved_mean, saved_scale] = at::native_batch_norm(x, gamma, beta, mean, variance, true, 0.01, 1e-3);
    if (!backward) return Tensors{ours(y)};
    const auto [dx, dgamma, dbeta] = at::native_batch_norm_backward(cotangent, x, gamma, mean, variance, saved_mean,
                                                                    saved_scale, true, 1e-3, {true, true, true});
    return Tensors{ours(y), ours(dx), dgamma, dbeta};
  });
}

Prepared softmax_crossentropy(bench::Matrix size) {
  const Tensor logits = made_up({size.rows, size.columns});
  const Tensor labels = torch::zeros({size.rows}, torch::kLong);
  const Tensor one = torch::ones({});
  Tensor logs = torch::empty_like(logits), slope = torch::zeros_like(logits), out = torch::empty_like(logits);
  return prepared([=]() mutable {
    const torch::NoGradGuard no_grad;
    at::_log_softmax_out(logs, logits, 1, false);
    const auto [loss, weight] = at::nll_loss_forward(logs, labels, {}, at::Reduction::Mean, -100);
    at::nll_loss_backward_out(slope, one, logs, labels, {}, at::Reduction::Mean, -100, weight);
    at::_log_softmax_backward_data_out(out, slope, logs, 1, torch::kFloat);
    return Tensors{loss, out};
  });
}

// The compared results are the weights, in the layout of this library.
Prepared adam_step(const nn::Sequential& net) {
  std::size_t position = 0;
  for (Tensor& p : net->parameters()) {
    const bool matrix = p.dim() == 2;
    const Tensor slope = matrix ? made_up({p.size(1), p.size(0)}, position).t() : made_up(p.sizes(), position);
    p.mutable_grad() = slope.contiguous();
    ++position;
  }
  const auto adam = std::make_shared<Adam>(net->parameters());
  Prepared out{timed([adam] { adam->step(); })};
  out.results = prepared([adam] {
                  adam->step();
                  Tensors weights;
                  for (const Tensor& p : adam->parameters()) weights.push_back(p.dim() == 2 ? p.t() : p);
                  return weights;
                }).results;
  return out;
}

// ---- operations

// A function that writes into an existing result tensor.
template <class F>
Prepared into(F f, at::IntArrayRef shape, at::IntArrayRef result) {
  return prepared([f, x = made_up(shape), out = torch::empty(result)]() mutable {
    const torch::NoGradGuard no_grad;
    f(out, x);
    return Tensors{out};
  });
}

Prepared add(at::IntArrayRef smaller) {
  return prepared([x = made_up({bench::large.rows, bench::large.columns}), y = made_up(smaller, 1),
                   out = torch::empty({bench::large.rows, bench::large.columns})]() mutable {
    const torch::NoGradGuard no_grad;
    at::add_out(out, x, y);
    return Tensors{out};
  });
}

Prepared chain_of_eight() {
  return into(
      [](Tensor& out, const Tensor& x) {
        at::mul_out(out, x, torch::scalar_tensor(1.5));
        out.add_(0.25).abs_().sub_(0.5).relu_().mul_(-0.75).add_(0.125).clamp_min_(-1.0);
      },
      {bench::chain_elements}, {bench::chain_elements});
}

std::vector<Job> jobs() {
  const std::vector<std::int64_t> vector{bench::function_elements}, matrix{bench::large.rows, bench::large.columns};
  std::vector<Job> out{
      {"train/mnist/step", [](int) { return classifier_step(mnist_net, bench::mnist_batch); }},
      {"train/mnist/in-order", [](int) { return epochs(false); },
       std::ceil(static_cast<double>(bench::images) / bench::mnist_batch)},
      {"train/mnist/shuffled", [](int) { return epochs(true); },
       std::ceil(static_cast<double>(bench::images) / bench::mnist_batch)},
      {"train/wide", [](int) { return classifier_step(wide_net, 256); }},
      {"train/boston", [](int) { return boston_step(); }},
      {"infer/mnist/1", [](int) { return inference(mnist_net(), 1); }},
      {"infer/mnist/128", [](int) { return inference(mnist_net(), 128); }},
      {"infer/mnist/1024", [](int) { return inference(mnist_net(), 1024); }},
      {"infer/wide/256", [](int) { return inference(wide_net(), 256); }},
      {"tanh-net/first-order", [](int) { return first_order(); }},
      {"tanh-net/input-penalty", [](int) { return input_penalty(); }},
      {"tanh-net/parameter-norm", [](int) { return parameter_norm(); }},
      {"adam/60K", [](int) { return adam_step(mnist_net()); }},
      {"adam/3M", [](int) { return adam_step(wide_net()); }},
      {"op/exp", [=](int) { return into([](Tensor& y, const Tensor& x) { at::exp_out(y, x); }, vector, vector); }},
      {"op/tanh", [=](int) { return into([](Tensor& y, const Tensor& x) { at::tanh_out(y, x); }, vector, vector); }},
      {"op/log", [=](int) { return into([](Tensor& y, const Tensor& x) { at::log_out(y, x); }, vector, vector); }},
      {"op/sigmoid",
       [=](int) { return into([](Tensor& y, const Tensor& x) { at::sigmoid_out(y, x); }, vector, vector); }},
      {"op/relu",
       [=](int) { return into([](Tensor& y, const Tensor& x) { at::clamp_min_out(y, x, 0); }, vector, vector); }},
      {"sum/all",
       [=](int) {
         return into([](Tensor& y, const Tensor& x) { at::sum_out(y, x, at::IntArrayRef{0, 1}); }, matrix, {});
       }},
      {"sum/axis-0",
       [=](int) {
         return into([](Tensor& y, const Tensor& x) { at::sum_out(y, x, at::IntArrayRef{0}); }, matrix,
                     {bench::large.columns});
       }},
      {"sum/axis-1",
       [=](int) {
         return into([](Tensor& y, const Tensor& x) { at::sum_out(y, x, at::IntArrayRef{1}); }, matrix,
                     {bench::large.rows});
       }},
      {"add/row", [](int) { return add({bench::large.columns}); }},
      {"add/column",
       [](int) {
         return add({bench::large.rows, 1});
       }},
      {"chain-of-eight/16M", [](int) { return chain_of_eight(); }},
  };
  for (const Extents& size : bench::batch_norms) {
    for (const bool last : {false, true}) {
      if (last && size.size() != 4) continue;
      const std::string at = size.size() != 4 ? "" : last ? "@channels-last" : "@contiguous";
      out.push_back({"batch-norm/" + bench::text(size) + at, [=](int) { return batch_norm_job(size, true, last); }});
      out.push_back({"batch-norm/" + bench::text(size) + "/forward" + at,
                     [=](int) { return batch_norm_job(size, false, last); }});
    }
  }
  for (const bench::Matrix& m : bench::softmaxes) {
    out.push_back({"softmax-crossentropy/" + m.name(), [m](int) { return softmax_crossentropy(m); }});
    out.push_back({"softmax/" + m.name(), [m](int) {
                     const std::vector<std::int64_t> shape{m.rows, m.columns};
                     return into([](Tensor& y, const Tensor& x) { at::_softmax_out(y, x, 1, false); }, shape, shape);
                   }});
  }
  for (const auto& family : {bench::peer::network_jobs(), bench::peer::table_jobs()}) {
    out.insert(out.end(), family.begin(), family.end());
  }
  return out;
}

std::size_t first_step() {
  const Data batch(bench::mnist_batch);
  nn::Sequential net = mnist_net();
  Adam adam(net->parameters());
  train_step(net, adam, batch.x, [&](const Tensor& out) { return torch::cross_entropy_loss(out, batch.y); });
  return batch.x.nbytes() + batch.y.nbytes();
}

// The path of the loaded BLAS library.
std::string loaded_blas() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("libblas.so") != std::string::npos) return line.substr(line.find('/'));
  }
  return "unknown BLAS";
}

}  // namespace

int main(int argc, char** argv) {
  return bench::serve({.about = "libtorch " TORCH_VERSION " with " + loaded_blas(),
                       .jobs = jobs(),
                       .set_threads = [](int threads) { at::set_num_threads(threads); },
                       .first_step = first_step},
                      argc, argv);
}
