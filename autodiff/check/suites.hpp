// The test suites that every operation must pass, one function each, so that a test can run them separately.
//
//   Subject s(my_op);
//   for (const Sample& sample : s.samples) suite_kernel(s, sample);
//
// Each throws UserError (GradientError for derivatives) with the operation, the sample and the failure. check_op runs
// all of them. A Subject may also be a function composed of operations, which has no kernel but must pass the others.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <xgrad/autodiff/check/check.hpp>

namespace xgrad::inline v0 {

// Appends the nodes of a composed function and returns its result.
using BuildFn = Value (*)(std::span<const Value> inputs, const Attrs& attrs);

// An operation, or a function composed of operations, under test.
struct Subject {
  explicit Subject(const OpDef& definition)
      : name(definition.name), op(&definition), samples(definition.samples), bad_samples(definition.bad_samples) {}
  Subject(std::string function, BuildFn builder, const std::vector<Sample>& good, const std::vector<BadSample>& bad)
      : name(std::move(function)), build(builder), samples(good), bad_samples(bad) {}

  Value make(Graph& graph, std::span<const Value> inputs, const Attrs& attrs) const;

  std::string name;
  const OpDef* op = nullptr;  // null for a composed function
  BuildFn build = nullptr;    // null for an operation
  std::span<const Sample> samples;
  std::span<const BadSample> bad_samples;
};

// Checks that the definition is complete and documented, and has samples with distinct labels.
void suite_definition(const Subject& subject);
// Checks that the kernel writes all elements of the type that infer returns and nothing else, whatever was in memory;
// that results are bit-identical on 1, 2, 3, 4 and 8 threads and, if it is elementwise, in place; and that traits hold.
void suite_kernel(const Subject& subject, const Sample& sample);
// Checks that the kernel agrees with the reference, and f32 with f64.
void suite_numbers(const Subject& subject, const Sample& sample);
// Checks that plans with every combination of options are bit-identical to the interpreter, gradients included.
void suite_plan(const Subject& subject, const Sample& sample);
// Checks first and second derivatives against finite differences. Returns the number of comparisons.
Index suite_derivatives(const Subject& subject, const Sample& sample, const CheckOptions& options = {});
// Checks that the Jacobian is the same by rows, one by one and at once, and by columns (jvp). Returns the number of
// Jacobians whose rows were computed at once.
Index suite_transforms(const Subject& subject, const Sample& sample);
// Checks that the bad sample throws an error with its message.
void suite_bad_sample(const Subject& subject, const BadSample& bad);
// Checks that a random operation draws other values for another step, seed or stream in at least one sample; one alone
// may be constant.
void suite_random(const Subject& subject);

// Runs the suites for a function composed of operations.
void check_function(const std::string& name, BuildFn build, const std::vector<Sample>& samples,
                    const std::vector<BadSample>& bad_samples = {}, const CheckOptions& options = {});

}  // namespace xgrad::inline v0
