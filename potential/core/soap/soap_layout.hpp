// SPDX-License-Identifier: BSD-3-Clause
// A soap term as the CPU runs it.
#pragma once

#include "features/feature_layout.hpp"
#include "soap/representation.hpp"

namespace soap_gpr {

struct SoapLayout : FeatureLayout {
  /// The term outlives the object.
  explicit SoapLayout(const SoapTerm &own) : FeatureLayout(own), density(own) {
    for (const FeatureChoice &choice : own.choices)
      representations.push_back(make_representation(own, choice, density));
  }

  std::unique_ptr<FeatureBlock> make_block(int capacity, std::size_t choice) const override;
  /// Density coefficients and their adjoint.
  std::size_t numbers_per_center() const override {
    return 2 * std::size_t(density.n_coefficients);
  }

  const Density density;
  std::vector<std::unique_ptr<const Representation>> representations;  ///< [choice]
};

}  // namespace soap_gpr
