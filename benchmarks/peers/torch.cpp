// The worker for libtorch. Each job uses the fastest form of its C++ front end that we know:
//   - OpenBLAS with OpenMP, the thread pool that libtorch uses; the pthreads build would compete for the cores (see
//     peers.cmake);
//   - one pool of the requested number of threads, set before the first operation;
//   - inference in InferenceMode, without a copy of the input;
//   - training with gradients set to none instead of zeroed, in-place relu, and a loss of logits and class indices;
//   - a hand-written Adam with the fewest calls, which is faster than torch::optim::Adam and the _foreach functions;
//   - single operations write into an existing tensor, since a new one causes page faults;
//   - batch norm and losses call the functions behind autograd without creating its nodes.
#include <fstream>
#include <memory>
#include <string>

#include <torch/torch.h>

#include "../shapes.hpp"
#include "../worker.hpp"

namespace {

using bench::Job;
using bench::Run;
using bench::timed;
using torch::Tensor;
using torch::indexing::Slice;
namespace nn = torch::nn;

Tensor made_up(at::IntArrayRef shape) {
  Tensor out = torch::empty(shape);
  bench::fill(out.data_ptr<float>(), out.numel());
  return out;
}

// Adam in the fewest passes that library functions allow, without new tensors.
class Adam {
 public:
  explicit Adam(std::vector<Tensor> parameters) : parameters_(std::move(parameters)) {
    for (const Tensor& p : parameters_) {
      means_.push_back(torch::zeros_like(p));
      squares_.push_back(torch::zeros_like(p));
      divisors_.push_back(torch::empty_like(p));
    }
  }

  void zero_grad() {
    for (Tensor& p : parameters_) p.mutable_grad().reset();
  }

  void step() {
    const torch::NoGradGuard no_grad;
    ++steps_;
    const double rate = 0.001 * std::sqrt(1 - std::pow(0.999, steps_)) / (1 - std::pow(0.9, steps_));
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const Tensor& gradient = parameters_[i].grad();
      means_[i].lerp_(gradient, 0.1);
      squares_[i].mul_(0.999).addcmul_(gradient, gradient, 0.001);
      at::sqrt_out(divisors_[i], squares_[i]).add_(1e-7);
      parameters_[i].addcdiv_(means_[i], divisors_[i], -rate);
    }
  }

 private:
  std::vector<Tensor> parameters_, means_, squares_, divisors_;
  int steps_ = 0;
};

nn::BatchNorm1d batch_norm(std::int64_t features) {
  return nn::BatchNorm1d(nn::BatchNorm1dOptions(features).eps(1e-3).momentum(0.01));
}

nn::ReLU relu() { return nn::ReLU(nn::ReLUOptions().inplace(true)); }

// Outputs logits; the loss or inference applies softmax.
nn::Sequential mnist_net() {
  return nn::Sequential(nn::Linear(bench::pixels, 64), relu(), batch_norm(64), nn::Linear(64, 64), relu(),
                        batch_norm(64), nn::Linear(64, 64), relu(), batch_norm(64), nn::Dropout(0.2),
                        nn::Linear(64, bench::classes));
}

nn::Sequential wide_net() {
  return nn::Sequential(nn::Linear(bench::pixels, 1024), relu(), nn::Linear(1024, 1024), relu(), nn::Linear(1024, 1024),
                        relu(), nn::Linear(1024, bench::classes));
}

nn::Sequential boston_net() {
  return nn::Sequential(nn::Linear(13, 32), relu(), batch_norm(32), nn::Linear(32, 16), relu(), batch_norm(16),
                        nn::Dropout(0.2), nn::Linear(16, 1));
}

// ---- networks

struct Data {
  Tensor x, y;
  explicit Data(std::int64_t rows) : x(made_up({rows, bench::pixels})), y(torch::arange(rows) % bench::classes) {}
};

// A training step; does not read the loss.
template <class Loss>
void train_step(nn::Sequential& net, Adam& adam, const Tensor& x, const Loss& loss) {
  adam.zero_grad();
  loss(net->forward(x)).backward();
  adam.step();
}

Run classifier_step(nn::Sequential net, std::int64_t rows) {
  net->train();
  return timed([net, adam = Adam(net->parameters()), data = Data(rows)]() mutable {
    train_step(net, adam, data.x, [&](const Tensor& out) { return torch::cross_entropy_loss(out, data.y); });
  });
}

