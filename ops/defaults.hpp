// Default arguments, shared with the layers, activations and losses of the same name through nn/defaults.hpp. Values
// are those of Keras 3, where it has the function.
#pragma once

namespace xgrad::inline v0 {

inline constexpr double default_norm_epsilon = 1e-3;  // added to the variance by layer_norm and group_norm
inline constexpr bool default_count_padding = false;  // whether average pooling counts the zeros around its input
inline constexpr double default_leaky_slope = 0.01;   // slope of leaky_relu, as in PyTorch and Keras 2's function
inline constexpr double default_elu_alpha = 1;
inline constexpr double default_softplus_beta = 1;
inline constexpr double default_huber_delta = 1;
inline constexpr double default_smooth_l1_beta = 1;
inline constexpr double default_label_smoothing = 0;  // for binary and categorical cross-entropy
inline constexpr double default_positive_weight = 1;  // for binary cross-entropy

}  // namespace xgrad::inline v0
