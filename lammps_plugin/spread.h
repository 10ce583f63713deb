// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cmath>
#include <cstddef>

namespace LAMMPS_NS {

/// Standard deviation over members whose mean is zero, docs/theory.md eq. (25d); deviations: of n
/// members, so many numbers apart.
inline double spread(const double *deviations, std::size_t stride, std::size_t n) {
  double sum = 0;
  for (std::size_t c = 0; c < n; ++c) sum += deviations[c * stride] * deviations[c * stride];
  return std::sqrt(sum / double(n - 1));
}

}  // namespace LAMMPS_NS
