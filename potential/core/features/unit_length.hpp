// SPDX-License-Identifier: BSD-3-Clause
// Features of unit length, docs/theory.md eq. (6): |p|² = pᵀ G p, with G = 1 or, for recoupled
// features, that of eq. (5j).
#pragma once

#include "base/simd.hpp"

namespace soap_gpr {

class UnitLength {
 public:
  /// metric: G [n_features][n_features], symmetric, which outlives the object; empty for 1.
  UnitLength(int n_features, const std::vector<double> &metric)
      : n_features_(n_features), metric_(metric) {}

  /// Scales each of the n rows p[n][n_features] to unit length; norm[n] gets the length, rows of
  /// zeros stay. Returns [n][n_features] the rows G p of the scaled p: p itself without G.
  const double *apply(int n, double *p, double *norm);

 private:
  void multiply(int n, const double *p);

  int n_features_;
  const std::vector<double> &metric_;
  AlignedVector dual_, panel_;  ///< [n][n_features]; twice [n_features][kPanelWidth]
};

/// On the way back, for n rows side by side: g[n][n_features] = ∂ε/∂p from panels
/// [n_features][padded(n)] of p̂ and of ∂ε/∂p̂, the projection orthogonal to p̂ over |p| where rows
/// have unit length. dual[n][n_features]: G p̂; null where it is p̂ itself.
void unit_length_adjoint(bool normalized, int n_features, int n, const double *p_hat,
                         const double *g_hat, const double *dual, const double *norm, double *g);

}  // namespace soap_gpr
