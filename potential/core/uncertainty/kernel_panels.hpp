// SPDX-License-Identifier: BSD-3-Clause
// Kernels k(i, m) of the centres of a block with the sparse points of all terms, in panels with the
// centres side by side.
#pragma once

#include <algorithm>

#include "base/block_product.hpp"

namespace soap_gpr {

class KernelPanels {
 public:
  /// Zeros.
  void resize(int n_centers, std::size_t n_points) {
    n_centers_ = n_centers;
    n_points_ = n_points;
    values_.assign(padded(n_centers) * n_points, 0.0);
  }
  int n_centers() const { return n_centers_; }

  /// Of the panel that begins with this centre: [n_points][width(first)].
  const double *panel(int first) const { return &values_[first * n_points_]; }
  int width(int first) const { return std::min(kPanelWidth, padded(n_centers_ - first)); }
  double &at(int center, std::size_t point) {
    const int first = center / kPanelWidth * kPanelWidth;
    return values_[first * n_points_ + point * width(first) + center - first];
  }

 private:
  int n_centers_ = 0;
  std::size_t n_points_ = 0;
  AlignedVector values_;  ///< [panel][n_points][width]
};

/// The part of them that is of one term, for its centres from `first_center` on.
struct KernelColumns {
  KernelPanels *panels = nullptr;
  int first_center = 0;
  std::size_t first_point = 0;

  /// Those of kLanes centres from `center` on, a multiple of kLanes, with one point; `stride`
  /// numbers before those with the next.
  double *lanes(int center, std::size_t point) const {
    return &panels->at(first_center + center, first_point + point);
  }
  std::size_t stride(int center) const {
    return panels->width((first_center + center) / kPanelWidth * kPanelWidth);
  }
};

}  // namespace soap_gpr
