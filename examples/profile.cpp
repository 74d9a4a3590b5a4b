// Profiles a training step of the deep net by plan step and by layer, as tables, as colored diagrams and as a trace for
// ui.perfetto.dev.
//
//   profile [FOLDER]
#include <exception>
#include <filesystem>
#include <iostream>

#include <CLI/CLI.hpp>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;

int main(int argc, char** argv) try {
  std::filesystem::path folder = ".";
  CLI::App app{"Profiles a training step of the deep net"};
  app.add_option("folder", folder, "output folder")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::filesystem::create_directories(folder);

  const nn::Dataset digits = nn::make_digits(128, 1);
  const nn::Dataset batch{digits.x, nn::one_hot(digits.y, 10)};
  nn::Model model{
      nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dense(64, nn::relu), nn::BatchNorm(),
                     nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dropout(0.2), nn::Dense(10, nn::softmax)},
      {784}};
  model.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}});

  const xg::Profile profile = model.profile(batch, 128, {.runs = 200});
  std::cout << profile.str({.steps = 12});

  profile.save_trace(folder / "deep_net_trace.json");
  // The profiled graph with a box per layer and pass, and its plan with a box per plan step.
  const nn::ModelGraph graph = model.training_graph(128);
  xg::save_graph(*graph.graph, folder / "deep_net_time.svg",
                 {.title = "a training step of the deep net", .depth = 0, .annotations = profile.annotations()});
  xg::save_plan(xg::Plan({graph.loss}, graph.updates), folder / "deep_net_steps.svg",
                {.title = "plan steps of a training step", .annotations = profile.step_annotations()});
  for (const char* name : {"deep_net_trace.json", "deep_net_time.svg", "deep_net_steps.svg"})
    std::cout << (folder / name).string() << '\n';
} catch (const std::exception& error) {
  std::cerr << "profile: " << error.what() << '\n';
  return 1;
}
