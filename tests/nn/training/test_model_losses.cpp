// The losses of models: options, ignored labels, and reported values that do not depend on the batch size.
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <unistd.h>

#include <xgrad/xgrad.hpp>

#include "support/scratch.hpp"

using namespace xgrad;

namespace {

double value_of(const nn::Loss& loss, const Tensor& p, const Tensor& t) {
  Graph g({.dtype = f64});
  return evaluate(loss.apply(g.constant(p), g.constant(t))).item();
}

const Tensor p = Tensor::from<double>({2, 3}, {0.7, 0.2, 0.1, 0.25, 0.25, 0.5});
const Tensor classes = Tensor::from<std::int64_t>({2}, {0, 1});
const Tensor hot = Tensor::from<double>({2, 3}, {1, 0, 0, 0, 1, 0});

constexpr auto silent = nn::Verbose::silent;

// log(1 + e^x): the cross-entropy of logits (0, x) with class 0.
double softplus_of(double x) { return std::log1p(std::exp(x)); }

// A model that outputs its input. With x = `logits` the loss of each row follows from its label.
nn::Model mirror(nn::Loss loss, std::vector<nn::Metric> metrics = {}) {
  nn::Model model{nn::linear, {2}, {.dtype = f64}};
  model.compile({.loss = std::move(loss), .optimizer = nn::SGD{}, .metrics = std::move(metrics)});
  return model;
}
const Tensor logits = Tensor::from<double>({3, 2}, {1, 0, 0, 1, 2, 0});

// Checks the loss of evaluate, fit, validation and callbacks, at every batch size, and of train_on_batch.
void check_loss(nn::Model& model, const nn::Dataset& data, double expected) {
  for (const int batch : {1, 2, 3, 100}) {
    CAPTURE(batch);
    CHECK(model.evaluate(data, {.batch_size = batch})["loss"] == doctest::Approx(expected).epsilon(1e-12));
    double in_batches = -1, in_epoch = -1;
    const nn::LambdaCallback record{.on_batch_end = [&](nn::Training& t) { in_batches = t.logs()["loss"]; },
                                    .on_epoch_end = [&](nn::Training& t) { in_epoch = t.logs()["loss"]; }};
    const nn::History h =
        model.fit(data, {.batch_size = batch, .validation = data, .verbose = silent, .callbacks = {record}});
    for (const double reported : {h["loss"][0], h["val_loss"][0], in_batches, in_epoch})
      CHECK(reported == doctest::Approx(expected).epsilon(1e-12));
  }
  CHECK(model.train_on_batch(data)["loss"] == doctest::Approx(expected).epsilon(1e-12));
}

nn::NamedTensors state_of(const nn::Model& model) {
  const scratch::ScratchFolder folder;
  model.save(folder / "model.safetensors");
  return nn::load_safetensors(folder / "model.safetensors").tensors;
}

// The output of f on stdout.
template <class F>
std::string printed(F f) {
  std::fflush(stdout);
  const int screen = ::dup(STDOUT_FILENO);
  std::FILE* file = std::tmpfile();
  REQUIRE(::dup2(::fileno(file), STDOUT_FILENO) == STDOUT_FILENO);
  f();
  std::fflush(stdout);
  ::dup2(screen, STDOUT_FILENO);
  ::close(screen);
  std::string out(static_cast<std::size_t>(::lseek(::fileno(file), 0, SEEK_END)), '\0');
  CHECK(::pread(::fileno(file), out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()));
  std::fclose(file);
  return out;
}

bool same(const nn::NamedTensors& a, const nn::NamedTensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && bitwise_equal(x.second, y.second);
  });
}

}  // namespace

