// All of xgrad in one include: the engine, xtensor in and out, and the neural-network layer.
//
//   #include <xgrad/xgrad.hpp>
//   namespace xg = xgrad;
//   namespace nn = xgrad::nn;
#pragma once

#include <xgrad/engine.hpp>
#include <xgrad/graph/xtensor.hpp>
#include <xgrad/nn/activations.hpp>
#include <xgrad/nn/constraints.hpp>
#include <xgrad/nn/data/augment.hpp>
#include <xgrad/nn/data/csv.hpp>
#include <xgrad/nn/data/dataset.hpp>
#include <xgrad/nn/data/digits.hpp>
#include <xgrad/nn/data/idx.hpp>
#include <xgrad/nn/data/image.hpp>
#include <xgrad/nn/data/npy.hpp>
#include <xgrad/nn/data/safetensors.hpp>
#include <xgrad/nn/data/scaling.hpp>
#include <xgrad/nn/data/synthetic.hpp>
#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/events/event_reader.hpp>
#include <xgrad/nn/events/event_writer.hpp>
#include <xgrad/nn/events/runs.hpp>
#include <xgrad/nn/initializers.hpp>
#include <xgrad/nn/layers/batch_norm.hpp>
#include <xgrad/nn/layers/conv.hpp>
#include <xgrad/nn/layers/dense.hpp>
#include <xgrad/nn/layers/dropout.hpp>
#include <xgrad/nn/layers/embedding.hpp>
#include <xgrad/nn/layers/flatten.hpp>
#include <xgrad/nn/layers/layer_norm.hpp>
#include <xgrad/nn/layers/merge.hpp>
#include <xgrad/nn/layers/noise.hpp>
#include <xgrad/nn/layers/pooling.hpp>
#include <xgrad/nn/layers/prelu.hpp>
#include <xgrad/nn/losses.hpp>
#include <xgrad/nn/metrics.hpp>
#include <xgrad/nn/module.hpp>
#include <xgrad/nn/optimizers/adadelta.hpp>
#include <xgrad/nn/optimizers/adagrad.hpp>
#include <xgrad/nn/optimizers/adam.hpp>
#include <xgrad/nn/optimizers/adamax.hpp>
#include <xgrad/nn/optimizers/lbfgs.hpp>
#include <xgrad/nn/optimizers/lion.hpp>
#include <xgrad/nn/optimizers/nadam.hpp>
#include <xgrad/nn/optimizers/rmsprop.hpp>
#include <xgrad/nn/optimizers/schedules.hpp>
#include <xgrad/nn/optimizers/sgd.hpp>
#include <xgrad/nn/plots/plot.hpp>
#include <xgrad/nn/regularizers.hpp>
#include <xgrad/nn/sequential.hpp>
#include <xgrad/nn/training/callbacks.hpp>
#include <xgrad/nn/training/check.hpp>
#include <xgrad/nn/training/gradient_report.hpp>
#include <xgrad/nn/training/health.hpp>
#include <xgrad/nn/training/model.hpp>
#include <xgrad/nn/training/tensorboard.hpp>
