// Draws the deep net as diagrams: forward graph, training graph, layers and plan, as .dot and .svg.
//
//   graph_picture [FOLDER]
#include <exception>
#include <filesystem>
#include <iostream>
#include <vector>

#include <CLI/CLI.hpp>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;

int main(int argc, char** argv) try {
  std::filesystem::path folder = ".";
  CLI::App app{"Draws the graphs, layers and plan of the deep net"};
  app.add_option("folder", folder, "output folder")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::filesystem::create_directories(folder);

  nn::Model model{
      nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dense(64, nn::relu), nn::BatchNorm(),
                     nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dropout(0.2), nn::Dense(10, nn::softmax)},
      {784}};
  model.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}});

  const nn::ModelGraph forward = model.inference_graph(128);
  const nn::ModelGraph training = model.training_graph(128);
  std::vector<xg::Value> weights;
  for (const xg::Parameter& p : model.parameters()) {
    if (p.trainable()) weights.push_back(training.graph->parameter(p));
  }
  std::vector<xg::Value> shown = xg::gradients(training.loss, weights);
  shown.push_back(training.loss);

  for (const char* extension : {".dot", ".svg"}) {
    const auto file = [&](std::string name) { return folder / (name + extension); };
    xg::save_graph(*forward.graph, file("deep_net_forward"),
                   {.outputs = {forward.prediction}, .title = "deep net, forward"});
    xg::save_graph(*training.graph, file("deep_net_training"),
                   {.outputs = shown, .title = "deep net, forward and backward"});
    xg::save_graph(*training.graph, file("deep_net_layers"),
                   {.title = "a training step, layer by layer", .show_bytes = true, .depth = 0});
    xg::save_plan(xg::Plan({training.loss}, training.updates), file("deep_net_plan"), {.show_buffers = true});
    for (const char* name : {"deep_net_forward", "deep_net_training", "deep_net_layers", "deep_net_plan"})
      std::cout << file(name).string() << '\n';
  }
} catch (const std::exception& error) {
  std::cerr << "graph_picture: " << error.what() << '\n';
  return 1;
}