TEST_CASE("loss: regression, known values") {
  const Tensor a = Tensor::from<double>({2, 1}, {1, 4}), b = Tensor::from<double>({2, 1}, {1.5, 1});
  CHECK(value_of(nn::mean_squared_error, a, b) == 4.625);
  CHECK(value_of(nn::mean_absolute_error, a, b) == 1.75);
  CHECK(value_of(nn::huber, a, b) == doctest::Approx((0.125 + 2.5) / 2));
  CHECK(value_of(nn::huber({.delta = 2}), a, b) == doctest::Approx((0.125 + 4) / 2));
  CHECK(value_of(nn::smooth_l1({.beta = 2}), a, b) == doctest::Approx((0.0625 + 2) / 2));
  CHECK(value_of(nn::log_cosh, a, b) == doctest::Approx((std::log(std::cosh(0.5)) + std::log(std::cosh(3))) / 2));
}

TEST_CASE("loss: binary, known values") {
  const Tensor q = Tensor::from<double>({2, 1}, {0.8, 0.3}), t = Tensor::from<double>({2, 1}, {1, 0});
  CHECK(value_of(nn::binary_crossentropy, q, t) == doctest::Approx(-(std::log(0.8) + std::log(0.7)) / 2));
  CHECK(value_of(nn::binary_crossentropy({.positive_weight = 3}), q, t) ==
        doctest::Approx(-(3 * std::log(0.8) + std::log(0.7)) / 2));
  CHECK(value_of(nn::binary_crossentropy({.label_smoothing = 0.2}), q, t) ==
        doctest::Approx(-(0.9 * std::log(0.8) + 0.1 * std::log(0.2) + 0.1 * std::log(0.3) + 0.9 * std::log(0.7)) / 2));
  const Tensor z = Tensor::from<double>({2, 1}, {std::log(4), std::log(3.0 / 7)});
  CHECK(value_of(nn::binary_crossentropy_from_logits, z, t) ==
        doctest::Approx(value_of(nn::binary_crossentropy, q, t)));
  CHECK(value_of(nn::hinge, q, Tensor::from<double>({2, 1}, {1, -1})) == doctest::Approx((0.2 + 1.3) / 2));
}

TEST_CASE("loss: categorical, with label smoothing, class weights and ignored labels") {
  const double first = -std::log(0.7), second = -std::log(0.25);
  CHECK(value_of(nn::categorical_crossentropy, p, hot) == doctest::Approx((first + second) / 2));
  CHECK(value_of(nn::sparse_categorical_crossentropy, p, classes) == doctest::Approx((first + second) / 2));
  const double smooth_1 = -(0.8 * std::log(0.7) + 0.1 * std::log(0.2) + 0.1 * std::log(0.1));
  const double smooth_2 = -(0.1 * std::log(0.25) + 0.8 * std::log(0.25) + 0.1 * std::log(0.5));
  CHECK(value_of(nn::categorical_crossentropy({.label_smoothing = 0.3}), p, hot) ==
        doctest::Approx((smooth_1 + smooth_2) / 2));
  const ClassOptions weighted{.class_weights = {3, 1, 0}};
  CHECK(value_of(nn::categorical_crossentropy(weighted), p, hot) == doctest::Approx((3 * first + second) / 2));
  CHECK(value_of(nn::sparse_categorical_crossentropy(weighted), p, classes) ==
        doctest::Approx((3 * first + second) / 4));
  const ClassOptions ignoring{.ignored_label = -1};
  const Tensor some = Tensor::from<std::int64_t>({2}, {-1, 1});
  CHECK(value_of(nn::sparse_categorical_crossentropy(ignoring), p, some) == doctest::Approx(second));
  Tensor logs = p.clone();
  for (double& x : logs.mutable_values<double>()) x = std::log(x);
  CHECK(value_of(nn::nll, logs, classes) == doctest::Approx((first + second) / 2));
  CHECK(value_of(nn::sparse_categorical_crossentropy_from_logits, logs, classes) ==
        doctest::Approx((first + second) / 2));
  CHECK(value_of(nn::categorical_crossentropy_from_logits(weighted), logs, hot) ==
        doctest::Approx((3 * first + second) / 2));
  CHECK(value_of(nn::kl_divergence, logs, p) == doctest::Approx(0).epsilon(1e-12));
  CHECK(value_of(nn::kl_divergence, logs, hot) == doctest::Approx((first + second) / 2));
  CHECK_THROWS_WITH_AS(nn::categorical_crossentropy(ignoring),
                       doctest::Contains("categorical_crossentropy: ignored_label requires a loss with class indices"),
                       UserError);
}

