#include "sections.hpp"

#include <algorithm>

namespace bench {

bool Section::has(const std::string& job) const {
  return families.empty() || std::any_of(families.begin(), families.end(),
                                         [&](const std::string& family) { return job.starts_with(family + "/"); });
}

const std::vector<Section>& sections() {
  static const std::vector<Section> all{
      {"Networks",
       "The last number is the batch size. The *MNIST net* is 784-64-64-64-10 with batch normalization after each "
       "hidden "
       "layer,\ndropout and Adam, on batches of 128; *step* repeats one batch, *in order* and *shuffled* are epochs "
       "over "
       "60,000 rows with\nall that `fit` does. The *wide net* is 784-1024-1024-1024-10 on batches of 256, the *Boston "
       "net* 13-32-16-1 with batch\nnormalization and dropout on batches of 8, `mlp` 784-256-256-10, and `mlp-f64` "
       "784-64-64-64-10 in double precision.\nLeNet has convolutions of 5 x 5 with 20 and 50 filters, on images of 28 "
       "x "
       "28; ResNet-20 has images of 32 x 32.\nTransformers have 1 or 12 blocks of width 256 with 4 heads, on 64 "
       "positions.",
       {"train", "infer"}},
      {"Convolutions and pooling",
       "`14x32-64/3x3/b32` is a convolution of 14 x 14 images with 32 channels to 64, with windows of 3 x 3, on a "
       "batch of 32;\n`s2` is a stride, `g32` a number of groups. Jobs that end in `backward` compute the result and, "
       "from a given cotangent,\nthe gradients of the image, the kernel and the bias.",
       {"conv", "conv-transpose", "conv1d", "max-pool", "average-pool"}},
      {"Layers and losses",
       "Jobs that end in `backward` compute the result and all gradients from a given cotangent; cross-entropies and "
       "batch\nnormalization, except in jobs that end in `forward`, compute both as well. `lstm/64x32x128` has 64 "
       "steps, batches of 32\nand 128 units; in `lstm-steps` each step is an input of its own. `adam` is a step of the "
       "optimizer alone.",
       {"batch-norm", "layer-norm", "gelu", "gelu-tanh", "softmax", "softmax-crossentropy", "cross-entropy",
        "attention", "embedding", "lstm", "lstm-steps", "adam"}},
      {"Derivatives and rebuilt graphs",
       "The *tanh net* has three layers of 64; its penalties need second derivatives. `hvp` is a Hessian-vector "
       "product,\n`jacobian` has 10 rows. `rebuilt` compares a step whose graph is built each time, as libtorch does, "
       "and then\nplanned or interpreted, with one whose graph or plan exists.",
       {"tanh-net", "hvp", "jacobian", "rebuilt"}},
      {"Moving and ordering elements",
       "Copies in another order, selection by indices, and sorting. The shape is that of the first input.",
       {"permute", "transpose", "concat", "slice", "pad", "flip", "split-and-stack", "gather", "take-along",
        "scatter-add", "scatter-add-along", "sort", "argsort", "top-10", "cumsum"}},
      {"Elementwise operations, reductions, products and random numbers",
       "`op` has 256K elements. The other shapes are those of the first input.",
       {}},
  };
  return all;
}

const Section& section_of(const std::string& job) {
  return *std::find_if(sections().begin(), sections().end(), [&](const Section& s) { return s.has(job); });
}

}  // namespace bench
