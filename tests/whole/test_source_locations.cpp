// The source locations of nodes and errors.
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/xgrad.hpp>
#include "support/scratch.hpp"

using namespace xgrad;

namespace {

std::string at(int line) { return fmt::format("test_source_locations.cpp:{}", line); }

// The distinct locations of the nodes from `mark` on, in order of first use.
std::vector<std::string> lines_from(const Graph& g, NodeId mark) {
  std::vector<std::string> out;
  for (NodeId id = mark; id < g.size(); ++id) {
    if (std::find(out.begin(), out.end(), g.location_of(id)) == out.end()) out.push_back(g.location_of(id));
  }
  return out;
}

using Lines = std::vector<std::string>;

// Every node that the expression appends has its line.
#define CHECK_ONE_LINE(g, expression)                         \
  do {                                                        \
    const NodeId before_it = (g).mark();                      \
    (void)(expression);                                       \
    CAPTURE(#expression);                                     \
    CHECK((g).size() > before_it);                            \
    CHECK(lines_from((g), before_it) == Lines{at(__LINE__)}); \
    (g).rewind(before_it);                                    \
  } while (false)

// The what() of the error that the expression throws.
#define WHAT_OF(expression) what_of([&] { (void)(expression); })
std::string what_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    CHECK(error.what() == error.message() + (error.where().empty() ? "" : "\n  " + error.where()));
    return error.what();
  }
  return "nothing was thrown";
}

std::string tail_of(const std::string& what) { return what.substr(what.rfind('\n') + 1); }

}  // namespace

TEST_CASE("source location: of operators, functions and constants") {
  Graph g;
  const Value x = g.input("x", {3});
  CHECK(g.location_of(x.id()) == at(__LINE__ - 1));
  const Value y = x * 2;
  CHECK(g.location_of(y.id()) == at(__LINE__ - 1));
  CHECK(g.location_of(g.inputs(y.id())[1]) == at(__LINE__ - 2));  // the constant 2
  const Value z = 3 - relu(y);
  CHECK(lines_from(g, y.id() + 1) == Lines{at(__LINE__ - 1)});
  CHECK(g.location_of((z < x).id()) == at(__LINE__));
  CHECK(g.location_of((-z).id()) == at(__LINE__));
  const Value joined = concat({x, y});
  CHECK(g.location_of(joined.id()) == at(__LINE__ - 1));
  const Parameter w("w", Tensor::zeros({3}));
  CHECK(g.location_of(g.parameter(w).id()) == at(__LINE__));
  CHECK(g.location_of(g.constant(Tensor({2}, f32)).id()) == at(__LINE__));
  CHECK(g.location_of(g.constant(7.0).id()) == at(__LINE__));
  CHECK(g.location_of(apply("sin", {z}).id()) == at(__LINE__));
  CHECK(g.location_of(g.size()).empty());
}

// clang-format off
TEST_CASE("source location: an expression of several lines has one of them") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value y = x +
                  exp(
                      -x);
  const int last = __LINE__ - 1;
  const auto line_of = [&](Value v) {
    const std::string location = g.location_of(v.id());
    return std::stoi(location.substr(location.find(':') + 1));
  };
  const Value e = g.value(g.inputs(y.id())[1]);
  const Value minus = g.value(g.inputs(e.id())[0]);
  // Compilers differ on whether a call is located at its begin or at its last operand.
  for (const Value v : {y, e}) {
    CHECK(line_of(v) >= last - 2);
    CHECK(line_of(v) <= last);
  }
  CHECK(line_of(minus) == last);
}
// clang-format on