Run boston_step() {
  nn::Sequential net = boston_net();
  net->train();
  return timed([net, adam = Adam(net->parameters()), x = made_up({8, 13}), y = made_up({8, 1})]() mutable {
    train_step(net, adam, x, [&](const Tensor& out) { return torch::mse_loss(out, y); });
  });
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

Run inference(nn::Sequential net, std::int64_t rows) {
  net->eval();
  return timed([net, x = made_up({rows, bench::pixels})]() mutable {
    const c10::InferenceMode mode;
    Tensor out = net->forward(x);
    at::_softmax_out(out, out, 1, false);
  });
}

// ---- derivatives

struct TanhNet {
  nn::Sequential net{nn::Linear(64, 64), nn::Tanh(), nn::Linear(64, 64), nn::Tanh(), nn::Linear(64, 64), nn::Tanh()};
  Tensor x = made_up({128, 64});
  std::vector<Tensor> weights = net->parameters();
};

Run first_order() {
  return timed([n = TanhNet()]() mutable { torch::autograd::grad({n.net->forward(n.x).square().mean()}, n.weights); });
}

Run input_penalty() {
  TanhNet made;
  made.x.set_requires_grad(true);
  return timed([n = made]() mutable {
    const Tensor out = n.net->forward(n.x);
    const Tensor slope = torch::autograd::grad({out.sum()}, {n.x}, {}, true, true)[0];
    torch::autograd::grad({out.square().mean() + slope.square().sum(1).mean()}, n.weights);
  });
}

Run parameter_norm() {
  return timed([n = TanhNet()]() mutable {
    const Tensor loss = n.net->forward(n.x).square().mean();
    Tensor norm;
    for (const Tensor& slope : torch::autograd::grad({loss}, n.weights, {}, true, true)) {
      const Tensor part = slope.square().sum();
      norm = norm.defined() ? norm + part : part;
    }
    torch::autograd::grad({norm}, n.weights);
  });
}

Run batch_norm_both_ways(bench::Matrix size) {
  const Tensor x = made_up({size.rows, size.columns}), cotangent = made_up({size.rows, size.columns});
  const Tensor gamma = torch::ones({size.columns}), beta = torch::zeros({size.columns});
  const Tensor mean = torch::zeros({size.columns}), variance = torch::ones({size.columns});
  return timed([=] {
    const torch::NoGradGuard no_grad;
    const auto [y, saved_mean, saved_scale] = at::native_batch_norm(x, gamma, beta, mean, variance, true, 0.01, 1e-3);
    at::native_batch_norm_backward(cotangent, x, gamma, mean, variance, saved_mean, saved_scale, true, 1e-3,
                                   {true, true, true});
  });
}

Run softmax_crossentropy(bench::Matrix size) {
  const Tensor logits = made_up({size.rows, size.columns});
  const Tensor labels = torch::zeros({size.rows}, torch::kLong);
  const Tensor one = torch::ones({});
  Tensor logs = torch::empty_like(logits), slope = torch::zeros_like(logits), out = torch::empty_like(logits);
  return timed([=]() mutable {
    const torch::NoGradGuard no_grad;
    at::_log_softmax_out(logs, logits, 1, false);
    const auto [loss, weight] = at::nll_loss_forward(logs, labels, {}, at::Reduction::Mean, -100);
    at::nll_loss_backward_out(slope, one, logs, labels, {}, at::Reduction::Mean, -100, weight);
    at::_log_softmax_backward_data_out(out, slope, logs, 1, torch::kFloat);
  });
}

Run adam_step(const nn::Sequential& net) {
  for (Tensor& p : net->parameters()) p.mutable_grad() = made_up(p.sizes());
  return timed([adam = Adam(net->parameters())]() mutable { adam.step(); });
}

// ---- operations

// A function that writes into an existing result tensor.
template <class F>
Run into(F f, at::IntArrayRef shape, at::IntArrayRef result) {
  return timed([f, x = made_up(shape), out = torch::empty(result)]() mutable {
    const torch::NoGradGuard no_grad;
    f(out, x);
  });
}

Run add(at::IntArrayRef smaller) {
  return timed([x = made_up({bench::large.rows, bench::large.columns}), y = made_up(smaller),
                out = torch::empty({bench::large.rows, bench::large.columns})]() mutable {
    const torch::NoGradGuard no_grad;
    at::add_out(out, x, y);
  });
}

Run chain_of_eight() {
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
      {"train/mnist/step", [](int) { return classifier_step(mnist_net(), bench::mnist_batch); }},
      {"train/mnist/in-order", [](int) { return epochs(false); },
       std::ceil(static_cast<double>(bench::images) / bench::mnist_batch)},
      {"train/mnist/shuffled", [](int) { return epochs(true); },
       std::ceil(static_cast<double>(bench::images) / bench::mnist_batch)},
      {"train/wide", [](int) { return classifier_step(wide_net(), 256); }},
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
  for (const bench::Matrix& m : bench::batch_norms) {
    out.push_back({"batch-norm/" + m.name(), [m](int) { return batch_norm_both_ways(m); }});
  }
  for (const bench::Matrix& m : bench::softmaxes) {
    out.push_back({"softmax-crossentropy/" + m.name(), [m](int) { return softmax_crossentropy(m); }});
    out.push_back({"softmax/" + m.name(), [m](int) {
                     const std::vector<std::int64_t> shape{m.rows, m.columns};
                     return into([](Tensor& y, const Tensor& x) { at::_softmax_out(y, x, 1, false); }, shape, shape);
                   }});
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
