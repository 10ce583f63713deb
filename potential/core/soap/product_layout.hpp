// SPDX-License-Identifier: BSD-3-Clause
// A product of kernels as the CPU runs it, and the sum over its sparse points, docs/theory.md eq.
// (7g) to (7i).
#pragma once

#include <memory>
#include <vector>

#include "features/feature_layout.hpp"
#include "soap/product_term.hpp"
#include "soap_gpr.hpp"

namespace soap_gpr {

struct KernelColumns;

struct ProductLayout {
  /// The term outlives the object.
  explicit ProductLayout(const ProductTerm &own);

  int n_features() const;  ///< of all factors together

  const ProductTerm &term;
  std::vector<std::unique_ptr<const FeatureLayout>> factors;
};

/// Values and slopes of one vector of kernels: in: x[f] = p̂_f,i · p̂_f,m. Returns weight δ² Π_g k_g,
/// and leaves its derivative by x[f] in x[f].
Lanes product_kernel(const ProductTerm &term, double weight, Lanes *x);

/// One thread's memory for one term of products, and the sum over its sparse points.
class ProductWorkspace {
 public:
  explicit ProductWorkspace(const ProductLayout &layout);

  /// Adds what is asked for of n centres of one species; `kernels` get k(i, m) when given.
  void evaluate(const Environments &environments, const std::size_t *centers, int n,
                const KernelColumns *kernels, const Outputs &outputs);

 private:
  void evaluate_panel(const Environments &environments, const std::size_t *centers, int n,
                      const KernelColumns *kernels, int first, const Outputs &outputs);
  // Of the n_points from `begin` of a sparse set: dot products, what these say of targets, and of
  // energies, whose slopes take their place.
  void multiply_tile(int species, int begin, int n_points, int width);
  void store_kernels(const KernelColumns &kernels, int first, int begin, int n_points, int width);
  void add_columns(const SparseSet &set, int begin, int n_points, int width,
                   const Outputs &outputs);
  void add_tile(int species, int begin, int n_points, int width, bool gradient, Lanes *energies);
  /// Sums with further weights, to the atoms.
  void hand_out(const SparseSet &set, std::size_t n_atoms, const std::size_t *centers, int n,
                const Outputs &outputs) const;
  /// Of a factor: from g_hat_ to the block, as one of its energies.
  void representation_adjoint(std::size_t f, int n, int energy);
  void add_member_forces(int species, int n, std::size_t n_pairs, double (*f_ij)[3]);
  void add_member_gradient(std::size_t f, int species, int member, int width);  ///< into g_hat_
  const double *points(std::size_t factor, int species, int begin) const;
  std::size_t n_features(std::size_t factor) const { return blocks_[factor]->n_features(); }

  const ProductLayout &layout_;
  std::vector<std::unique_ptr<FeatureBlock>> blocks_;  ///< [factor]
  std::vector<AlignedVector> p_hat_, g_hat_, dot_;     ///< [factor] panels, centres side by side
  AlignedVector g_;                                    ///< [centre][n_features] of one factor
  AlignedVector kernels_, sums_;       ///< of a tile; [columns of the set, kind by kind][width]
  std::vector<AlignedVector> slopes_;  ///< [factor][points][width] where forces of members ask
};

}  // namespace soap_gpr