TEST_CASE("loss: cosine similarity is -1 for rows of equal direction") {
  const Tensor a = Tensor::from<double>({2, 2}, {1, 1, 1, 0}), b = Tensor::from<double>({2, 2}, {3, 3, 0, 2});
  CHECK(value_of(nn::cosine_similarity, a, b) == doctest::Approx(-0.5));
}

TEST_CASE("loss: an ignored label is skipped, other invalid labels throw") {
  nn::Model model{nn::Dense(3, nn::softmax), {2}, {.dtype = f64}};
  const nn::Loss loss = nn::sparse_categorical_crossentropy({.ignored_label = -1});
  model.compile({.loss = loss, .optimizer = nn::SGD{.learning_rate = 0.1}});
  const Tensor x = Tensor::from<double>({3, 2}, {1, 2, 3, 4, 5, 6});
  const nn::Dataset all{x, Tensor::from<std::int64_t>({3}, {2, -1, 0})};
  const nn::Dataset kept{Tensor::from<double>({2, 2}, {1, 2, 5, 6}), Tensor::from<std::int64_t>({2}, {2, 0})};
  CHECK(model.evaluate(all)["loss"] == doctest::Approx(model.evaluate(kept)["loss"]).epsilon(1e-12));
  CHECK_NOTHROW(model.fit(all, {.verbose = nn::Verbose::silent}));
  CHECK_THROWS_WITH_AS(model.evaluate({x, Tensor::from<std::int64_t>({3}, {2, -2, 0})}),
                       doctest::Contains("class index -2 in row 1 of y is not in [0, 3)"), ValueError);
}

TEST_CASE("loss: options out of range throw in compile()") {
  nn::Model model{nn::Dense(3, nn::softmax), {2}};
  const auto compile = [&](const nn::Loss& loss) { model.compile({.loss = loss, .optimizer = nn::SGD{}}); };
  CHECK_THROWS_WITH_AS(compile(nn::huber({.delta = -1})),
                       doctest::Contains("huber: delta must be finite and positive, got -1"), UserError);
  CHECK_THROWS_AS(compile(nn::categorical_crossentropy({.label_smoothing = 2})), UserError);
  CHECK_THROWS_AS(compile(nn::categorical_crossentropy({.class_weights = {1, 2}})), ShapeError);
}

TEST_CASE("loss: with an ignored label, the mean over the other rows, at any batch size") {
  nn::Model model = mirror(nn::sparse_categorical_crossentropy_from_logits({.ignored_label = -1}));
  const Tensor y = Tensor::from<std::int64_t>({3}, {0, -1, 1});
  const double first = softplus_of(-1), third = softplus_of(2);
  CHECK((first + third) / 2 == doctest::Approx(1.2201).epsilon(1e-4));
  check_loss(model, {logits, y}, (first + third) / 2);
  check_loss(model, {logits, y, Tensor::full({3}, 1)}, (first + third) / 2);
  check_loss(model, {logits, y, Tensor::from<double>({3}, {3, 5, 1})}, (3 * first + third) / 4);
}

TEST_CASE("loss: with class weights, the weighted mean, at any batch size") {
  const Tensor y = Tensor::from<std::int64_t>({3}, {0, 0, 1});
  const double first = softplus_of(-1), second = softplus_of(1), third = softplus_of(2);
  for (const bool ignoring : {false, true}) {
    ClassOptions options{.class_weights = {1, 10}};
    if (ignoring) options.ignored_label = 7;
    nn::Model model = mirror(nn::sparse_categorical_crossentropy_from_logits(options));
    check_loss(model, {logits, y}, (first + second + 10 * third) / 12);
    check_loss(model, {logits, y, Tensor::full({3}, 1)}, (first + second + 10 * third) / 12);
    check_loss(model, {logits, y, Tensor::from<double>({3}, {0.5, 2, 1})},
               (0.5 * first + 2 * second + 10 * third) / 12.5);
  }
  // With soft targets the mean is over rows, as in PyTorch.
  nn::Model soft = mirror(nn::categorical_crossentropy_from_logits({.class_weights = {1, 10}}));
  check_loss(soft, {logits, nn::one_hot(y, 2)}, (first + second + 10 * third) / 3);
}

