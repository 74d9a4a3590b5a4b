// The suites every operation goes through, one function each, so that a test can run them one by one.
//
//   Subject s(my_op);
//   for (const Sample& sample : s.samples) suite_kernel(s, sample);
//
// Each returns if all is well and throws UserError (GradientError for derivatives) naming the operation, the sample and
// what is wrong. check_op runs them all. A Subject may also be a function composed of operations, which has no kernel
// of its own but must keep the same promises.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <xgrad/autodiff/check/check.hpp>

namespace xgrad::inline v0 {

using BuildFn = Value (*)(std::span<const Value> inputs, const Attrs& attrs);

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

// The definition is complete, it is documented, and it has samples with labels of their own.
void suite_definition(const Subject& subject);
// The kernel fills exactly what infer promises, whatever was in memory before; it leaves its inputs alone; it gives the
// same bits again, on 1, 2, 3, 4 and 8 threads, and over its own inputs if it is elementwise; its traits are true.
void suite_kernel(const Subject& subject, const Sample& sample);
// The kernel agrees with the reference, and f32 with f64.
void suite_numbers(const Subject& subject, const Sample& sample);
// A plan gives the interpreter's bits with every option, gradients included.
void suite_plan(const Subject& subject, const Sample& sample);
// First and second derivative agree with finite differences. Returns the number of comparisons.
Index suite_derivatives(const Subject& subject, const Sample& sample, const CheckOptions& options = {});
// The Jacobian is the same by rows, one by one and at once, and by columns, that is, by jvp. Returns the number of
// Jacobians whose rows were computed at once.
Index suite_transforms(const Subject& subject, const Sample& sample);
// The bad sample is refused, with its message.
void suite_bad_sample(const Subject& subject, const BadSample& bad);
// A random operation draws other numbers at another step, from another seed and from another stream; this is seen over
// all samples, since one alone may be constant by nature.
void suite_random(const Subject& subject);

// All of them, for a function composed of operations.
void check_function(const std::string& name, BuildFn build, const std::vector<Sample>& samples,
                    const std::vector<BadSample>& bad_samples = {}, const CheckOptions& options = {});

}  // namespace xgrad::inline v0
