// SPDX-License-Identifier: BSD-3-Clause
// What an evaluation does with vectors and tensors before and after the work of the terms.
#pragma once

#include "model_data.hpp"

namespace soap_gpr {

inline bool wants_tensors(const Outputs &outputs) {
  return outputs.tensors || outputs.tensor_gradients;
}

/// Spherical components with the mean of λ = 0 alone, and zeros for gradients. Throws Error when
/// the model has not what is asked for.
void begin_tensors(const ModelData &data, const Environments &environments, const Outputs &outputs);

/// From spherical components, which are the first of the rows, to Cartesian ones, eq. (26d). Throws
/// Error when one is not finite.
void finish_tensors(const ModelData &data, const Environments &environments,
                    const Outputs &outputs);

}  // namespace soap_gpr