TEST_CASE("source location: all nodes of a composed function have the caller's line") {
  Graph g;
  const Value x = g.input("x", {2, 6});
  const Value y = g.input("y", {2, 6});
  const Value v = g.input("v", {6});
  const Value labels = g.input("labels", {2}, i64);
  const Value image = g.input("image", {1, 6, 6, 2});
  const Value kernel = g.input("kernel", {3, 3, 2, 4});
  const Value sequence = g.input("sequence", {1, 6, 2});
  const Value mask = g.input("mask", {2, 6}, boolean);
  CHECK_ONE_LINE(g, softmax(x));
  CHECK_ONE_LINE(g, log_softmax(x));
  CHECK_ONE_LINE(g, logsumexp(x));
  CHECK_ONE_LINE(g, mean(x));
  CHECK_ONE_LINE(g, var(x));
  CHECK_ONE_LINE(g, stddev(x));
  CHECK_ONE_LINE(g, norm(x));
  CHECK_ONE_LINE(g, norm(x, 3));
  CHECK_ONE_LINE(g, argmax(x));
  CHECK_ONE_LINE(g, count(x));
  CHECK_ONE_LINE(g, any(x));
  CHECK_ONE_LINE(g, cumprod(x, 0));
  CHECK_ONE_LINE(g, linear_scan(x, y, 0));
  CHECK_ONE_LINE(g, gelu(x));
  CHECK_ONE_LINE(g, gelu_tanh(x));
  CHECK_ONE_LINE(g, silu(x));
  CHECK_ONE_LINE(g, mish(x));
  CHECK_ONE_LINE(g, hardswish(x));
  CHECK_ONE_LINE(g, logsigmoid(x));
  CHECK_ONE_LINE(g, softplus(x, 2));
  CHECK_ONE_LINE(g, softsign(x));
  CHECK_ONE_LINE(g, elu(x));
  CHECK_ONE_LINE(g, selu(x));
  CHECK_ONE_LINE(g, relu6(x));
  CHECK_ONE_LINE(g, leaky_relu(x));
  CHECK_ONE_LINE(g, prelu(x, v));
  CHECK_ONE_LINE(g, clip(x, -1, 1));
  CHECK_ONE_LINE(g, clip(x, y, y + 1));
  CHECK_ONE_LINE(g, lerp(x, y, 0.3));
  CHECK_ONE_LINE(g, lerp(x, y, x));
  CHECK_ONE_LINE(g, isinf(x));
  CHECK_ONE_LINE(g, isfinite(x));
  CHECK_ONE_LINE(g, reciprocal(x));
  CHECK_ONE_LINE(g, where(mask, x, 2));
  CHECK_ONE_LINE(g, where(mask, 2, x));
  CHECK_ONE_LINE(g, masked_fill(x, mask, 2));
  CHECK_ONE_LINE(g, zeros_like(x));
  CHECK_ONE_LINE(g, ones_like(x));
  CHECK_ONE_LINE(g, mse(x, y));
  CHECK_ONE_LINE(g, mae(x, y));
  CHECK_ONE_LINE(g, huber(x, y));
  CHECK_ONE_LINE(g, smooth_l1(x, y));
  CHECK_ONE_LINE(g, log_cosh(x, y));
  CHECK_ONE_LINE(g, hinge(x, y));
  CHECK_ONE_LINE(g, binary_crossentropy(x, y));
  CHECK_ONE_LINE(g, binary_crossentropy_from_logits(x, y));
  CHECK_ONE_LINE(g, categorical_crossentropy(x, y));
  CHECK_ONE_LINE(g, categorical_crossentropy_from_logits(x, y));
  CHECK_ONE_LINE(g, sparse_categorical_crossentropy(x, labels));
  CHECK_ONE_LINE(g, sparse_categorical_crossentropy_from_logits(x, labels));
  CHECK_ONE_LINE(g, nll(x, labels));
  CHECK_ONE_LINE(g, kl_divergence(x, y));
  CHECK_ONE_LINE(g, cosine_similarity(x, y));
  CHECK_ONE_LINE(g, cosine_embedding(x, y, labels));
  CHECK_ONE_LINE(g, triplet_margin(x, y, x));
  CHECK_ONE_LINE(g, matmul(x, v));
  CHECK_ONE_LINE(g, matmul(v, v));
  CHECK_ONE_LINE(g, dot(v, v));
  CHECK_ONE_LINE(g, outer(v, v));
  CHECK_ONE_LINE(g, einsum("ij,kj->ik", {x, y}));
  CHECK_ONE_LINE(g, einsum("bij->bi", {sequence}));
  CHECK_ONE_LINE(g, diag(v));
  CHECK_ONE_LINE(g, trace(x));
  CHECK_ONE_LINE(g, tril(x));
  CHECK_ONE_LINE(g, layer_norm(x));
  CHECK_ONE_LINE(g, layer_norm(x, v, v));
  CHECK_ONE_LINE(g, group_norm(image, 2));
  CHECK_ONE_LINE(g, conv2d(image, kernel, {.padding = "same"}));
  CHECK_ONE_LINE(g, conv2d_transpose(image, transpose(kernel, {0, 1, 3, 2}), {.strides = 2}));
  CHECK_ONE_LINE(g, conv1d(sequence, g.constant(Tensor({3, 2, 4}))));
  CHECK_ONE_LINE(g, max_pool2d(image, 2));
  CHECK_ONE_LINE(g, average_pool2d(image, 2, {.count_padding = false}));
  CHECK_ONE_LINE(g, max_pool1d(sequence, 2));
  CHECK_ONE_LINE(g, average_pool1d(sequence, 2));
  CHECK_ONE_LINE(g, global_average_pool(image));
  CHECK_ONE_LINE(g, global_max_pool(image));
  CHECK_ONE_LINE(g, unfold(image, 2));
  CHECK_ONE_LINE(g, stack({x, y}, 1));
  CHECK_ONE_LINE(g, split(x, 4, 1));
  CHECK_ONE_LINE(g, chunk(x, 3, 1));
  CHECK_ONE_LINE(g, pad(x, {{1, 1}, {2, 2}}));
  CHECK_ONE_LINE(g, pad(x, 1, 2, 2, PadMode::reflect));
  CHECK_ONE_LINE(g, slice(x, 1, 0, {}, 2));
  CHECK_ONE_LINE(g, gather(x, labels, 1));
  CHECK_ONE_LINE(g, embedding(x, labels));
  CHECK_ONE_LINE(g, scatter_add(x, labels, x));
  CHECK_ONE_LINE(g, one_hot(labels, 4, f32));
  CHECK_ONE_LINE(g, roll(x, 2));
  CHECK_ONE_LINE(g, roll(x, {1, 2}, {0, 1}));
  CHECK_ONE_LINE(g, flip(x));
  CHECK_ONE_LINE(g, tile(x, {2, 2}));
  CHECK_ONE_LINE(g, repeat(x, 2, 1));
  CHECK_ONE_LINE(g, stretch(expand_dims(x, 0), 0, 3));
  CHECK_ONE_LINE(g, sum_to(x, {6}));
  CHECK_ONE_LINE(g, sort(x));
  CHECK_ONE_LINE(g, topk(x, 2));
  CHECK_ONE_LINE(g, polygamma(2, x));
  CHECK_ONE_LINE(g, cast(x, i64));
  CHECK_ONE_LINE(g, random_normal(g, {3}, f32));
  CHECK_ONE_LINE(g, random_truncated_normal(g, {3}, f32));
  CHECK_ONE_LINE(g, truncated_normal_like(x));
  CHECK_ONE_LINE(g, bernoulli(x));
  CHECK_ONE_LINE(g, dropout_mask(x, 0.3));
  CHECK_ONE_LINE(g, permutation(x));
  CHECK_ONE_LINE(g, arange(g, 0, 5));
  CHECK_ONE_LINE(g, linspace(g, 0, 1, 5));
  CHECK_ONE_LINE(g, eye(g, 3));
  CHECK_ONE_LINE(g, meshgrid({v, v}));
}

