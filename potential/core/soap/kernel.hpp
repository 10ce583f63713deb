// SPDX-License-Identifier: BSD-3-Clause
// k(y, y_m) = δ² (y · y_m + offset)^ζ, docs/theory.md eq. (7) and (7b): the one place where
// evaluation and training take its values and slopes from.
#pragma once

#include <cmath>

#include "base/simd.hpp"

namespace soap_gpr {

struct Kernel {
  double delta = 1;
  double zeta = 1;
  double offset = 0;
  bool normalized = true;  ///< y = p / |p| in the place of p

  /// ζ, or 0 when it is not an integer.
  int integer_zeta() const { return zeta == std::floor(zeta) ? int(zeta) : 0; }
};

/// The kernel as it is computed, for kLanes dot products at a time.
class KernelFunction {
 public:
  explicit KernelFunction(const Kernel &kernel)
      : delta2_(kernel.delta * kernel.delta),
        zeta_(kernel.zeta),
        offset_(kernel.offset),
        integer_zeta_(kernel.integer_zeta()) {}

  struct Result {
    Lanes value, slope;
  };
  /// Value and slope with respect to y · y_m, both times a weight. Where ζ is not an integer and
  /// y · y_m + offset <= 0, which has no such power, both are zero.
  Result operator()(Lanes dot, double weight) const {
    return scaled(dot, broadcast(delta2_ * weight));
  }
  /// The same with a weight for each lane.
  Result operator()(Lanes dot, Lanes weight) const { return scaled(dot, delta2_ * weight); }

 private:
  Result scaled(Lanes dot, Lanes power) const {
    const Lanes x = dot + offset_;
    for (int z = 1; z < integer_zeta_; ++z) power *= x;
    if (!integer_zeta_)
      for (int i = 0; i < kLanes; ++i) power[i] *= x[i] > 0 ? std::pow(x[i], zeta_ - 1) : 0;
    return {power * x, zeta_ * power};
  }

  double delta2_, zeta_, offset_;
  int integer_zeta_;
};

}  // namespace soap_gpr