TEST_CASE("loss: each label of a sequence counts separately, with the weight of its row") {
  nn::Model model{nn::linear, {2, 2}, {.dtype = f64}};
  model.compile(
      {.loss = nn::sparse_categorical_crossentropy_from_logits({.ignored_label = -100}), .optimizer = nn::SGD{}});
  const Tensor x = Tensor::from<double>({3, 2, 2}, {1, 0, 0, 1, 2, 0, 0, 0, 3, 0, 0, 0});
  const Tensor y = Tensor::from<std::int64_t>({3, 2}, {0, 1, 1, -100, -100, -100});
  const double a = softplus_of(-1), b = softplus_of(2);
  check_loss(model, {x, y}, (2 * a + b) / 3);
  check_loss(model, {x, y, Tensor::from<double>({3}, {1, 4, 9})}, (2 * a + 4 * b) / 6);
}

TEST_CASE("loss: penalties are added to the mean, at any batch size") {
  nn::Dense layer(2, nn::linear,
                  {.kernel_initializer = nn::identity(1),
                   .kernel_regularizer = nn::l2(0.5),
                   .activity_regularizer = nn::l1(0.25),
                   .use_bias = false});
  nn::Model model{layer, {2}, {.dtype = f64}};
  model.compile({.loss = nn::sparse_categorical_crossentropy_from_logits({.ignored_label = -1}),
                 .optimizer = nn::SGD{.learning_rate = 0}});
  const Tensor y = Tensor::from<std::int64_t>({3}, {0, -1, 1});
  const double penalties = 0.5 * 2 + 0.25 * (1 + 1 + 2) / 3;
  check_loss(model, {logits, y}, (softplus_of(-1) + softplus_of(2)) / 2 + penalties);
  check_loss(model, {logits, y, Tensor::from<double>({3}, {3, 5, 1})},
             (3 * softplus_of(-1) + softplus_of(2)) / 4 + penalties);
}

TEST_CASE("loss: custom loss with `each`, with `weight`, or with only an ignored label") {
  const auto each = [](Value prediction, Value t) { return square(prediction - t); };
  const Tensor y = Tensor::from<double>({3, 2}, {0, 0, 0, 0, 0, 1});
  nn::Model with_each = mirror({"mine", [=](Value prediction, Value t) { return mean(each(prediction, t)); },
                                nn::Target::like_prediction, each});
  check_loss(with_each, {logits, y}, (1 + 1 + 5) / 6.0);
  check_loss(with_each, {logits, y, Tensor::from<double>({3}, {1, 0, 3})}, (1 + 3 * 5) / 8.0);
  // Errors at targets of 0 have weight 2.
  const auto weight = [](Value, Value t) { return 2 - t; };
  nn::Model with_weight =
      mirror({.name = "mine",
              .apply = [=](Value prediction, Value t) { return mean(each(prediction, t)); },
              .each = [=](Value prediction, Value t) { return each(prediction, t) * weight(prediction, t); },
              .weight = weight});
  check_loss(with_weight, {logits, y}, (2 + 2 + 8 + 1) / 11.0);
  check_loss(with_weight, {logits, y, Tensor::from<double>({3}, {1, 0, 3})}, (2 + 3 * 9) / 13.0);
  // The loss is 0 / 0 for a batch in which all labels are ignored; this NaN must not propagate.
  const auto over_counts = [](Value prediction, Value t) {
    const Value counts = cast(not_equal(t, -1), f64);
    return sum(counts * (logsumexp(prediction, {-1}) - squeeze(slice(prediction, -1, 1), {-1}))) / sum(counts);
  };
  nn::Model scalar =
      mirror({.name = "mine", .apply = over_counts, .target = nn::Target::class_index, .ignored_label = -1});
  check_loss(scalar, {logits, Tensor::from<std::int64_t>({3}, {1, -1, 1})}, (softplus_of(1) + softplus_of(2)) / 2);
}

