// SPDX-License-Identifier: BSD-3-Clause
// Distances of neighbours, as every term takes them.
#pragma once

#include <limits>

#include "soap_gpr.hpp"

namespace soap_gpr {

/// |d|² of a neighbour at d[3], in Å². Throws Error when it is zero or not finite.
inline double squared_distance(const double *d) {
  const double r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
  if (!(r2 > 1e-20 && r2 <= std::numeric_limits<double>::max()))
    throw Error("two atoms are at the same place or a position is not finite");
  return r2;
}

}  // namespace soap_gpr
