// SPDX-License-Identifier: BSD-3-Clause
// Features of the density of a block of centres, of any species, and one soap term.
#pragma once

#include "features/feature_block.hpp"
#include "soap/expansion.hpp"
#include "soap/soap_layout.hpp"

namespace soap_gpr {

class EnvironmentBlock : public FeatureBlock {
 public:
  EnvironmentBlock(const SoapLayout &soap, std::size_t choice, int capacity);

  void gather(const Environments &environments, const std::size_t *centers, int n) override;
  /// Density coefficients.
  void expand() override;
  /// ∂ε/∂c from g[n][n_features] = ∂ε/∂p.
  void representation_adjoint(const double *g, std::size_t energy) override;
  /// What ∂ε/∂c has beside that, of all centres: g_c[n][n_coefficients].
  void add_to_adjoint(const double *g_c, std::size_t energy);
  void expansion_adjoint(std::size_t n_energies, double (*f_ij)[3], std::size_t n_pairs) override;

  std::unique_ptr<FeatureGradients> make_gradients(std::size_t n_atoms) override;

  const double *coefficients(int i) const { return &c_[i * row()]; }
  const Neighborhood &neighborhood(int i) const { return neighborhoods_[i]; }
  Expansion &expansion() { return expansion_; }
  const Representation &representation() const { return representation_; }

 private:
  void values(double *p) override;
  std::size_t row() const { return soap_.density.n_coefficients; }

  const SoapLayout &soap_;
  const Representation &representation_;
  Expansion expansion_;
  std::vector<int> species_;                 ///< [capacity]
  std::vector<std::size_t> offset_;          ///< [capacity] where a centre's pairs begin
  std::vector<Neighborhood> neighborhoods_;  ///< [capacity]
  AlignedVector c_, scratch_;
  AlignedVector g_c_;  ///< as c_, of as many energies as were asked for so far
};

}  // namespace soap_gpr
