// The engine in one include: graphs, operations, gradients, plans, pictures. No neural-network layer, no xtensor.
#pragma once

#include <xgrad/autodiff/check.hpp>
#include <xgrad/autodiff/check_table.hpp>
#include <xgrad/autodiff/custom_gradient.hpp>
#include <xgrad/autodiff/derivation.hpp>
#include <xgrad/autodiff/gradient_report.hpp>
#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/remat.hpp>
#include <xgrad/autodiff/saturation.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/dot.hpp>
#include <xgrad/graph/error.hpp>
#include <xgrad/graph/finite.hpp>
#include <xgrad/graph/flops.hpp>
#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/graph_diff.hpp>
#include <xgrad/graph/interpreter.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/graph/profile.hpp>
#include <xgrad/ops/batch.hpp>
#include <xgrad/ops/custom.hpp>
#include <xgrad/ops/machine_peak.hpp>
#include <xgrad/ops/ops.hpp>
