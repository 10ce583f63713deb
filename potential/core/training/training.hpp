// SPDX-License-Identifier: BSD-3-Clause
// What training needs of a model: features, and the rows of the regression's design matrix.
#pragma once

#include <array>
#include <vector>

#include "clusters/triplet_term.hpp"
#include "soap_gpr.hpp"

namespace soap_gpr {

std::size_t n_terms(const Model &model);
/// Of a soap term; of a product those of all its factors, one after the other.
std::size_t n_features(const Model &model, std::size_t term);
/// Whether features are those before the recoupling, p / |u| of docs/theory.md eq. (5j).
bool recoupled(const Model &model, std::size_t term);
/// Number of weights of all terms, or of one: the columns of the design matrix, ordered by term,
/// then centre species or function, then sparse point.
std::size_t n_weights(const Model &model);
std::size_t n_weights(const Model &model, std::size_t term);

/// Coefficients c[n_atoms][n_density(term)] of the density of one soap term, docs/theory.md eq.
/// (3): of an atom l after l, then m, then the channels q of that l.
std::size_t n_density(const Model &model, std::size_t term);
void density_coefficients(const Model &model, std::size_t term, const Environments &environments,
                          double *c);

/// Features p_hat[n_atoms][n_features] of one soap or product term, of unit length where its kernel
/// is normalised.
void features(const Model &model, std::size_t term, const Environments &environments,
              double *p_hat);

/// The same of some environments with their gradients.
struct FeatureRows {
  std::vector<double> p_hat;        ///< [n_centers][n_features]
  std::vector<std::size_t> offset;  ///< [n_centers + 1], into atoms
  std::vector<std::size_t> atoms;   ///< atoms that the centre sees, the centre first
  /// ∂p̂/∂(x, y, z) of these atoms, then ∂p̂/∂ε in the order xx, yy, zz, yz, xz, xy, centre by
  /// centre: [3 atoms.size() + 6 n_centers][n_features]
  std::vector<double> gradients;
};
FeatureRows feature_gradients(const Model &model, std::size_t term,
                              const Environments &environments,
                              const std::vector<std::size_t> &centers);

/// Adds the rows of one structure whose product with the weights of a soap or product term gives
/// its part of the energy (without e0), forces and virial: rows[1 + 3 n_atoms + 6][n_weights],
/// forces atom by atom, virial -dE/dε in the order xx, yy, zz, yz, xz, xy (docs/theory.md, eq.
/// 10-12). Without gradients only the energy row, else the environments name their neighbours.
void soap_rows(const Model &model, std::size_t term, const Environments &environments,
               bool gradients, double *rows);

/// Kernels of every atom with all sparse points of one term of environments, docs/theory.md eq.
/// (23d): rows[n_atoms][n_weights], which begin with zeros.
void kernel_rows(const Model &model, std::size_t term, const Environments &environments,
                 double *rows);

/// What soap_rows does, for one function of a pair term, with its spline coefficients in the place
/// of weights: rows[1 + 3 n_atoms + 6][n_coefficients].
std::size_t n_coefficients(const Model &model, std::size_t term, std::size_t function);
void function_rows(const Model &model, std::size_t term, std::size_t function,
                   const Environments &environments, bool gradients, double *rows);

/// The same for one function of a triplet term, with its sparse points: rows[...][points.size]. The
/// numbers of coefficients along r_ij and r_jk say how long those of the points are.
std::array<std::size_t, 2> triplet_coefficients(const Model &model, std::size_t term);
void triplet_rows(const Model &model, std::size_t term, std::size_t function,
                  const TripletPoints &points, const Environments &environments, bool gradients,
                  double *rows);

}  // namespace soap_gpr
