// SPDX-License-Identifier: BSD-3-Clause
// Triplet terms, docs/theory.md eq. (22): a function of three distances for every species of the
// centre and pair of species of two of its neighbours.
#pragma once

#include <cstddef>
#include <vector>

#include "base/simd.hpp"
#include "clusters/cutoff_function.hpp"
#include "clusters/pair_term.hpp"
#include "clusters/triplet_process.hpp"
#include "clusters/uniform_spline.hpp"
#include "soap_gpr.hpp"

namespace soap_gpr {

/// G(r_ij, r_ik, r_jk) in eV as B-spline coefficients, and processes to be added; G = 0 where both
/// are empty.
struct TripletFunction {
  /// [radial][radial][third], then kSplinePadded zeros: whole vectors are read from anywhere
  std::vector<double> coefficients;
  std::vector<TripletProcess> processes;
  /// [vectors of members][radial][radial][third][kLanes] as the coefficients, or empty
  AlignedVector members;
};

struct TripletTerm {
  double cutoff = 0;
  CutoffFunction f_c;
  bool cluster = false;  ///< a third factor shares triplets of mutual neighbours, eq. (22a)
  bool shared = false;   ///< the energy of a triplet is that of all its atoms, eq. (22e)
  bool ordered = false;  ///< neighbours of one species count in the caller's order, eq. (22f)
  UniformGrid radial, third;
  std::size_t n_weights = 0;
  std::vector<TripletFunction> functions;  ///< [triplet_index]
};

/// Place of a centre's species and its neighbours' pair: all pairs of centre 0, those of 1, ...
constexpr std::size_t triplet_index(std::size_t center, std::size_t a, std::size_t b,
                                    std::size_t n_species) {
  return center * (n_species * (n_species + 1) / 2) + pair_index(a, b, n_species);
}

/// A neighbour within the term's cutoff.
struct TripletNeighbor {
  std::size_t pair;  ///< its place among all pairs of the environments
  int species;
  double r, r_ij[3], unit[3];
  double factor, factor_slope;  ///< f_c(r_ij)
  SplinePoint point;            ///< r_ij on the radial grid
};

/// The distance between two neighbours of a centre.
struct ThirdSide {
  double r, unit[3];            ///< from j to k
  double factor, factor_slope;  ///< h(r_jk)
  SplinePoint point;

  ThirdSide(const TripletTerm &term, const TripletNeighbor &j, const TripletNeighbor &k);
};

/// Neighbours of centre i in ascending order of their species, those of one species in the order of
/// the environments. Throws Error when two atoms are at the same place.
void gather_triplets(const TripletTerm &term, const Environments &environments, std::size_t i,
                     std::vector<TripletNeighbor> &neighbors);

/// Adds ε_i of some centres to the energies, which are not null, -∂ε_i/∂r_ij to f_ij and what a
/// shared term hands on to the transfers.
void add_triplet_term(const TripletTerm &term, const Environments &environments,
                      std::size_t n_species, const std::size_t *centers, int n,
                      const Outputs &outputs);

/// Adds what members of a committee deviate by: energies and forces, those that are asked for.
void add_triplet_members(const TripletTerm &term, const Environments &environments,
                         std::size_t n_species, std::size_t n_members, const std::size_t *centers,
                         int n, const Outputs &outputs);

/// Sparse points of one function, eq. (22c): for each the coefficients of its splines in r_ij, r_ik
/// and r_jk, which make G when multiplied by the weights and added up.
struct TripletPoints {
  std::size_t size = 0;                              ///< sparse points
  const double *first = nullptr, *second = nullptr;  ///< [n_coefficients of radial][size]
  const double *third = nullptr;                     ///< [n_coefficients of third][size]
};

/// energy[size] += that of a centre with weights one, from its triplets with neighbours of species
/// b and c >= b; neighbors: those of gather_triplets.
void add_point_energies(const TripletTerm &term, const TripletPoints &points,
                        const std::vector<TripletNeighbor> &neighbors, int b, int c,
                        double *energy);

/// Rows of one structure whose product with the weights of one function gives its energy, forces
/// and virial: rows[1 + 3 n_atoms + 6][size], or only the first without gradients.
void triplet_design(const TripletTerm &term, std::size_t function, const TripletPoints &points,
                    const Environments &environments, std::size_t n_species, bool gradients,
                    double *rows);

}  // namespace soap_gpr