TEST_CASE("loss: a batch without counted rows leaves model and optimizer unchanged") {
  const nn::Dataset good{logits, Tensor::from<std::int64_t>({3}, {0, 1, 1})};
  const nn::Dataset ignored{logits, Tensor::from<std::int64_t>({3}, {-1, -1, -1})};
  const nn::Dataset zero_weights{logits, good.y, Tensor::zeros({3})};
  const nn::Dataset unweighted_class{logits, Tensor::from<std::int64_t>({3}, {2, 2, 2})};
  const nn::Optimizer optimizers[] = {
      nn::SGD{.momentum = 0.9},
      {nn::Adam{.learning_rate = nn::exponential_decay(0.1, 2, 0.5)}, {.global_clip_norm = 1, .ema_momentum = 0.5}},
      {nn::AdamW{}, {.accumulate = 2}}};
  for (const nn::Optimizer& optimizer : optimizers) {
    nn::Model model{
        nn::Sequential{nn::Dense(4, nn::relu, {.kernel_regularizer = nn::l2(0.1)}), nn::BatchNorm(), nn::Dense(3)},
        {2}};
    model.compile(
        {.loss = nn::sparse_categorical_crossentropy_from_logits({.class_weights = {1, 2, 0}, .ignored_label = -1}),
         .optimizer = optimizer,
         .metrics = {nn::accuracy}});
    for (int i = 0; i < 3; ++i) model.train_on_batch(good);
    nn::NamedTensors before = state_of(model);
    for (const nn::Dataset& uncounted : {ignored, zero_weights, unweighted_class}) {
      const nn::Logs logs = model.train_on_batch(uncounted);
      CHECK(std::isfinite(logs["loss"]));
      CHECK(same(before, state_of(model)));
    }
    model.train_on_batch(good);
    CHECK_FALSE(same(before, state_of(model)));
  }
}

TEST_CASE("loss: a batch without counted rows does not affect the other batches") {
  Tensor x({6, 2}, f64);
  for (Index i = 0; i < 12; ++i)
    x.mutable_values<double>()[static_cast<std::size_t>(i)] = 0.1 * static_cast<double>(i % 5);
  const Tensor y = Tensor::from<std::int64_t>({6}, {0, 1, -1, -1, 1, 0});
  const std::vector<Index> kept{0, 1, 4, 5};
  const auto fit = [](const nn::Dataset& data) {
    nn::Model model{nn::Sequential{nn::Dense(3), nn::BatchNorm(), nn::Dense(2, nn::softmax)}, {2}, {.dtype = f64}};
    model.compile({.loss = nn::sparse_categorical_crossentropy({.ignored_label = -1}),
                   .optimizer = nn::Adam{},
                   .metrics = {nn::accuracy}});
    const nn::History h =
        model.fit(data, {.batch_size = 2,
                         .epochs = 3,
                         .shuffle = false,
                         .verbose = silent,
                         .callbacks = {nn::TerminateOnNaN{}, nn::EarlyStopping{.monitor = "loss", .patience = 1}},
                         .check_finite = true});
    CHECK_FALSE(h.stopped());
    return std::pair{h, state_of(model)};
  };
  const nn::Dataset all{x, y};
  const auto with = fit(all), without = fit(all.select(kept));
  for (const char* name : {"loss", "accuracy"}) CHECK(with.first[name] == without.first[name]);
  CHECK(same(with.second, without.second));
}

TEST_CASE("loss: without counted rows, loss and metrics are 0") {
  nn::Model model = mirror(nn::sparse_categorical_crossentropy_from_logits({.ignored_label = -1}), {nn::accuracy});
  const nn::Dataset ignored{logits, Tensor::from<std::int64_t>({3}, {-1, -1, -1})};
  for (const int batch : {1, 3}) {
    const nn::Logs scores = model.evaluate(ignored, {.batch_size = batch});
    CHECK(scores["loss"] == 0);
    CHECK(scores["accuracy"] == 0);
  }
  const nn::History h =
      model.fit(ignored, {.epochs = 2, .validation = ignored, .verbose = silent, .check_finite = true});
  for (const char* name : {"loss", "accuracy", "val_loss"}) CHECK(h[name] == std::vector<double>{0, 0});
  nn::Model numbers = mirror(nn::mean_squared_error, {nn::r2, nn::root_mean_squared_error, nn::auc()});
  const nn::Logs scores = numbers.evaluate({logits, logits, Tensor::zeros({3})});
  for (const auto& [name, value] : scores.entries()) CHECK(value == 0);
}

