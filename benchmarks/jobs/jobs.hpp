// Jobs of this library, one list per file. worker_main.cpp offers them to the driver, google_benchmark_main.cpp to
// Google Benchmark.
#pragma once

#include <memory>
#include <vector>

#include <xgrad/xgrad.hpp>

#include "../worker.hpp"

namespace bench {

std::vector<Job> training_jobs();
std::vector<Job> inference_jobs();
std::vector<Job> derivative_jobs();
std::vector<Job> optimizer_jobs();
std::vector<Job> product_jobs();
std::vector<Job> operation_jobs();
std::vector<Job> planning_jobs();
std::vector<Job> all_jobs();

std::vector<Quantity> memory_quantities();
std::size_t first_step();

// The compiled models of the comparison.
xgrad::nn::Model mnist_net();
xgrad::nn::Model wide_net();
xgrad::nn::Model boston_net();

// A Run of a plan with synthetic inputs; class indices and masks are 0.
Run run_plan(std::shared_ptr<xgrad::Graph> graph, const std::vector<xgrad::Value>& outputs, int threads,
             const std::vector<xgrad::Update>& updates = {});

}  // namespace bench
