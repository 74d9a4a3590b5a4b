// The engine in one include: graphs, operations, gradients, plans, pictures. No neural-network layer, no xtensor.
#pragma once

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/autodiff/check/check_table.hpp>
#include <xgrad/autodiff/custom_gradient.hpp>
#include <xgrad/autodiff/derivation.hpp>
#include <xgrad/autodiff/gradient_report.hpp>
#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/remat.hpp>
#include <xgrad/autodiff/saturation.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/version.hpp>
#include <xgrad/graph/flops.hpp>
#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/pictures/dot.hpp>
#include <xgrad/graph/pictures/formulas.hpp>
#include <xgrad/graph/pictures/graph_diff.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/graph/profile/profile.hpp>
#include <xgrad/graph/run/finite.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/custom.hpp>
#include <xgrad/ops/machine_peak.hpp>
#include <xgrad/ops/ops.hpp>
