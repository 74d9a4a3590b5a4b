// Jobs of this library, one list per file. worker_main.cpp offers them to the driver, google_benchmark_main.cpp to
// Google Benchmark.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <xgrad/xgrad.hpp>

#include "../inputs.hpp"
#include "../worker.hpp"

namespace bench {

std::vector<Job> training_jobs();
std::vector<Job> inference_jobs();
std::vector<Job> image_jobs();
std::vector<Job> transformer_jobs();
std::vector<Job> derivative_jobs();
std::vector<Job> optimizer_jobs();
std::vector<Job> rebuilt_jobs();
std::vector<Job> product_jobs();
std::vector<Job> operation_jobs();
std::vector<Job> table_jobs();
std::vector<Job> planning_jobs();
std::vector<Job> all_jobs();

std::vector<Quantity> memory_quantities();
std::size_t first_step();

// The compiled models of the comparison. Without dropout, results can be compared with those of other libraries.
xgrad::nn::Model mnist_net(bool dropout = true);
xgrad::nn::Model wide_net(bool dropout = true);
xgrad::nn::Model boston_net(bool dropout = true);
xgrad::nn::Model transformer(int blocks);

// Gives the model the weights with which all workers start.
xgrad::nn::Model with_shared_weights(xgrad::nn::Model model);

// `dropout` says whether the model has its dropout.
using MakeModel = std::function<xgrad::nn::Model(bool dropout)>;
// Repeated training steps on one batch, or repeated predictions, with inputs x and y filled by the rules. Losses of a
// step without dropout are compared.
Job training_step(const std::string& name, const MakeModel& make, xgrad::Index rows, const Input& x, const Input& y);
Job inference(const std::string& name, const MakeModel& make, xgrad::Index rows, const Input& x);

xgrad::DType dtype_of(const Input& input);
Digest digest_of(const xgrad::Tensor& t, bool random = false);

// A plan that runs repeatedly. Its inputs are filled by the rules, in the order of their creation; those without a rule
// as Kind::positive. The results are its outputs, or without outputs the updated weights.
Prepared run_plan(std::shared_ptr<xgrad::Graph> graph, const std::vector<xgrad::Value>& outputs, int threads,
                  const std::vector<xgrad::Update>& updates = {}, const std::vector<Input>& inputs = {},
                  bool random = false);

}  // namespace bench
