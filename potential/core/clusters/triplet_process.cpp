// SPDX-License-Identifier: BSD-3-Clause
#include "clusters/triplet_process.hpp"

#include <algorithm>
#include <cmath>

namespace soap_gpr {

namespace {

using Vector = std::array<double, 3>;

/// φ(|d|) and φ′(|d|)/|d|.
template <TripletProcess::Kernel kernel>
inline void shape(double squared, double &value, double &slope) {
  if (kernel == TripletProcess::Kernel::gaussian) {
    value = std::exp(-0.5 * squared);
    slope = -value;
    return;
  }
  const double length = std::sqrt(squared), left = length < 1 ? 1 - length : 0.0;
  const double cube = left * left * left;
  value = cube * left * (4 * length + 1);
  slope = -20 * cube;
}

/// Σ_m w_m φ(|u − u_m|) and its gradient.
template <TripletProcess::Kernel kernel>
ProcessValue sum(const TripletProcess &process, const Vector &u) {
  const double *const x = process.points[0].data(), *const y = process.points[1].data();
  const double *const z = process.points[2].data(), *const weights = process.weights.data();
  double total = 0, gx = 0, gy = 0, gz = 0;
#pragma omp simd reduction(+ : total, gx, gy, gz)
  for (std::size_t m = 0; m < process.weights.size(); ++m) {
    const double dx = u[0] - x[m], dy = u[1] - y[m], dz = u[2] - z[m];
    double value, slope;
    shape<kernel>(dx * dx + dy * dy + dz * dz, value, slope);
    total += weights[m] * value;
    slope *= weights[m];
    gx += slope * dx;
    gy += slope * dy;
    gz += slope * dz;
  }
  return {total, {gx, gy, gz}};
}

/// Σ_P φ(|P u − u|) and its gradient.
template <TripletProcess::Kernel kernel>
ProcessValue own(const TripletProcess &process, const Vector &u) {
  ProcessValue total;
  for (const auto &permutation : process.permutations) {
    Vector d;
    for (int k = 0; k < 3; ++k) d[k] = u[permutation[k]] - u[k];
    double value, slope;
    shape<kernel>(d[0] * d[0] + d[1] * d[1] + d[2] * d[2], value, slope);
    total.value += value;
    for (int k = 0; k < 3; ++k) {
      total.slope[permutation[k]] += slope * d[k];
      total.slope[k] -= slope * d[k];
    }
  }
  return total;
}

template <TripletProcess::Kernel kernel>
ProcessValue normalized(const TripletProcess &process, const Vector &u) {
  ProcessValue found = sum<kernel>(process, u);
  if (process.permutations.empty()) return found;
  const ProcessValue norm = own<kernel>(process, u);
  const double inverse = 1 / std::sqrt(norm.value);
  found.value *= inverse;
  for (int k = 0; k < 3; ++k)
    found.slope[k] = found.slope[k] * inverse - 0.5 * found.value * norm.slope[k] / norm.value;
  return found;
}

}  // namespace

ProcessValue evaluate_process(const TripletProcess &process, const Vector &distances) {
  const auto [r_ij, r_ik, r_jk] = distances;
  Vector u;
  if (process.angle)
    u = {r_ij + r_ik, (r_ij - r_ik) * (r_ij - r_ik), r_jk};
  else
    for (int k = 0; k < 3; ++k) u[k] = distances[process.order[k]];
  for (int k = 0; k < 3; ++k) u[k] *= process.inverse_scale[k];

  using Kernel = TripletProcess::Kernel;
  const ProcessValue found = process.kernel == Kernel::gaussian
                                 ? normalized<Kernel::gaussian>(process, u)
                                 : normalized<Kernel::polynomial>(process, u);
  Vector by;
  for (int k = 0; k < 3; ++k) by[k] = found.slope[k] * process.inverse_scale[k];
  ProcessValue result{found.value + process.constant, {}};
  if (process.angle) {
    const double difference = 2 * (r_ij - r_ik) * by[1];
    result.slope = {by[0] + difference, by[0] - difference, by[2]};
  } else {
    for (int k = 0; k < 3; ++k) result.slope[process.order[k]] += by[k];
  }
  return result;
}

}  // namespace soap_gpr
