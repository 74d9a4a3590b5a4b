// Error messages begin with the function that the program called, not with a function that it calls internally.
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

using namespace xgrad;

namespace {

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.message();
  }
  return "nothing was thrown";
}

}  // namespace

// For expressions that throw while the graph is built.
#define CHECK_NAMED(function, expression)                                     \
  do {                                                                        \
    CAPTURE(#expression);                                                     \
    const std::string message_here = message_of([&] { (void)(expression); }); \
    CHECK_MESSAGE(message_here.starts_with(function ": "), message_here);     \
  } while (false)

TEST_CASE("function names: errors while building a graph begin with the function that was called") {
  Graph g;
  const Value x = g.input("x", {2, 3}), v = g.input("v", {3}), n = g.input("n", {2}, i64), s = g.constant(1.0);
  const Value image = g.input("image", {1, 4, 4, 2}), sequence = g.input("sequence", {1, 4, 2});
  const Value yes = g.input("yes", {2, 3}, boolean), other = g.input("other", {5});
  const Value labels = g.input("labels", {2}, i64), whole = g.input("whole", {2, 3}, i64);

  // empty Values
  const Value none;
  CHECK_NAMED("isinf", isinf(none));
  CHECK_NAMED("isfinite", isfinite(none));
  CHECK_NAMED("zeros_like", zeros_like(none));
  CHECK_NAMED("stack", stack({none, x}));
  CHECK_NAMED("stack", stack({x, none}));
  CHECK_NAMED("meshgrid", meshgrid({none}));

  // activations
  CHECK_NAMED("hardsigmoid", hardsigmoid(yes));
  CHECK_NAMED("logsigmoid", logsigmoid(whole));
  CHECK_NAMED("softplus", softplus(whole));
  CHECK_NAMED("softplus", softplus(x, 0));
  CHECK_NAMED("softsign", softsign(yes));
  CHECK_NAMED("silu", silu(whole));
  CHECK_NAMED("gelu", gelu(whole));
  CHECK_NAMED("gelu_tanh", gelu_tanh(whole));
  CHECK_NAMED("hardswish", hardswish(yes));
  CHECK_NAMED("mish", mish(whole));
  CHECK_NAMED("relu6", relu6(yes));
  CHECK_NAMED("leaky_relu", leaky_relu(yes));
  CHECK_NAMED("prelu", prelu(x, other));
  CHECK_NAMED("elu", elu(whole));
  CHECK_NAMED("selu", selu(whole));

  // elementwise
  CHECK_NAMED("clip", clip(x, 2, 1));
  CHECK_NAMED("clip", clip(x, other, other));
  CHECK_NAMED("lerp", lerp(x, other, x));
  CHECK_NAMED("lerp", lerp(x, other, 0.5));
  CHECK_NAMED("reciprocal", reciprocal(yes));
  CHECK_NAMED("masked_fill", masked_fill(x, other, 0));
  CHECK_NAMED("masked_fill", masked_fill(x, x, 0));
  CHECK_NAMED("polygamma", polygamma(-1, x));

  // linear algebra
  CHECK_NAMED("matmul", matmul(v, other));
  CHECK_NAMED("matmul", matmul(x, other));
  CHECK_NAMED("matmul", matmul(other, x));
  CHECK_NAMED("matmul", matmul(s, x));
  CHECK_NAMED("matmul", matmul(v, v, true));
  CHECK_NAMED("dot", dot(v, other));
  CHECK_NAMED("dot", dot(x, x));
  CHECK_NAMED("outer", outer(x, v));
  CHECK_NAMED("outer", outer(v, n));
  CHECK_NAMED("diagonal", diagonal(v));
  CHECK_NAMED("diag", diag(s));
  CHECK_NAMED("trace", trace(v));
  CHECK_NAMED("tril", tril(v));
  CHECK_NAMED("triu", triu(v));

  // losses
  CHECK_NAMED("mse", mse(x, v));
  CHECK_NAMED("mse", mse(whole, whole));
  CHECK_NAMED("mae", mae(x, whole));
  CHECK_NAMED("huber", huber(x, v));
  CHECK_NAMED("huber", huber(x, x, -1));
  CHECK_NAMED("smooth_l1", smooth_l1(x, v));
  CHECK_NAMED("smooth_l1", smooth_l1(x, x, -1));
  CHECK_NAMED("log_cosh", log_cosh(whole, whole));
  CHECK_NAMED("binary_crossentropy", binary_crossentropy(x, v));
  CHECK_NAMED("binary_crossentropy_from_logits", binary_crossentropy_from_logits(x, v));
  CHECK_NAMED("hinge", hinge(x, v));
  CHECK_NAMED("label_weights", label_weights(x, f32, {.class_weights = v}));
  CHECK_NAMED("label_weights", label_weights(labels, f32, {.class_weights = s}));
  CHECK_NAMED("categorical_crossentropy", categorical_crossentropy(x, v));
  CHECK_NAMED("categorical_crossentropy_from_logits", categorical_crossentropy_from_logits(x, v));
  CHECK_NAMED("sparse_categorical_crossentropy", sparse_categorical_crossentropy(x, v));
  CHECK_NAMED("sparse_categorical_crossentropy_from_logits", sparse_categorical_crossentropy_from_logits(x, v));
  CHECK_NAMED("nll", nll(x, labels, {.class_weights = other}));
  CHECK_NAMED("kl_divergence", kl_divergence(x, v));
  CHECK_NAMED("cosine_similarity", cosine_similarity(x, v, 5));
  CHECK_NAMED("cosine_embedding", cosine_embedding(x, v, v));
  CHECK_NAMED("cosine_embedding", cosine_embedding(x, x, other));
  CHECK_NAMED("triplet_margin", triplet_margin(x, x, v));

  // joining, slicing, indexing
  CHECK_NAMED("stack", stack({x, v}));
  CHECK_NAMED("stack", stack({x, x}, 7));
  CHECK_NAMED("stack", stack({x, whole}));
  CHECK_NAMED("stack", stack({}));
  CHECK_NAMED("concat", concat({x, v}));
  CHECK_NAMED("split", split(x, 2, 7));
  CHECK_NAMED("split", split(x, std::vector<Index>{1, 7}));
  CHECK_NAMED("split", split(x, 0));
  CHECK_NAMED("chunk", chunk(x, 0));
  CHECK_NAMED("chunk", chunk(x, 2, 7));
  CHECK_NAMED("slice", slice(x, 7, 0));
  CHECK_NAMED("pad", pad(x, 7, 1, 1));
  CHECK_NAMED("pad", pad(x, std::vector<PadWidth>{{1, 1}}));
  CHECK_NAMED("pad", pad(x, std::vector<PadWidth>{{-9, 1}, {0, 0}}));
  CHECK_NAMED("index_select", index_select(x, n, 7));
  CHECK_NAMED("index_select", index_select(x, x));
  CHECK_NAMED("index_select", index_select(x, v));
  CHECK_NAMED("embedding", embedding(v, n));
  CHECK_NAMED("embedding", embedding(x, v));
  CHECK_NAMED("scatter_add", scatter_add(x, n, v));
  CHECK_NAMED("take_along_axis", take_along_axis(x, n, 7));
  CHECK_NAMED("scatter_add_along_axis", scatter_add_along_axis(x, n, v, 7));
  CHECK_NAMED("scatter_add_along_axis", scatter_add_along_axis(x, n, v, 0));

  // random
  CHECK_NAMED("uniform_like", uniform_like(x, 2, 1));
  CHECK_NAMED("uniform_like", uniform_like(yes));
  CHECK_NAMED("normal_like", normal_like(x, 0, -1));
  CHECK_NAMED("random_truncated_normal", random_truncated_normal(g, {2}, f32, 0, -1));
  CHECK_NAMED("random_truncated_normal", random_truncated_normal(g, {2}, i64));
  CHECK_NAMED("truncated_normal_like", truncated_normal_like(x, 0, -1));
  CHECK_NAMED("truncated_normal_like", truncated_normal_like(x, 0, 1, 8, 9));
  CHECK_NAMED("truncated_normal_like", truncated_normal_like(whole));
  CHECK_NAMED("bernoulli_like", bernoulli_like(x, 2));
  CHECK_NAMED("bernoulli", bernoulli(whole));
  CHECK_NAMED("dropout_mask", dropout_mask(x, 2));
  CHECK_NAMED("dropout_mask", dropout_mask(whole, 0.5));
  CHECK_NAMED("permutation", permutation(x, 7));
  CHECK_NAMED("random_permutation", random_permutation(g, -1));

  // reductions
  CHECK_NAMED("count", count(x, {7}));
  CHECK_NAMED("var", var(whole));
  CHECK_NAMED("var", var(x, {7}));
  CHECK_NAMED("stddev", stddev(whole));
  CHECK_NAMED("stddev", stddev(x, {0, 0}));
  CHECK_NAMED("norm", norm(whole));
  CHECK_NAMED("norm", norm(x, 2, {7}));
  CHECK_NAMED("norm", norm(x, 1, {7}));
  CHECK_NAMED("norm", norm(x, 3, {7}));
  CHECK_NAMED("logsumexp", logsumexp(whole));
  CHECK_NAMED("logsumexp", logsumexp(x, {7}));
  CHECK_NAMED("softmax", softmax(whole));
  CHECK_NAMED("softmax", softmax(x, 7));
  CHECK_NAMED("softmax", softmax(s));
  CHECK_NAMED("log_softmax", log_softmax(x, 7));
  CHECK_NAMED("log_softmax", log_softmax(s));
  CHECK_NAMED("cumsum", cumsum(x, 7));
  CHECK_NAMED("linear_scan", linear_scan(x, x, 7));
  CHECK_NAMED("argmin", argmin(x, 7));

  // shapes
  CHECK_NAMED("roll", roll(x, 1, 7));
  CHECK_NAMED("flip", flip(x, {7}));
  CHECK_NAMED("tile", tile(x, {-1, 1}));
  CHECK_NAMED("repeat", repeat(x, -1, 0));
  CHECK_NAMED("repeat", repeat(x, 2, 7));
  CHECK_NAMED("expand", expand(x, {5, 5}));
  CHECK_NAMED("broadcast_to", broadcast_to(x, {5, 5}));
  CHECK_NAMED("broadcast_like", broadcast_like(x, other));
  CHECK_NAMED("sum_to", sum_to(x, {5}));
  CHECK_NAMED("sum_like", sum_like(x, other));
  CHECK_NAMED("reshape_like", reshape_like(x, other));
  CHECK_NAMED("stretch", stretch(x, 0, 2));
  CHECK_NAMED("sort", sort(s));
  CHECK_NAMED("sort", sort(x, 7));
  CHECK_NAMED("argsort", argsort(x, 7));
  CHECK_NAMED("topk", topk(x, 9));
  CHECK_NAMED("topk", topk(x, 1, 7));
  CHECK_NAMED("meshgrid", meshgrid({x}));
  CHECK_NAMED("eye", eye(g, -1));
  CHECK_NAMED("linspace", linspace(g, 0, 1, -1));

  // windows
  CHECK_NAMED("conv2d", conv2d(image, x));
  CHECK_NAMED("conv1d", conv1d(sequence, x));
  CHECK_NAMED("conv1d", conv1d(sequence, g.constant(Tensor({9, 2, 1}))));
  CHECK_NAMED("conv1d", conv1d(sequence, g.constant(Tensor({3, 2, 1})), {.stride = 0}));
  CHECK_NAMED("conv2d_transpose", conv2d_transpose(image, x));
  CHECK_NAMED("conv1d_transpose", conv1d_transpose(sequence, x));
  CHECK_NAMED("conv1d_transpose", conv1d_transpose(sequence, g.constant(Tensor({3, 1, 2})), {}, 5));
  CHECK_NAMED("max_pool2d", max_pool2d(sequence, 2));
  CHECK_NAMED("max_pool2d", max_pool2d(image, 9));
  CHECK_NAMED("max_pool2d", max_pool2d(image, 2, {.strides = 0}));
  CHECK_NAMED("max_pool1d", max_pool1d(sequence, 9));
  CHECK_NAMED("max_pool1d", max_pool1d(sequence, 2, {.stride = 0}));
  CHECK_NAMED("average_pool2d", average_pool2d(image, 9));
  CHECK_NAMED("average_pool2d", average_pool2d(cast(image, i64), 2));
  CHECK_NAMED("average_pool1d", average_pool1d(sequence, 9));
  CHECK_NAMED("average_pool1d", average_pool1d(cast(sequence, i64), 2));
  CHECK_NAMED("global_max_pool", global_max_pool(x));
  CHECK_NAMED("global_average_pool", global_average_pool(cast(image, i64)));
  CHECK_NAMED("unfold", unfold(image, 9));
  CHECK_NAMED("layer_norm", layer_norm(x, {7}));
  CHECK_NAMED("layer_norm", layer_norm(whole));
  CHECK_NAMED("layer_norm", layer_norm(x, {-1}, -1));
  CHECK_NAMED("layer_norm", layer_norm(x, v, other));
  CHECK_NAMED("group_norm", group_norm(x, 2));
  CHECK_NAMED("group_norm", group_norm(whole, 1));
}

TEST_CASE("function names: errors while running begin with the function that was called") {
  Graph g;
  const Value x = g.input("x", {2, 3}), v = g.input("v", {3}), one = g.input("one", {1}),
              wide = g.input("wide", {1, 3});
  const Value nine = g.constant(Tensor::from<std::int64_t>({1}, {9}));
  const Value nines = g.constant(Tensor::from<std::int64_t>({2}, {9, 9}));
  const Value row = g.constant(Tensor::from<std::int64_t>({1, 3}, {9, 9, 9}));
  const Feeds feeds{{x, Tensor({2, 3})}, {v, Tensor::zeros({3})}, {one, Tensor::zeros({1})}, {wide, Tensor({1, 3})}};
  const auto check = [&](const std::string& function, Value y) {
    CAPTURE(function);
    const auto check_message = [&](const std::function<void()>& run) {
      const std::string message = message_of(run);
      CHECK_MESSAGE(message.starts_with(function + ": "), message);
    };
    check_message([&] { (void)evaluate(y, feeds); });
    check_message([&] { (void)Plan({y}).run(feeds); });
  };
  check("gather", gather(x, nine));
  check("index_select", index_select(x, nine));
  check("embedding", embedding(x, nine));
  check("scatter_add", scatter_add(x, nine, wide));
  check("take_along_axis", take_along_axis(x, row, 0));
  check("scatter_add_along_axis", scatter_add_along_axis(x, row, wide, 0));
  check("one_hot", one_hot(nine, 3, f32));
  check("sparse_categorical_crossentropy", sparse_categorical_crossentropy(x, nines));
  check("sparse_categorical_crossentropy_from_logits", sparse_categorical_crossentropy_from_logits(x, nines));
  check("nll", nll(x, nines));
  check("label_weights", label_weights(nines, f32, {.class_weights = v}));
  // Errors of a derivative name the differentiated function.
  check("embedding", gradients(sum(embedding(x, nine)), x));
  check("nll", gradients(nll(x, nines), x));
}
