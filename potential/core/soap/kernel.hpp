// SPDX-License-Identifier: BSD-3-Clause
// Sparse kernel sum ε_i = δ² Σ_m w_m (p̂_i · p̂_m + offset)^ζ for a block of centres of one
// species, docs/theory.md eq. (7) and (7b), and its gradient. A compressed set has y_i = P p̂_i in
// place of p̂_i; p̂ = p where the kernel is not normalised.
#pragma once

#include "model_data.hpp"

namespace soap_gpr {

constexpr int kKernelTile = 64;  ///< sparse points at a time: a tile of them stays in L2

/// Scales each of the n rows p[n][n_features] to unit length; norm[n] gets the length, 0 rows stay.
/// Kernels that are not normalised leave all rows and get 1.
void normalize(const SoapTerm &term, int n, double *p, double *norm);

/// energy[n] += ε; when g is given, g[n][n_features] = ∂ε/∂p of the unnormalised power spectrum.
/// scratch[kernel_scratch(term, n)].
void kernel_sum(const SoapTerm &term, const SparseSet &sparse, int n, const double *p_hat,
                const double *norm, double *scratch, double *energy, double *g);

/// Fills sparse.collapsed when ζ allows it and it pays.
void collapse(const SoapTerm &term, SparseSet &sparse);

/// Length of the scratch of kernel_sum.
std::size_t kernel_scratch(const SoapTerm &term, int n);

double integer_power(double x, int exponent);

}  // namespace soap_gpr
