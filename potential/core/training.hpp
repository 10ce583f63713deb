// SPDX-License-Identifier: BSD-3-Clause
// What training needs of a model: features, and the rows of the regression's design matrix.
#pragma once

#include "soap_gpr.hpp"

namespace soap_gpr {

std::size_t n_terms(const Model &model);
std::size_t n_features(const Model &model, std::size_t term);
/// Number of weights of all terms and species: the columns of the design matrix, ordered by term,
/// then centre species, then sparse point.
std::size_t n_weights(const Model &model);

/// Unit-length power spectra p_hat[n_atoms][n_features] of one term.
void features(const Model &model, std::size_t term, const Environments &environments,
              double *p_hat);

/// Rows of one structure whose product with the weights gives its energy (without e0), its forces
/// and its virial: rows[1 + 3 n_atoms + 6][n_weights], forces atom by atom, virial -dE/dε in the
/// order xx, yy, zz, yz, xz, xy (docs/theory.md, eq. 10-12). neighbor[n_pairs] is the index of j.
void structure_rows(const Model &model, const Environments &environments,
                    const std::size_t *neighbor, double *rows);

/// Only the energy row [n_weights].
void energy_row(const Model &model, const Environments &environments, double *row);

}  // namespace soap_gpr
