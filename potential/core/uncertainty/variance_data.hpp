// SPDX-License-Identifier: BSD-3-Clause
// What the variance of an atom's energy takes beside the model itself, as it is in the model file,
// docs/theory.md eq. (25i).
#pragma once

#include <cstddef>
#include <vector>

#include "features/feature_term.hpp"
#include "uncertainty/lower_triangle.hpp"

namespace soap_gpr {

/// The kernels of the sparse points of one pair function: the knots of its spline for each.
struct PairPoints {
  std::size_t size = 0;       ///< sparse points
  std::vector<double> knots;  ///< [3 n_knots][size]
};

/// Of one triplet function, see TripletPoints.
struct TripletTables {
  std::size_t size = 0;
  std::vector<double> first, second, third;
};

/// Of one term; nothing of a fixed one.
struct TermVariance {
  std::vector<LowerTriangle> prior;     ///< [sparse set] V, |V k|² = kᵀ K_MM⁻¹ k; of features
  std::vector<SparseSet> full;          ///< [sparse set] what a compressed one was; else of size 0
  std::vector<PairPoints> pairs;        ///< [function]
  std::vector<TripletTables> triplets;  ///< [function]
};

/// Of a target of atoms; nothing of the others.
struct TargetVariance {
  std::vector<std::vector<double>> prior;  ///< [species][term] s² of eq. (25p), units²/eV²
  std::vector<LowerTriangle> posterior;    ///< [species] as below, in units/eV²; size 0: no values
};

struct Variance {
  std::vector<TermVariance> terms;
  /// [species][term] where the kernels of a centre with the points of a term begin among those of
  /// all; their number at the end.
  std::vector<std::vector<std::size_t>> begin;
  /// [species] P, |P k|² = kᵀ K̃⁻¹ k; empty where energies have no variance
  std::vector<LowerTriangle> posterior;
  std::vector<TargetVariance> targets;  ///< empty where they have none
};

}  // namespace soap_gpr
