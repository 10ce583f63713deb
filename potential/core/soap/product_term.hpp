// SPDX-License-Identifier: BSD-3-Clause
// A product of kernels as it is in the model file: k(i, m) = δ² Π_f (p̂_f,i · p̂_f,m + offset_f)^ζ_f,
// docs/theory.md eq. (7g).
#pragma once

#include "soap/soap_term.hpp"

namespace soap_gpr {

constexpr int kMaxFactors = 8;

struct ProductTerm {
  double cutoff = 0;  ///< the longest of the factors
  double delta = 1;   ///< of the product; that of every factor is 1
  std::vector<SoapTerm>
      factors;  ///< each with its part of the sparse points; the first has the weights
  std::size_t n_weights = 0;
};

}  // namespace soap_gpr
