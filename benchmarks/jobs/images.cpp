// Networks for images: LeNet on 28 x 28 images, and ResNet-20 (He et al., "Deep residual learning for image
// recognition", 2015, section 4.2) on 32 x 32 images.
#include <optional>

#include "../shapes.hpp"
#include "jobs.hpp"

namespace bench {

namespace xg = xgrad;
namespace nn = xgrad::nn;

namespace {

nn::Model classifier(const nn::Sequential& net, const xg::Shape& input) {
  nn::Model model{net, input};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}});
  return model;
}

nn::Model lenet(bool dropout) {
  return classifier(
      nn::Sequential{nn::Reshape({28, 28, 1}), nn::Conv2D(20, 5, nn::relu), nn::MaxPool2D(),
                     nn::Conv2D(50, 5, nn::relu), nn::MaxPool2D(), nn::Flatten(), nn::Dense(128, nn::relu),
                     nn::Dropout(dropout ? 0.5 : 0), nn::Dense(classes, nn::softmax)},
      {pixels});
}

nn::Conv2D conv(xg::Index filters, xg::Index window, xg::Index stride) {
  return nn::Conv2D(filters, window, nn::linear, {.strides = stride, .padding = (window - 1) / 2, .use_bias = false});
}

// Two convolutions with a shortcut, which is a convolution where the shape changes.
struct Residual : nn::Module {
  nn::Conv2D first, second;
  nn::BatchNorm first_norm, second_norm;
  std::optional<nn::Conv2D> shortcut{};
  nn::BatchNorm shortcut_norm{};

  Residual(xg::Index filters, xg::Index stride) : first(conv(filters, 3, stride)), second(conv(filters, 3, 1)) {
    if (stride != 1) shortcut = conv(filters, 1, stride);
  }
  xg::Value operator()(xg::Value x) {
    const xg::Value y = second_norm(second(relu(first_norm(first(x)))));
    return relu(y + (shortcut ? shortcut_norm((*shortcut)(x)) : x));
  }
};

nn::Model resnet(bool) {
  return classifier(
      nn::Sequential{conv(16, 3, 1), nn::BatchNorm(), nn::ActivationLayer(nn::relu), Residual(16, 1), Residual(16, 1),
                     Residual(16, 1), Residual(32, 2), Residual(32, 1), Residual(32, 1), Residual(64, 2),
                     Residual(64, 1), Residual(64, 1), nn::GlobalAveragePool(), nn::Dense(classes, nn::softmax)},
      {32, 32, 3});
}

}  // namespace

std::vector<Job> image_jobs() {
  const Input labels{Kind::labels, {}, classes};
  return {
      training_step("train/lenet/128", lenet, 128, {}, labels),
      training_step("train/resnet-20/32", resnet, 32, {Kind::values}, labels),
      inference("infer/lenet/1", lenet, 1, {}),
      inference("infer/lenet/128", lenet, 128, {}),
      inference("infer/resnet-20/1", resnet, 1, {Kind::values}),
      inference("infer/resnet-20/32", resnet, 32, {Kind::values}),
  };
}

}  // namespace bench
