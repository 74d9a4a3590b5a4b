// The operations of operations.hpp with libtorch. An operation may have several implementations, of which the driver
// uses the fastest; those on images run in both memory formats.
#include <cmath>
#include <string>

#include "../operations.hpp"
#include "torch_jobs.hpp"

namespace bench::peer {
namespace {

constexpr auto channels_last = at::MemoryFormat::ChannelsLast;

struct Results : Tensors {
  Results(Tensor one) : Tensors{std::move(one)} {}
  Results(Tensors several) : Tensors(std::move(several)) {}
};

using Function = std::function<Results(const Tensors& t, const Operation& o)>;

struct Implementation {
  std::string family, variant;  // the variant may be empty
  Function call;
};

// ---- layouts

// Channels second, as libtorch wants images and kernels; a view.
Tensor channels_second(const Tensor& t, Kind kind) {
  if (kind == Kind::image) return t.movedim(-1, 1);
  if (kind == Kind::kernel) return t.movedim({-1, -2}, {0, 1});
  return t;
}
Tensor channels_at_end(const Tensor& t, Kind kind) {
  if (kind == Kind::image) return t.movedim(1, -1);
  if (kind == Kind::kernel) return t.movedim({0, 1}, {-1, -2});
  return t;
}
Tensor in_format(const Tensor& t, bool last) {
  return last && t.dim() == 4 ? t.contiguous(channels_last) : t.contiguous();
}

// ---- composed operations

void lstm_step(const Tensor& gates, Tensor& h, Tensor& c) {
  const Tensors part = gates.chunk(4, 1);
  const Tensor added = part[0].sigmoid() * part[2].tanh();
  c = c.defined() ? torch::addcmul(added, part[1].sigmoid(), c) : added;
  h = part[3].sigmoid() * c.tanh();
}

Tensor lstm(const Tensors& t) {
  Tensor h, c;
  Tensors states;
  for (const Tensor& from_input : (t[0].matmul(t[1]) + t[3]).unbind(0)) {
    lstm_step(h.defined() ? torch::addmm(from_input, h, t[2]) : from_input, h, c);
    states.push_back(h);
  }
  return torch::stack(states);
}

// The library's own LSTM, whose weights are transposed and which adds two biases.
Tensor lstm_layer(const Tensors& t) {
  const Tensor zero = torch::zeros({1, t[0].size(1), t[2].size(0)});
  return std::get<0>(torch::lstm(t[0], {zero, zero}, {t[1].t(), t[2].t(), t[3], torch::zeros_like(t[3])}, true, 1, 0,
                                 true, false, false));
}

Tensor lstm_steps(const Tensors& t) {
  Tensor h, c;
  Tensors states;
  for (std::size_t i = 3; i < t.size(); ++i) {
    const Tensor gates = torch::addmm(t[2], t[i], t[0]);
    lstm_step(h.defined() ? torch::addmm(gates, h, t[1]) : gates, h, c);
    states.push_back(h);
  }
  return torch::stack(states);
}

Tensor split_and_stack(const Tensor& x) {
  Tensors parts;
  for (const Tensor& part : x.unbind(0)) parts.push_back(part * static_cast<double>(parts.size() + 1));
  return torch::stack(parts);
}

Tensor attention(const Tensors& t) {
  const double scale = 1 / std::sqrt(static_cast<double>(t[0].size(-1)));
  return torch::matmul(torch::softmax(torch::matmul(t[0], t[1].transpose(-1, -2)).mul_(scale).add_(t[3]), -1), t[2]);
}

// The same with the scale and the mask inside of the product.
Tensor attention_baddbmm(const Tensors& t) {
  const double scale = 1 / std::sqrt(static_cast<double>(t[0].size(-1)));
  const Tensor scores = torch::baddbmm(t[3], t[0].flatten(0, 1), t[1].flatten(0, 1).transpose(1, 2), 1, scale);
  return torch::bmm(torch::softmax(scores, -1), t[2].flatten(0, 1)).view(t[0].sizes());
}

Tensor small_net(const Tensor& x, const Tensors& t, std::size_t first) {
  return torch::addmm(t[first + 3], torch::tanh(torch::addmm(t[first + 1], x, t[first])), t[first + 2]);
}

Tensors hvp(const Tensors& t) {
  const Tensors weights(t.begin() + 2, t.begin() + 6), tangents(t.begin() + 6, t.end());
  const Tensor loss = torch::cross_entropy_loss(small_net(t[0], t, 2), t[1]);
  return torch::autograd::grad(torch::autograd::grad({loss}, weights, {}, true, true), weights, tangents);
}

Tensor unit(std::int64_t i) { return torch::zeros({1, 10}).index_put_({0, i}, 1); }

Tensor jacobian_by_rows(const Tensors& t) {
  const Tensor y = small_net(t[0], t, 1);
  Tensors rows;
  for (std::int64_t i = 0; i < y.size(1); ++i) rows.push_back(torch::autograd::grad({y}, {t[0]}, {unit(i)}, true)[0]);
  return torch::stack(rows);
}

// All rows in one pass, from copies of the input.
Tensor jacobian_by_copies(const Tensors& t) {
  const Tensor copies = t[0].detach().repeat({10, 1}).set_requires_grad(true);
  return torch::autograd::grad({small_net(copies, t, 1)}, {copies}, {torch::eye(10)})[0];
}

Tensors jacobian_of_weights(const Tensors& t) {
  const Tensors weights(t.begin() + 1, t.end());
  const Tensor y = small_net(t[0], t, 1);
  std::vector<Tensors> rows(weights.size());
  for (std::int64_t i = 0; i < y.size(1); ++i) {
    const Tensors row = torch::autograd::grad({y}, weights, {unit(i)}, true);
    for (std::size_t j = 0; j < row.size(); ++j) rows[j].push_back(row[j]);
  }
  Tensors out;
  for (const Tensors& of_weight : rows) out.push_back(torch::stack(of_weight));
  return out;
}

// Convolutions of sequences as images of height 1, which run in both memory formats.
Tensor conv1d_as_image(const Tensors& t, const Operation& o) {
  const Tensor x = t[0].unsqueeze(2).contiguous(channels_last), kernel = t[1].unsqueeze(2).contiguous(channels_last);
  return torch::conv2d(x, kernel, t[2], 1, at::IntArrayRef{0, o.window.padding}).squeeze(2);
}

// ---- the table

std::vector<Implementation> layer_implementations() {
  return {
      {"conv", "",
       [](const Tensors& t, const Operation& o) {
         return torch::conv2d(t[0], t[1], t[2], o.window.stride, o.window.padding, 1, o.window.groups);
       }},
      {"conv-transpose", "",
       [](const Tensors& t, const Operation& o) {
         return torch::conv_transpose2d(t[0], t[1], {}, o.window.stride, o.window.padding);
       }},
      {"conv1d", "",
       [](const Tensors& t, const Operation& o) { return torch::conv1d(t[0], t[1], t[2], 1, o.window.padding); }},
      {"conv1d", "as-image", conv1d_as_image},
      {"max-pool", "", [](const Tensors& t, const Operation& o) { return torch::max_pool2d(t[0], o.window.stride); }},
      {"average-pool", "",
       [](const Tensors& t, const Operation& o) { return torch::avg_pool2d(t[0], o.window.stride); }},
      {"layer-norm", "",
       [](const Tensors& t, const Operation&) { return torch::layer_norm(t[0], {t[0].size(-1)}, t[1], t[2], 1e-3); }},
      {"gelu", "", [](const Tensors& t, const Operation&) { return torch::gelu(t[0]); }},
      {"gelu-tanh", "", [](const Tensors& t, const Operation&) { return torch::gelu(t[0], "tanh"); }},
      {"softmax", "", [](const Tensors& t, const Operation&) { return torch::softmax(t[0], -1); }},
      {"cross-entropy", "",
       [](const Tensors& t, const Operation&) {
         const Tensor loss = torch::cross_entropy_loss(t[0], t[1]);
         return Tensors{loss, torch::autograd::grad({loss}, {t[0]})[0]};
       }},
      {"attention/causal", "", [](const Tensors& t, const Operation&) { return attention(t); }},
      {"attention/causal", "baddbmm", [](const Tensors& t, const Operation&) { return attention_baddbmm(t); }},
      {"embedding", "", [](const Tensors& t, const Operation&) { return torch::embedding(t[0], t[1]); }},
      {"embedding", "index-select", [](const Tensors& t, const Operation&) { return t[0].index_select(0, t[1]); }},
      {"lstm", "cells", [](const Tensors& t, const Operation&) { return lstm(t); }},
      {"lstm", "layer", [](const Tensors& t, const Operation&) { return lstm_layer(t); }},
      {"lstm-steps", "", [](const Tensors& t, const Operation&) { return lstm_steps(t); }},
      {"hvp", "", [](const Tensors& t, const Operation&) { return hvp(t); }},
      {"jacobian/input", "by-rows", [](const Tensors& t, const Operation&) { return jacobian_by_rows(t); }},
      {"jacobian/input", "by-copies", [](const Tensors& t, const Operation&) { return jacobian_by_copies(t); }},
      {"jacobian/weights", "", [](const Tensors& t, const Operation&) { return jacobian_of_weights(t); }},
  };
}

std::vector<Implementation> movement_implementations() {
  return {
      {"permute/nchw-nhwc", "",
       [](const Tensors& t, const Operation&) {
         return t[0].permute({0, 2, 3, 1}).contiguous();
       }},
      {"permute/nchw-nhwc", "channels-last",
       [](const Tensors& t, const Operation&) {
         return t[0].contiguous(channels_last).permute({0, 2, 3, 1});
       }},
      {"permute/nhwc-nchw", "",
       [](const Tensors& t, const Operation&) {
         return t[0].permute({0, 3, 1, 2}).contiguous();
       }},
      {"permute/bthd-bhtd", "",
       [](const Tensors& t, const Operation&) {
         return t[0].permute({0, 2, 1, 3}).contiguous();
       }},
      {"transpose", "", [](const Tensors& t, const Operation&) { return t[0].t().contiguous(); }},
      {"concat/axis-0", "", [](const Tensors& t, const Operation&) { return torch::cat(t, 0); }},
      {"concat/axis-1", "", [](const Tensors& t, const Operation&) { return torch::cat(t, 1); }},
      {"slice/half", "", [](const Tensors& t, const Operation&) { return t[0].slice(1, 256, 768).contiguous(); }},
      {"slice/every-second", "",
       [](const Tensors& t, const Operation&) { return t[0].slice(1, 0, c10::nullopt, 2).contiguous(); }},
      {"pad", "",
       [](const Tensors& t, const Operation&) {
         return torch::constant_pad_nd(t[0], {0, 0, 1, 1, 1, 1});
       }},
      {"flip", "", [](const Tensors& t, const Operation&) { return t[0].flip(1); }},
      {"split-and-stack", "", [](const Tensors& t, const Operation&) { return split_and_stack(t[0]); }},
      {"gather/axis-1", "", [](const Tensors& t, const Operation&) { return t[0].index_select(1, t[1]); }},
      {"take-along", "", [](const Tensors& t, const Operation&) { return t[0].gather(1, t[1]); }},
      {"scatter-add", "", [](const Tensors& t, const Operation&) { return t[0].index_add(0, t[1], t[2]); }},
      {"scatter-add-along", "", [](const Tensors& t, const Operation&) { return t[0].scatter_add(1, t[1], t[2]); }},
      {"sort", "", [](const Tensors& t, const Operation&) { return std::get<0>(t[0].sort(-1)); }},
      {"argsort", "", [](const Tensors& t, const Operation&) { return t[0].argsort(std::int64_t{-1}, false); }},
      {"top-10", "",
       [](const Tensors& t, const Operation&) {
         const auto [values, indices] = t[0].topk(10);
         return Tensors{values, indices};
       }},
      {"cumsum/axis-0", "", [](const Tensors& t, const Operation&) { return t[0].cumsum(0); }},
      {"cumsum/axis-1", "", [](const Tensors& t, const Operation&) { return t[0].cumsum(1); }},
  };
}

std::vector<Implementation> further_implementations() {
  return {
      {"sum/axis-1", "", [](const Tensors& t, const Operation&) { return t[0].sum(1); }},
      {"max/axis-1", "", [](const Tensors& t, const Operation&) { return t[0].amax(1); }},
      {"var/axis-1", "", [](const Tensors& t, const Operation&) { return t[0].var(at::IntArrayRef{1}, false); }},
      {"argmax/axis-0", "", [](const Tensors& t, const Operation&) { return t[0].argmax(0); }},
      {"argmax/axis-1", "", [](const Tensors& t, const Operation&) { return t[0].argmax(1); }},
      {"logsumexp", "", [](const Tensors& t, const Operation&) { return t[0].logsumexp(1); }},
      {"any/axis-1", "", [](const Tensors& t, const Operation&) { return t[0].any(1); }},
      {"count", "sum", [](const Tensors& t, const Operation&) { return t[0].sum(); }},
      {"count", "count-nonzero", [](const Tensors& t, const Operation&) { return t[0].count_nonzero(); }},
      {"all-positive", "", [](const Tensors& t, const Operation&) { return t[0].gt(0).all(); }},
      {"where", "", [](const Tensors& t, const Operation&) { return torch::where(t[0], t[1], t[2]); }},
      {"masked-fill", "", [](const Tensors& t, const Operation&) { return t[0].masked_fill(t[1], -1); }},
      {"less", "", [](const Tensors& t, const Operation&) { return t[0].lt(t[1]); }},
      {"add/middle", "", [](const Tensors& t, const Operation&) { return t[0] + t[1]; }},
      {"batch-matmul", "", [](const Tensors& t, const Operation&) { return t[0].bmm(t[1]); }},
      {"batch-matmul/tb", "", [](const Tensors& t, const Operation&) { return t[0].bmm(t[1].transpose(1, 2)); }},
      {"einsum/bthd,bshd-bhts", "",
       [](const Tensors& t, const Operation&) { return torch::einsum("bthd,bshd->bhts", t); }},
      {"matrix-vector", "mv", [](const Tensors& t, const Operation&) { return t[0].mv(t[1].view(-1)); }},
      {"matrix-vector", "mm", [](const Tensors& t, const Operation&) { return t[0].mm(t[1]); }},
      {"vector-matrix", "mv", [](const Tensors& t, const Operation&) { return t[0].t().mv(t[1].view(-1)); }},
      {"vector-matrix", "mm", [](const Tensors& t, const Operation&) { return t[1].mm(t[0]); }},
      {"f64/exp", "", [](const Tensors& t, const Operation&) { return t[0].exp(); }},
      {"f64/tanh", "", [](const Tensors& t, const Operation&) { return t[0].tanh(); }},
      {"f64/matmul", "", [](const Tensors& t, const Operation&) { return t[0].mm(t[1]); }},
      {"random/normal", "", [](const Tensors& t, const Operation&) { return torch::randn_like(t[0]); }},
      {"random/uniform", "", [](const Tensors& t, const Operation&) { return torch::rand_like(t[0]); }},
      {"random/bernoulli", "",
       [](const Tensors& t, const Operation&) { return torch::empty_like(t[0]).bernoulli_(0.2); }},
      {"random/dropout", "dropout", [](const Tensors& t, const Operation&) { return torch::dropout(t[0], 0.2, true); }},
      {"random/dropout", "uniform",
       [](const Tensors& t, const Operation&) { return torch::rand_like(t[0]).gt_(0.2).mul_(t[0]).mul_(1.25); }},
      {"random/permutation", "", [](const Tensors& t, const Operation&) { return torch::randperm(t[0].numel()); }},
  };
}

// ---- jobs

Prepared prepare(const Operation& o, const Function& call, bool backward, bool last) {
  Tensors inputs, with_gradient;
  std::vector<Kind> kinds;
  for (const Input& input : o.inputs) {
    inputs.push_back(in_format(channels_second(made(input, input.shape, inputs.size()), input.kind), last));
    const bool differentiable = inputs.back().is_floating_point() && !input.fixed && o.passes != Passes::forward;
    if (differentiable && (backward || o.passes == Passes::own)) {
      inputs.back().set_requires_grad(true);
      with_gradient.push_back(inputs.back());
      kinds.push_back(input.kind);
    }
  }
  const auto kind = o.on_images() ? Kind::image : Kind::values;
  if (o.passes == Passes::own) return prepared([=] { return Tensors(call(inputs, o)); });
  if (!backward) {
    const auto forward = [=] {
      const torch::NoGradGuard no_grad;
      return call(inputs, o);
    };
    Prepared out = prepared([=] { return Tensors(forward()); }, o.random());
    if (o.on_images()) out.results = prepared([=] { return Tensors{channels_at_end(forward()[0], kind)}; }).results;
    return out;
  }
  const Tensor y = channels_at_end(call(inputs, o)[0], kind);
  const Tensor cotangent = in_format(channels_second(made({Kind::values}, y.sizes(), inputs.size()), kind), last);
  const auto both = [=] {
    Tensors results{call(inputs, o)[0]};
    for (Tensor& slope : torch::autograd::grad({results[0]}, with_gradient, {cotangent})) results.push_back(slope);
    return results;
  };
  Prepared out = prepared(both);
  out.results = prepared([=] {
                  Tensors results = both();
                  results[0] = channels_at_end(results[0], kind);
                  for (std::size_t i = 0; i < kinds.size(); ++i) {
                    results[i + 1] = channels_at_end(results[i + 1], kinds[i]);
                  }
                  return results;
                }).results;
  return out;
}

}  // namespace

std::vector<Job> table_jobs() {
  std::vector<Implementation> all = layer_implementations();
  for (const auto& part : {movement_implementations(), further_implementations()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  std::vector<Job> out;
  for (const Operation& o : operations()) {
    const auto add = [&](const std::string& variant, const Function& call, bool last) {
      const std::string at = variant.empty() ? "" : "@" + variant;
      out.push_back({o.name() + at, [=](int) { return prepare(o, call, false, last); }});
      if (o.passes != Passes::both) return;
      out.push_back({o.name() + backward_suffix + at, [=](int) { return prepare(o, call, true, last); }});
    };
    for (const Implementation& one : all) {
      if (one.family != o.family) continue;
      if (o.on_images() && o.inputs[0].shape.size() == 4) {
        add("contiguous", one.call, false);
        add("channels-last", one.call, true);
      } else {
        add(one.variant, one.call, false);
      }
    }
  }
  return out;
}

}  // namespace bench::peer
