// SPDX-License-Identifier: BSD-3-Clause
// From centres and pairs to atoms: forces, centroid virials and shared energies, whatever arrays,
// units and tensor orders the caller keeps them in.
#pragma once

#include "soap_gpr.hpp"

namespace soap_gpr {

/// W = f ⊗ r, row-major: W[3x + y] = f_x r_y.
inline void outer_product(const double *f, const double *r, double *W) {
  for (int x = 0; x < 3; ++x)
    for (int y = 0; y < 3; ++y) W[3 * x + y] = f[x] * r[y];
}

/// Hands what an evaluation made of environments, which name their neighbours, to a sink. f_ij acts
/// on j with + and on i with -; its virial f_ij ⊗ r_ij belongs to the neighbour j, whose velocity
/// is that of the heat flux Σ_j W_j·v_j of a many-body potential (Fan et al., Phys. Rev. B 92,
/// 094301 (2015)). A Sink has
///   double scale(i)                   by which all that comes from the centre i is multiplied
///   bool wants_virials()
///   void add_energy(i, energy)        of a centre
///   void add_force(i, f[3])
///   void add_virial(i, W[9])          of a pair, see outer_product
///   void add_transfer(i, energy, W[9])  what atoms hand on to others: adds up to nothing
/// with the indices of atoms in `environments.center` and `environments.neighbor`.
template <class Sink>
void scatter(const Environments &environments, const Outputs &outputs, Sink &&sink) {
  double W[9], minus_W[9];
  for (std::size_t c = 0; c < environments.n_atoms; ++c) {
    const std::size_t i = environments.center ? environments.center[c] : c;
    const double scale = sink.scale(i);
    double pull[3] = {0, 0, 0};
    if (outputs.energies) sink.add_energy(i, scale * outputs.energies[c]);
    for (std::size_t k = environments.offset[c]; k < environments.offset[c + 1]; ++k) {
      const std::size_t j = environments.neighbor[k];
      if (outputs.f_ij) {
        double f[3];
        for (int x = 0; x < 3; ++x) {
          f[x] = scale * outputs.f_ij[k][x];
          pull[x] -= f[x];
        }
        sink.add_force(j, f);
        if (sink.wants_virials()) {
          outer_product(f, environments.r_ij[k], W);
          sink.add_virial(j, W);
        }
      }
      if (outputs.transfers) {
        const double energy = scale * outputs.transfers[k].energy;
        for (int xy = 0; xy < 9; ++xy) {
          W[xy] = scale * outputs.transfers[k].virial[xy];
          minus_W[xy] = -W[xy];
        }
        sink.add_transfer(j, energy, W);
        sink.add_transfer(i, -energy, minus_W);
      }
    }
    if (outputs.f_ij) sink.add_force(i, pull);
  }
}

/// The sink of plain arrays that begin with zeros; virials may be null, and forces for outputs
/// without f_ij.
struct AtomArrays {
  double *energies = nullptr;      ///< [n_atoms] eV
  double (*forces)[3] = nullptr;   ///< [n_atoms] eV/Å
  double (*virials)[9] = nullptr;  ///< [n_atoms] eV, f ⊗ r, row-major

  double scale(std::size_t) const { return 1; }
  bool wants_virials() const { return virials; }
  void add_energy(std::size_t i, double energy) { energies[i] += energy; }
  void add_force(std::size_t i, const double *f) {
    for (int x = 0; x < 3; ++x) forces[i][x] += f[x];
  }
  void add_virial(std::size_t i, const double *W) {
    for (int xy = 0; xy < 9; ++xy) virials[i][xy] += W[xy];
  }
  void add_transfer(std::size_t i, double energy, const double *W) {
    energies[i] += energy;
    if (virials) add_virial(i, W);
  }
};

/// scatter, into plain arrays.
void scatter_to_arrays(const Environments &environments, const Outputs &outputs, AtomArrays arrays);

}  // namespace soap_gpr
