// The operations of operations.hpp.
#include <array>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>

#include "../operations.hpp"
#include "jobs.hpp"

namespace bench {

namespace xg = xgrad;

namespace {

using Values = std::vector<xg::Value>;

struct Results : Values {
  Results(xg::Value one) : Values{one} {}
  Results(Values several) : Values(std::move(several)) {}
};

// Builds an operation from its inputs.
using Build = std::function<Results(const Values& v, const Operation& o)>;

// One step of an LSTM from the pre-activations of its gates; h and c are not valid before the first step.
void lstm_step(xg::Value gates, xg::Value& h, xg::Value& c) {
  const Values part = chunk(gates, 4, 1);
  const xg::Value added = sigmoid(part[0]) * tanh(part[2]);
  c = c.valid() ? sigmoid(part[1]) * c + added : added;
  h = sigmoid(part[3]) * tanh(c);
}

// x [steps, batch, units], input weights, recurrent weights, bias.
xg::Value lstm(const Values& v) {
  const xg::Value from_input = matmul(v[0], v[1]) + v[3];
  xg::Value h, c;
  Values states;
  for (xg::Index t = 0; t < v[0].shape()[0]; ++t) {
    const xg::Value gates = select(from_input, t);
    lstm_step(h.valid() ? gates + matmul(h, v[2]) : gates, h, c);
    states.push_back(h);
  }
  return xg::stack(states);
}

// The same with separate inputs for the steps, after the weights.
xg::Value lstm_steps(const Values& v) {
  xg::Value h, c;
  Values states;
  for (std::size_t t = 3; t < v.size(); ++t) {
    const xg::Value gates = matmul(v[t], v[0]) + v[2];
    lstm_step(h.valid() ? gates + matmul(h, v[1]) : gates, h, c);
    states.push_back(h);
  }
  return xg::stack(states);
}

// Logits of a layer of tanh units and a linear layer, whose weights begin at `first`.
xg::Value small_net(const Values& v, std::size_t first) {
  return matmul(tanh(matmul(v[0], v[first]) + v[first + 1]), v[first + 2]) + v[first + 3];
}

xg::Value split_and_stack(xg::Value x) {
  Values parts;
  for (xg::Index t = 0; t < x.shape()[0]; ++t) parts.push_back(select(x, t) * static_cast<double>(t + 1));
  return xg::stack(parts);
}

const std::map<std::string, Build>& builds() {
  static const std::map<std::string, Build> out{
      {"conv",
       [](const Values& v, const Operation& o) {
         return conv2d(v[0], v[1],
                       {.strides = o.window.stride, .padding = o.window.padding, .groups = o.window.groups}) +
                v[2];
       }},
      {"conv-transpose",
       [](const Values& v, const Operation& o) {
         return conv2d_transpose(v[0], v[1], {.strides = o.window.stride, .padding = o.window.padding});
       }},
      {"conv1d",
       [](const Values& v, const Operation& o) { return conv1d(v[0], v[1], {.padding = o.window.padding}) + v[2]; }},
      {"max-pool", [](const Values& v, const Operation& o) { return max_pool2d(v[0], o.window.stride); }},
      {"average-pool", [](const Values& v, const Operation& o) { return average_pool2d(v[0], o.window.stride); }},

      {"layer-norm", [](const Values& v, const Operation&) { return layer_norm(v[0], v[1], v[2]); }},
      {"gelu", [](const Values& v, const Operation&) { return gelu(v[0]); }},
      {"gelu-tanh", [](const Values& v, const Operation&) { return gelu_tanh(v[0]); }},
      {"softmax", [](const Values& v, const Operation&) { return softmax(v[0]); }},
      {"cross-entropy",
       [](const Values& v, const Operation&) {
         const xg::Value loss = sparse_categorical_crossentropy_from_logits(v[0], v[1]);
         return Values{loss, gradients(loss, v[0])};
       }},
      {"attention/causal",
       [](const Values& v, const Operation&) {
         return scaled_dot_product_attention(v[0], v[1], v[2], {.causal = true});
       }},
      {"embedding", [](const Values& v, const Operation&) { return embedding(v[0], v[1]); }},
      {"lstm", [](const Values& v, const Operation&) { return lstm(v); }},
      {"lstm-steps", [](const Values& v, const Operation&) { return lstm_steps(v); }},
      {"hvp",
       [](const Values& v, const Operation&) {
         const xg::Value loss = sparse_categorical_crossentropy_from_logits(small_net(v, 2), v[1]);
         return hvp(loss, Values(v.begin() + 2, v.begin() + 6), Values(v.begin() + 6, v.end()));
       }},
      {"jacobian/input", [](const Values& v, const Operation&) { return jacobian(small_net(v, 1), v[0]); }},
      {"jacobian/weights",
       [](const Values& v, const Operation&) { return jacobian(small_net(v, 1), Values(v.begin() + 1, v.end())); }},

      {"permute/nchw-nhwc",
       [](const Values& v, const Operation&) {
         return transpose(v[0], {0, 2, 3, 1});
       }},
      {"permute/nhwc-nchw",
       [](const Values& v, const Operation&) {
         return transpose(v[0], {0, 3, 1, 2});
       }},
      {"permute/bthd-bhtd",
       [](const Values& v, const Operation&) {
         return transpose(v[0], {0, 2, 1, 3});
       }},
      {"transpose", [](const Values& v, const Operation&) { return transpose(v[0]); }},
      {"concat/axis-0", [](const Values& v, const Operation&) { return xg::concat(v, 0); }},
      {"concat/axis-1", [](const Values& v, const Operation&) { return xg::concat(v, 1); }},
      {"slice/half", [](const Values& v, const Operation&) { return slice(v[0], 1, 256, 768); }},
      {"slice/every-second", [](const Values& v, const Operation&) { return slice(v[0], 1, 0, {}, 2); }},
      {"pad",
       [](const Values& v, const Operation&) {
         return pad(v[0], {{0, 0}, {1, 1}, {1, 1}, {0, 0}});
       }},
      {"flip", [](const Values& v, const Operation&) { return flip(v[0], {1}); }},
      {"split-and-stack", [](const Values& v, const Operation&) { return split_and_stack(v[0]); }},
      {"gather/axis-1", [](const Values& v, const Operation&) { return gather(v[0], v[1], 1); }},
      {"take-along", [](const Values& v, const Operation&) { return take_along_axis(v[0], v[1], 1); }},
      {"scatter-add", [](const Values& v, const Operation&) { return scatter_add(v[0], v[1], v[2]); }},
      {"scatter-add-along",
       [](const Values& v, const Operation&) { return scatter_add_along_axis(v[0], v[1], v[2], 1); }},
      {"sort", [](const Values& v, const Operation&) { return sort(v[0]); }},
      {"argsort", [](const Values& v, const Operation&) { return argsort(v[0]); }},
      {"top-10",
       [](const Values& v, const Operation&) {
         const xg::TopK top = topk(v[0], 10);
         return Values{top.values, top.indices};
       }},
      {"cumsum/axis-0", [](const Values& v, const Operation&) { return cumsum(v[0], 0); }},
      {"cumsum/axis-1", [](const Values& v, const Operation&) { return cumsum(v[0], 1); }},

      {"sum/axis-1", [](const Values& v, const Operation&) { return sum(v[0], {1}); }},
      {"max/axis-1", [](const Values& v, const Operation&) { return max(v[0], {1}); }},
      {"var/axis-1", [](const Values& v, const Operation&) { return var(v[0], {1}); }},
      {"argmax/axis-0", [](const Values& v, const Operation&) { return argmax(v[0], 0); }},
      {"argmax/axis-1", [](const Values& v, const Operation&) { return argmax(v[0], 1); }},
      {"logsumexp", [](const Values& v, const Operation&) { return logsumexp(v[0], {1}); }},
      {"any/axis-1", [](const Values& v, const Operation&) { return any(v[0], {1}); }},
      {"count", [](const Values& v, const Operation&) { return sum(v[0]); }},
      {"all-positive", [](const Values& v, const Operation&) { return all(greater(v[0], 0.0)); }},
      {"where", [](const Values& v, const Operation&) { return where(v[0], v[1], v[2]); }},
      {"masked-fill", [](const Values& v, const Operation&) { return masked_fill(v[0], v[1], -1); }},
      {"less", [](const Values& v, const Operation&) { return less(v[0], v[1]); }},
      {"add/middle", [](const Values& v, const Operation&) { return v[0] + v[1]; }},
      {"batch-matmul", [](const Values& v, const Operation&) { return matmul(v[0], v[1]); }},
      {"batch-matmul/tb", [](const Values& v, const Operation&) { return matmul(v[0], v[1], false, true); }},
      {"einsum/bthd,bshd-bhts", [](const Values& v, const Operation&) { return xg::einsum("bthd,bshd->bhts", v); }},
      {"matrix-vector", [](const Values& v, const Operation&) { return matmul(v[0], v[1]); }},
      {"vector-matrix", [](const Values& v, const Operation&) { return matmul(v[1], v[0]); }},
      {"f64/exp", [](const Values& v, const Operation&) { return exp(v[0]); }},
      {"f64/tanh", [](const Values& v, const Operation&) { return tanh(v[0]); }},
      {"f64/matmul", [](const Values& v, const Operation&) { return matmul(v[0], v[1]); }},

      {"random/normal", [](const Values& v, const Operation&) { return normal_like(v[0]); }},
      {"random/uniform", [](const Values& v, const Operation&) { return uniform_like(v[0]); }},
      {"random/bernoulli", [](const Values& v, const Operation&) { return bernoulli_like(v[0], 0.2); }},
      {"random/dropout", [](const Values& v, const Operation&) { return v[0] * dropout_mask(v[0], 0.2); }},
      {"random/permutation",
       [](const Values& v, const Operation&) { return xg::random_permutation(v[0].graph(), v[0].shape()[0]); }},
  };
  return out;
}

struct Built {
  std::shared_ptr<xg::Graph> graph = std::make_shared<xg::Graph>();
  Values outputs;
  std::vector<Input> inputs;
};

Built built(const Operation& o, bool backward) {
  Built out;
  out.inputs = o.inputs;
  Values inputs, with_gradient;
  for (const Input& input : o.inputs) {
    inputs.push_back(out.graph->input("x" + std::to_string(inputs.size()), xg::Shape(input.shape), dtype_of(input)));
    const bool differentiable = input.kind != Kind::indices && input.kind != Kind::mask && !input.fixed;
    if (differentiable) with_gradient.push_back(inputs.back());
  }
  const auto build = builds().find(o.family);
  if (build == builds().end()) throw std::runtime_error("no function for " + o.family);
  out.outputs = build->second(inputs, o);
  if (!backward) return out;
  const xg::Value cotangent = out.graph->input("cotangent", out.outputs[0].shape(), out.outputs[0].dtype());
  out.inputs.push_back({Kind::values});
  const Values slopes = xg::vjp({out.outputs[0]}, with_gradient, {cotangent});
  out.outputs.insert(out.outputs.end(), slopes.begin(), slopes.end());
  return out;
}

Prepared prepare(const Operation& o, bool backward, int threads) {
  Built b = built(o, backward);
  return run_plan(std::move(b.graph), b.outputs, threads, {}, b.inputs, o.random());
}

// Keeps the compiler from removing unused results.
volatile std::int64_t sink;

// Building the graph of the forward and backward pass, or planning it.
std::vector<Job> planning_of(const Operation& o) {
  const auto build = [o](int) { return timed([o] { sink = built(o, true).outputs.back().id(); }); };
  const auto plan = [o](int) { return timed([b = built(o, true)] { sink = xg::Plan(b.outputs).steps(); }); };
  return {{"graph/" + o.family, build}, {"plan/" + o.family, plan}};
}

}  // namespace

std::vector<Job> table_jobs() {
  std::vector<Job> out;
  for (const Operation& o : operations()) {
    if (o.family == "lstm") {
      for (Job& job : planning_of(o)) out.push_back(std::move(job));
    }
    out.push_back({o.name(), [o](int threads) { return prepare(o, false, threads); }});
    if (o.passes != Passes::both) continue;
    out.push_back({o.name() + backward_suffix, [o](int threads) { return prepare(o, true, threads); }});
  }
  return out;
}

}  // namespace bench