TEST_CASE("source location: an equal node keeps its first line, a rewound one has none") {
  Graph g;
  const Value x = g.input("x", {3});
  const NodeId mark = g.mark();
  const Value first = sin(x);
  CHECK(sin(x) == first);
  CHECK(g.location_of(first.id()) == at(__LINE__ - 2));
  g.rewind(mark);
  CHECK(g.location_of(mark).empty());
  CHECK(g.location_of(sin(x).id()) == at(__LINE__));
}

TEST_CASE("source location: a backward node has the line of its forward node") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value s = sin(x);
  const int sine = __LINE__ - 1;
  const Value y = sum(softmax(s) * s);
  const int rest = __LINE__ - 1;
  const NodeId mark = g.mark();
  const Value dy = gradients(y, x);
  CHECK(g.location_of(dy.id()) == at(sine));
  for (NodeId id = mark; id < g.size(); ++id) {
    const Node& node = g.node(id);
    if (node.origin < 0) continue;
    CAPTURE(g.describe(id));
    CHECK(g.location_of(id) == g.location_of(static_cast<NodeId>(node.origin)));
  }
  // The initial cotangent 1 of the reverse pass has the line of y.
  CHECK(lines_from(g, mark) == Lines{at(rest), at(sine)});

  const Value kept = remat(x, [](Value h) { return exp(tanh(h)); });
  CHECK(g.location_of(g.inputs(kept.id())[0]) == at(__LINE__ - 1));
  CHECK(g.location_of(kept.id()) == at(__LINE__ - 2));
  const NodeId remat_mark = g.mark();
  gradients(sum(kept), x);
  CHECK(lines_from(g, remat_mark) == Lines{at(__LINE__ - 1), at(__LINE__ - 5)});

  const Value custom = custom_gradient(
      "mine", {x}, [](const std::vector<Value>& in) { return in[0] * 3; },
      [](const std::vector<Value>&, Value, Value c) { return std::vector<Value>{-c}; });
  CHECK(g.location_of(custom.id()).starts_with("test_source_locations.cpp:"));
  CHECK(g.location_of(g.inputs(custom.id())[0]) == at(__LINE__ - 3));
}

