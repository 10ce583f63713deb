// SPDX-License-Identifier: BSD-3-Clause
// Cutoff functions of terms that are not tables of one distance, docs/theory.md eq. (1a).
#pragma once

#include <cmath>

namespace soap_gpr {

struct CutoffFunction {
  enum class Kind { cosine, smooth };

  double cutoff = 0, width = 0;
  Kind kind = Kind::cosine;

  /// f_c and its slope at the distance r.
  void operator()(double r, double &value, double &slope) const {
    value = r < cutoff ? 1 : 0;
    slope = 0;
    if (r >= cutoff || r < cutoff - width) return;
    const double x = (cutoff - r) / width;
    if (kind == Kind::smooth)
      smooth(x, value, slope);
    else
      cosine(x, value, slope);
    slope /= -width;
  }

 private:
  /// Nearer to its ends the smooth function is 0 or 1 to more digits than a double has.
  static constexpr double kFlat = 1e-3;

  static void cosine(double x, double &value, double &slope) {
    const double s = std::sin(0.5 * M_PI * x);
    value = s * s;
    slope = M_PI * s * std::cos(0.5 * M_PI * x);
  }

  static void smooth(double x, double &value, double &slope) {
    const double low = std::fmin(std::fmax(x, kFlat), 1 - kFlat), high = 1 - low;
    const double z = 1 / high - 1 / low;
    value = 1 / (1 + std::exp(-z));
    slope = value / (1 + std::exp(z)) * (1 / (high * high) + 1 / (low * low));
  }
};

}  // namespace soap_gpr
