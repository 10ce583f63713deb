// SPDX-License-Identifier: BSD-3-Clause
// Vectors and tensors of a block of centres, docs/theory.md eq. (26c), and their gradients, eq.
// (26f), from the density and features that the potential has there: one thread's memory for the
// bases of one term.
#pragma once

#include "base/block_product.hpp"
#include "soap/environment_block.hpp"
#include "tensors/tensor_layout.hpp"

namespace soap_gpr {

class TensorWorkspace {
 public:
  /// Of one term; they outlive the object.
  explicit TensorWorkspace(const std::vector<const TensorLayout *> &bases);

  /// Whether there is anything of a sparse set.
  bool serves(std::size_t set) const;
  /// Adds spherical components of n centres that one sparse set serves, with their features in the
  /// block, and -∂/∂r_ij of those of the target that is asked for.
  void add(const Environments &environments, const std::size_t *centers, int n,
           EnvironmentBlock &block, const Outputs &outputs);

 private:
  /// Centres of which a panel holds up to kPanelWidth, side by side.
  struct Panel {
    const TensorLayout &layout;
    std::size_t set;
    const Environments &environments;
    const std::size_t *centers;  ///< [size]
    int first, size, width;
    const EnvironmentBlock &block;

    int features() const { return block.n_features(); }
    const double *norm() const { return block.norm() + first; }
  };
  void load(const Panel &panel);
  void find_kernels(const Panel &panel);
  /// u_α, or the value of λ = 0.
  void weigh(const Panel &panel, const TensorLayout::Part &part);
  /// values_[n_components][width] of a part.
  void find_values(const Panel &panel, const TensorLayout::Part &part);
  void hand_out(const Panel &panel, const TensorLayout::Part &part, const Outputs &outputs) const;
  void add_gradients(const TensorLayout &layout, std::size_t set, const Environments &environments,
                     const std::size_t *centers, int n, EnvironmentBlock &block,
                     const Outputs &outputs);
  /// Of one component of the part that values_ and u_ are of, into rows of ∂/∂p and ∂/∂c of all
  /// centres.
  void find_adjoint(const Panel &panel, const TensorLayout::Part &part, int component, double *g_p,
                    double *g_c);
  // ∂/∂p̂ by what multiplies ψ̂, from ∂/∂u_α, into g_p_hat_, which is zero.
  void add_point_gradient(const Panel &panel, const TensorLayout::Part &part);
  void add_matrix_gradient(const Panel &panel, const TensorLayout::Part &part);
  void add_norm_gradient(const Panel &panel, int component, double *g_p) const;
  const Lanes *coefficients(int lanes) const {
    return reinterpret_cast<const Lanes *>(&x_[std::size_t(lanes) * n_coefficients_]);
  }

  std::vector<const TensorLayout *> bases_;
  std::size_t n_coefficients_;
  AlignedVector p_hat_, x_;      ///< panels of p̂, and of coefficients, lanes after lanes
  AlignedVector dot_, kernels_;  ///< [points][width] p̂ · p̂_m and its power ζ − 1
  AlignedVector ones_, u_, values_;
  AlignedVector g_u_, slopes_, g_p_hat_, g_lanes_;
  /// Of each component after the other [centre][n_features] and [centre][n_coefficients].
  AlignedVector g_p_, g_c_;
};

}  // namespace soap_gpr