TEST_CASE("source location: rebuild_in_f64 keeps the lines") {
  Graph g, rebuilt;
  const Value y = tanh(g.input("x", {3})) * 2;
  const Value z = rebuild_in_f64(rebuilt, {y}, {}).outputs[0];
  CHECK(rebuilt.location_of(z.id()) == g.location_of(y.id()));
  CHECK(lines_from(rebuilt, 0) == Lines{at(__LINE__ - 3)});
}

namespace {

struct Doubled : nn::Module {
  nn::Dense inner{4};
  Value operator()(Value x) { return inner(x) * 2; }
  static int line() { return __LINE__ - 1; }
};

}  // namespace

TEST_CASE("source location: nodes of a layer have the line of its constructor, or of the program's call") {
  Graph g({.training = true});
  // clang-format off
  const int first = __LINE__ + 2;
  const nn::Sequential net{
      nn::Dense(4, nn::relu),
      nn::BatchNorm({.momentum = 0.9}),
      nn::Add{nn::linear,
              nn::Dense(4)},
      nn::relu,
      [](Value x) { return -x; },
      Doubled(),
      nn::Dropout(0.5)};
  // clang-format on
  const Value y = net(g.input("x", {2, 3}));
  const auto line_of = [&](const std::string& scope) {
    std::vector<std::string> out;
    for (NodeId id = 0; id < g.size(); ++id) {
      if (g.scope_of(id) != scope) continue;
      if (std::find(out.begin(), out.end(), g.location_of(id)) == out.end()) out.push_back(g.location_of(id));
    }
    return out;
  };
  CHECK(line_of("dense") == Lines{at(first)});
  CHECK(line_of("batch_norm") == Lines{at(first + 1)});
  CHECK(line_of("add/dense") == Lines{at(first + 3)});
  CHECK(line_of("add").size() == 1);
  CHECK(line_of("doubled/dense") == Lines{at(Doubled::line())});
  CHECK(line_of("doubled") == Lines{at(Doubled::line())});
  CHECK(line_of("dropout") == Lines{at(first + 7)});
  CHECK(line_of("").size() == 3);  // the input, the activation, the function
  CHECK(g.location_of(y.id()) == at(first + 7));

  const nn::Dense dense(5);
  CHECK_ONE_LINE(g, dense(y));
  CHECK_ONE_LINE(g, nn::gelu(y));
  CHECK(nn::Activation(xgrad::relu) == nn::Activation(xgrad::relu));
  CHECK_FALSE(nn::Activation(xgrad::relu) == nn::Activation(xgrad::sigmoid));
}

