// SPDX-License-Identifier: BSD-3-Clause
#include "tensors/tensor_outputs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace soap_gpr {

namespace {

/// rows[n_components][n] from rows[n_spherical][n] at their beginning.
void to_cartesian(const TensorTarget &own, int n_components, double scale, std::size_t n,
                  double *rows) {
  const std::size_t n_spherical = own.n_spherical;
  std::vector<double> spherical(n_spherical);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < n_spherical; ++k) spherical[k] = scale * rows[k * n + i];
    for (int c = 0; c < n_components; ++c) {
      const double *B = &own.cartesian[c * n_spherical];
      double sum = 0;
      for (std::size_t k = 0; k < n_spherical; ++k) sum += B[k] * spherical[k];
      rows[c * n + i] = sum;
    }
  }
}

void check(const Target &target, const TensorTarget &own, const Environments &environments,
           const double *rows) {
  const std::size_t n = environments.n_atoms;
  for (int k = 0; k < target.n_components; ++k)
    for (std::size_t i = 0; i < n; ++i)
      if (!std::isfinite(rows[k * n + i]) && !std::isnan(own.mean[environments.species[i]]))
        throw Error("a component of the target " + target.name + " is not finite");
}

}  // namespace

void begin_tensors(const ModelData &data, const Environments &environments,
                   const Outputs &outputs) {
  const std::size_t n = environments.n_atoms, n_pairs = environments.offset[n];
  const double none = std::numeric_limits<double>::quiet_NaN();
  for (const TensorTarget &own : data.tensors)
    for (int k = 0; outputs.tensors && k < data.targets[own.target].n_components; ++k)
      for (std::size_t i = 0; i < n; ++i) {
        const double mean = own.mean[environments.species[i]];
        const bool has_mean = k == 0 && own.parts[0].lambda == 0 && outputs.term < 0;
        outputs.tensors[(own.row + k) * n + i] = std::isnan(mean) ? none : has_mean ? mean : 0;
      }
  if (!outputs.tensor_gradients) return;
  if (outputs.gradients_of >= data.targets.size() || !data.targets[outputs.gradients_of].rank)
    throw Error("there are no gradients of what is no vector or tensor of the model");
  if (n_pairs)
    std::fill_n(&outputs.tensor_gradients[0][0],
                3 * n_pairs * data.targets[outputs.gradients_of].n_components, 0.0);
}

void finish_tensors(const ModelData &data, const Environments &environments,
                    const Outputs &outputs) {
  const std::size_t n = environments.n_atoms, n_pairs = environments.offset[n];
  for (const TensorTarget &own : data.tensors) {
    const Target &target = data.targets[own.target];
    if (outputs.tensor_gradients && own.target == outputs.gradients_of && n_pairs)
      to_cartesian(own, target.n_components, -1, 3 * n_pairs, &outputs.tensor_gradients[0][0]);
    if (!outputs.tensors) continue;
    to_cartesian(own, target.n_components, 1, n, outputs.tensors + own.row * n);
    check(target, own, environments, outputs.tensors + own.row * n);
  }
}

}  // namespace soap_gpr
