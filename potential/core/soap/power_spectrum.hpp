// SPDX-License-Identifier: BSD-3-Clause
// ν=2 invariants p^l_qq' = (2l+1)^(-1/2) Σ_m c^l_qm c^l_q'm (off-diagonal × √2), docs/theory.md
// eq. (5). Order of the features: l, then q, then q' >= q, or those that the term selects.
#pragma once

#include "model_data.hpp"

namespace soap_gpr {

/// p[n_features] from c[n_coefficients]. scratch[power_spectrum_scratch(term)].
void power_spectrum(const SoapTerm &term, const double *c, double *scratch, double *p);

/// g_c[n_coefficients] = ∂(g_p · p)/∂c.
void power_spectrum_adjoint(const SoapTerm &term, const double *c, const double *g_p,
                            double *scratch, double *g_c);

/// Length of the scratch of both.
std::size_t power_spectrum_scratch(const SoapTerm &term);

}  // namespace soap_gpr