TEST_CASE("source location: loss, metrics and updates of a model have the line of compile()") {
  nn::Model model{nn::Sequential{nn::Dense(3, nn::tanh), nn::Dense(1)}, {2}};
  const int made = __LINE__ - 1;
  const int compiled = __LINE__ + 1;
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{}, .metrics = {nn::mean_absolute_error}});
  const nn::ModelGraph graph = model.training_graph(4);
  const Graph& g = *graph.graph;
  CHECK(lines_from(g, 0) == Lines{at(made), at(compiled)});
  CHECK(g.location_of(graph.prediction.id()) == at(made));
  CHECK(g.location_of(graph.loss.id()) == at(compiled));
  for (const Update& update : graph.updates) CHECK(g.location_of(update.value.id()) == at(compiled));
  // A custom loss has its own lines.
  const nn::Loss custom{"mine", [](Value p, Value t) { return mean(abs(p - t)); }};
  const int own = __LINE__ - 1;
  model.compile({.loss = custom, .optimizer = nn::SGD{}});
  const nn::ModelGraph other = model.training_graph(4);
  CHECK(other.graph->location_of(other.loss.id()) == at(own));
}

TEST_CASE("source location: errors end with the line and the layer") {
  Graph g;
  const Value x = g.input("x", {2, 3});
  const std::string added = WHAT_OF(x + g.constant(Tensor::zeros({4})));
  CHECK(added ==
        "add: shapes do not broadcast: [2, 3] and [4] (axis -1: 3 against 4)\n"
        "  input 0: %0 input \"x\" f32[2, 3]\n"
        "  input 1: %1 constant f32[4]\n  at " +
            at(__LINE__ - 5));
  // clang-format off
  const nn::Sequential net{nn::Dense(4),
                           nn::Reshape({3})};
  const int reshape = __LINE__ - 1;
  // clang-format on
  const std::string in_layer = WHAT_OF(net(x));
  CHECK(tail_of(in_layer) == "  at " + at(reshape) + ", in layer \"reshape\"");
  CHECK(in_layer.find("in layer") == in_layer.rfind("in layer"));
  const nn::Dense dense(4, nn::linear, {.name = "hidden"});
  dense(x);
  {
    const auto scope = g.scope("deep");
    CHECK(tail_of(WHAT_OF(dense(g.input("z", {2, 5})))) == "  at " + at(__LINE__) + ", in layer \"deep/hidden\"");
  }
  CHECK(tail_of(WHAT_OF(nn::Dense(0))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(nn::Conv1D(4, 0))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(nn::Dropout(2))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(nn::BatchNorm({.momentum = 2}))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(nn::Add(std::vector<nn::AnyModule>{}))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(softmax(g.constant(1.0, i64)))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(clip(x, 2, 1))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(mse(x, sum(x)))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(matmul(x, Value()))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(relu(Value()))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(concat({}))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(concat({x, sum(x)}))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(einsum("ij,jk", {x, x}))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(g.input("x", {3}))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(g.constant(0.5, i64))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(random_uniform(g, {3}, f32, 2, 1))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(gradients(x, x))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(gradients(sum(floor(x)), x))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(jacobian(argmax(x), x))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF(apply("sine", {x}))) == "  at " + at(__LINE__));
  Graph other;
  CHECK(tail_of(WHAT_OF(x * other.input("y", {3}))) == "  at " + at(__LINE__));
  CHECK(tail_of(WHAT_OF((nn::Model{nn::Reshape({5}), {2}}))) == "  at " + at(__LINE__) + ", in layer \"reshape\"");
  // An invalid value found during a run throws with the line of the operation.
  const Value taken = gather(x, g.constant(Tensor::from<std::int64_t>({1}, {7})));
  const int gather_line = __LINE__ - 1;
  const Feeds feeds{{x, Tensor({2, 3})}};
  CHECK(tail_of(WHAT_OF(evaluate(taken, feeds))) == "  at " + at(gather_line));
  CHECK(tail_of(WHAT_OF(Plan({taken}).run(feeds))) == "  at " + at(gather_line));
  // An error without a graph has no line.
  CHECK(WHAT_OF(throw UserError("plain")) == "plain");
  CHECK(UserError("plain").where().empty());
}

