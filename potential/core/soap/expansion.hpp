// SPDX-License-Identifier: BSD-3-Clause
// Density expansion c^l_{q,m} = Σ_j S^l_{a_j,q}(r_ij) Y_lm(r̂_ij) + δ_l0 s0_{a_i,q}, docs/theory.md
// eq. (3), its adjoint and its derivatives, for one environment at a time.
#pragma once

#include <vector>

#include "soap/density.hpp"
#include "soap_gpr.hpp"

namespace soap_gpr {

/// The neighbours of one centre within the cutoff, grouped in batches that share a table.
class Neighborhood {
 public:
  struct Batch {
    int table, size;
    int pair[kLanes];  ///< index into the environment's neighbour list
    int species[kLanes];
    Lanes unit[3], r;  ///< unused lanes hold a valid vector
  };
  /// Throws Error when a distance is zero or not finite.
  void gather(const Density &density, const Environments &environments, std::size_t center);
  const std::vector<Batch> &batches() const { return batches_; }

 private:
  std::vector<Batch> batches_;
  std::vector<int> open_;  ///< [table] batch being filled, or -1
};

class Expansion {
 public:
  explicit Expansion(const Density &density);

  /// c[n_coefficients]
  void coefficients(const Neighborhood &neighborhood, int center_species, double *c);

  /// f_ij[pair] -= ∂(g · c)/∂r_ij for gradients g = ∂ε/∂c of the layout of c of several energies,
  /// which begin g_stride and f_stride after each other.
  void adjoint(const Neighborhood &neighborhood, std::size_t n_energies, const double *g,
               std::size_t g_stride, double (*f_ij)[3], std::size_t f_stride);

  /// dc[3][n_coefficients] = ∂c/∂r of neighbour k of a batch; only what its table feeds is written.
  void derivative(const Neighborhood::Batch &batch, int k, double *dc);
  /// Harmonics and radial functions of a batch, needed before `derivative`.
  void prepare(const Neighborhood::Batch &batch);

 private:
  /// The adjoint of a prepared and weighed batch for one energy.
  void adjoint_of_batch(const Neighborhood::Batch &batch, const double *g, double (*f_ij)[3]) const;
  /// Adds a batch's harmonics y, weighted or not, times its radial functions, to the channels from
  /// `block` times their number on.
  void add_batch(const RadialTable &table, int size, const Lanes *y, int block, double *c) const;
  /// u_Ja of the lanes of a batch, into u_lanes_.
  void weigh(const Neighborhood::Batch &batch);

  const Density &density_;
  std::vector<Lanes, AlignedAllocator<Lanes>> y_, dy_, weighted_y_, u_lanes_;
  AlignedVector s_;                                                 ///< [kLanes][n_padded]
  std::vector<Lanes, AlignedAllocator<Lanes>> s_lanes_, ds_lanes_;  ///< [n_padded]
};

}  // namespace soap_gpr
