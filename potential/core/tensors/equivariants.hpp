// SPDX-License-Identifier: BSD-3-Clause
// Products of two density channels coupled to λ, docs/theory.md eq. (26), and sums over them with a
// weight for each product. Sums take the second channels together first, so that a first channel is
// coupled but once.
#pragma once

#include "soap/clebsch_gordan.hpp"
#include "soap/density.hpp"
#include "tensors/tensor_data.hpp"

namespace soap_gpr {

class Equivariants {
 public:
  Equivariants(const TensorFeatures &features, const Density &density);

  int size() const { return size_; }
  int n_components() const { return n_components_; }

  /// psi[n][size][n_components] of c[n][n_coefficients].
  void values(int n, const double *c, double *psi) const;

  /// y[n_components] = Σ_α ψ_α u_α of kLanes environments: x[n_coefficients] their coefficients
  /// side by side, u of α at u + α * stride.
  void contract(const Lanes *x, const double *u, std::size_t stride, Lanes *y) const;
  /// g_x += ∂(g · y)/∂x, and ∂(g · y)/∂u at g_u + α * stride.
  void contract_adjoint(const Lanes *x, const double *u, std::size_t stride, const Lanes *g,
                        Lanes *g_x, double *g_u) const;

 private:
  /// A second channel that meets the first of a group.
  struct Second {
    int place;  ///< of its first component
    int feature;
    double scale;
  };
  struct Group {
    int coupling;    ///< of couplings_
    int l;           ///< of the second channels
    int stride;      ///< between their components
    int place;       ///< of the first channel
    int begin, end;  ///< of seconds_
  };

  /// sum[2l + 1] = Σ u_α times the second channels of a group.
  void sum_seconds(const Group &group, const Lanes *x, const double *u, std::size_t stride,
                   Lanes *sum) const;

  int size_, n_components_;
  std::size_t n_coefficients_;
  std::vector<ClebschGordan> couplings_;  ///< second components lie side by side
  std::vector<Group> groups_;
  std::vector<Second> seconds_;
};

}  // namespace soap_gpr