TEST_CASE("source location: an invalid loss throws with the line of compile()") {
  nn::Model model{nn::Dense(3), {2}};
  const std::string what = WHAT_OF(
      model.compile({.loss = nn::sparse_categorical_crossentropy({.class_weights = {1, 2}}), .optimizer = nn::SGD{}}));
  CHECK(tail_of(what).starts_with("  at test_source_locations.cpp:"));
  CHECK(tail_of(what).ends_with(", in layer \"loss\""));
}

TEST_CASE("source location: files of this library and of the standard library are unknown") {
  CHECK(SourceLocation("/src/me/model.cpp", 7).str() == "model.cpp:7");
  CHECK(SourceLocation("C:\\me\\model.cpp", 7).str() == "model.cpp:7");
  CHECK(SourceLocation("model.cpp", 7).known());
  CHECK(SourceLocation("/src/xgrad/nn/model.cpp", 7).known());  // a user's folder
  CHECK_FALSE(SourceLocation().known());
  CHECK(SourceLocation().str().empty());
  CHECK_FALSE(SourceLocation("model.cpp", 0).known());
  CHECK_FALSE(SourceLocation("/usr/include/c++/12/bits/invoke.h", 61).known());
  CHECK_FALSE(SourceLocation("/opt/include/xgrad/nn/sequential.hpp", 27).known());
  CHECK_FALSE(SourceLocation("xgrad/ops/elementwise.hpp", 12).known());
  // A layer called through std::function has the line of its constructor.
  Graph g;
  const std::function<Value(Value)> function = nn::Dense(3);
  const Value y = function(g.input("x", {2, 2}));
  CHECK(g.location_of(y.id()) == at(__LINE__ - 2));
#ifdef __cpp_lib_source_location
  CHECK(SourceLocation(std::source_location::current()).str() == at(__LINE__));
#endif
}

TEST_CASE("source location: scopes are per thread") {
  const auto build = [](const char* file, std::uint32_t line) {
    for (int i = 0; i < 200; ++i) {
      Graph g;
      const Value x = g.input("x", {3}, SourceLocation(file, line));
      const SourceLocationScope guard = SourceLocationScope::instead(SourceLocation(file, line), x);
      softmax(x);
      for (NodeId id = 0; id < g.size(); ++id) REQUIRE(g.location_of(id) == SourceLocation(file, line).str());
      REQUIRE(WHAT_OF(x + g.constant(Tensor::zeros({4}))).ends_with("at " + SourceLocation(file, line).str()));
    }
  };
  std::thread other([&] { build("other.cpp", 1); });
  build("this.cpp", 2);
  other.join();
}