TEST_CASE("loss: without counted rows, fit warns in one line, in the first epoch only") {
  nn::Model model = mirror(nn::sparse_categorical_crossentropy_from_logits({.ignored_label = -1}));
  const nn::Dataset good{logits, Tensor::from<std::int64_t>({3}, {-1, 1, -1})};
  const nn::Dataset ignored{logits, Tensor::from<std::int64_t>({3}, {-1, -1, -1})};
  const nn::Dataset zero_weights{logits, good.y, Tensor::zeros({3})};
  const auto warnings = [&](const nn::Dataset& data, const nn::Dataset& validation, nn::Verbose verbose) {
    const std::string output =
        printed([&] { model.fit(data, {.batch_size = 1, .epochs = 3, .validation = validation, .verbose = verbose}); });
    std::vector<std::string> out;
    for (std::size_t begin = 0, end; (end = output.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string line = output.substr(begin, end - begin);
      if (!line.starts_with("Epoch ")) out.push_back(line);
    }
    return out;
  };
  const auto of = [](const std::string& data) {
    return "fit: the total weight of the " + data +
           " data is 0, since all rows have weight 0 or ignored labels: loss and metrics are 0";
  };
  using Lines = std::vector<std::string>;
  CHECK(warnings(good, good, nn::Verbose::lines) == Lines{});
  CHECK(warnings(ignored, {}, nn::Verbose::lines) == Lines{of("training")});
  CHECK(warnings(zero_weights, {}, nn::Verbose::lines) == Lines{of("training")});
  CHECK(warnings(good, ignored, nn::Verbose::lines) == Lines{of("validation")});
  CHECK(warnings(ignored, ignored, nn::Verbose::lines) == Lines{of("training"), of("validation")});
  CHECK(warnings(ignored, ignored, nn::Verbose::silent) == Lines{});
}

TEST_CASE("loss: a custom loss without `each` throws for rows with weights") {
  nn::Model model = mirror({"mine", [](Value p_, Value t) { return mean(square(p_ - t)); }});
  const nn::Dataset weighted{logits, logits, Tensor::zeros({3})};
  const char* message = "mine: the rows have weights, but the loss has no function `each` for the loss of a row";
  CHECK_THROWS_WITH_AS(model.evaluate(weighted), doctest::Contains(message), UserError);
  CHECK_THROWS_WITH_AS(model.fit(weighted, {.verbose = silent}), doctest::Contains(message), UserError);
  CHECK_THROWS_WITH_AS(model.train_on_batch(weighted), doctest::Contains(message), UserError);
}

TEST_CASE("loss: a fit resumed in the middle of an epoch keeps the sums of the epoch") {
  const scratch::ScratchFolder folder;
  const std::filesystem::path path = folder / "middle.safetensors";
  Tensor x({8, 2}), y({8}, i64);
  for (std::size_t i = 0; i < 8; ++i) {
    x.mutable_values<float>()[2 * i] = static_cast<float>(i);
    y.mutable_values<std::int64_t>()[i] = static_cast<std::int64_t>(i % 3) - 1;
  }
  const nn::Dataset data{x, y, Tensor::from<float>({8}, {1, 2, 3, 0, 1, 0.5, 2, 4})};
  const auto fit = [&](nn::FitOptions options) {
    nn::Model model{nn::Dense(2, nn::softmax, {.kernel_regularizer = nn::l2(0.1)}), {2}};
    model.compile({.loss = nn::sparse_categorical_crossentropy({.class_weights = {1, 3}, .ignored_label = -1}),
                   .optimizer = nn::Adam{},
                   .metrics = {nn::accuracy, nn::macro_f1}});
    options.batch_size = 3, options.epochs = 2, options.verbose = silent;
    return model.fit(data, options);
  };
  const auto save = [&](nn::Training& t) {
    if (t.epoch() == 1 && t.batch() == 2) t.save(path);
  };
  const nn::History whole = fit({.callbacks = {nn::LambdaCallback{.on_batch_end = save}}});
  const nn::History resumed = fit({.resume = path});
  for (const char* name : {"loss", "accuracy", "macro_f1"}) CHECK(whole[name] == resumed[name]);
}

TEST_CASE("loss: invalid targets throw with row and value") {
  const auto error_of = [](const nn::Loss& loss, const std::vector<double>& y, Tensor weights = {}) {
    nn::Model model = mirror(loss);
    return scratch::message_of<ValueError>([&] {
      (void)model.evaluate({logits, Tensor::from<double>({3, 2}, std::span<const double>(y)), std::move(weights)});
    });
  };
  const auto has = [](const std::string& message, const std::string& part) {
    CAPTURE(message);
    CHECK(message.find(part) != std::string::npos);
  };
  for (const nn::Loss& loss : {nn::Loss(nn::binary_crossentropy), nn::Loss(nn::binary_crossentropy_from_logits)}) {
    has(error_of(loss, {0, 1, 0.5, 255, 0, 0}),
        loss.name + " requires probabilities in [0, 1] as targets\n  y: 255 in row 1, column 1");
    has(error_of(loss, {0, 1, 0, 1, -1, 0}), "y: -1 in row 2, column 0");
  }
  has(error_of(nn::hinge, {-1, 1, 1, 0, 1, 1}),
      "hinge requires -1 and 1 as targets\n  y: 0 in row 1, column 1\n  hint: convert targets 0 and 1 by 2 * y - 1");
  for (const nn::Loss& loss : {nn::Loss(nn::categorical_crossentropy),
                               nn::Loss(nn::categorical_crossentropy_from_logits), nn::kl_divergence}) {
    has(error_of(loss, {0, 1, 1, 0, 1, 1}), "y: a sum of 2 over the 2 classes that start in row 2, column 0");
    has(error_of(loss, {0, 1, 0, 0, 1, 0}), "y: a sum of 0 over the 2 classes that start in row 1, column 0");
    has(error_of(loss, {0, 1, 2, -1, 1, 0}), "y: 2 in row 1, column 0");
  }
  // Rows of weight 0 may have any target; probabilities may be rounded.
  nn::Model model = mirror(nn::categorical_crossentropy_from_logits);
  const Tensor y = Tensor::from<double>({3, 2}, {0.3000001, 0.7, 0, 0, 1, 0});
  CHECK_NOTHROW(model.evaluate({logits, y, Tensor::from<double>({3}, {1, 0, 1})}));
}

TEST_CASE("loss: softmax or a categorical loss of a single unit throws with a hint") {
  const auto error_of = [](const nn::Activation& activation, const nn::Loss& loss) {
    nn::Model model{nn::Dense(1, activation), {2}};
    return scratch::message_of<ShapeError>([&] { model.compile({.loss = loss, .optimizer = nn::SGD{}}); });
  };
  for (const nn::Loss& loss : {nn::Loss(nn::categorical_crossentropy_from_logits), nn::Loss(nn::nll), nn::kl_divergence,
                               nn::Loss(nn::sparse_categorical_crossentropy_from_logits)}) {
    const std::string message = error_of(nn::linear, loss);
    CHECK(message.find(loss.name + ": predictions must be [rows, ..., classes] with at least 2 classes") !=
          std::string::npos);
    CHECK(message.find("hint: for one probability per row use nn::sigmoid and binary_crossentropy") !=
          std::string::npos);
  }
  for (const nn::Loss& loss : {nn::Loss(nn::binary_crossentropy), nn::mean_squared_error})
    CHECK(error_of(nn::softmax, loss).find("softmax over a single unit, which is always 1") != std::string::npos);
}
