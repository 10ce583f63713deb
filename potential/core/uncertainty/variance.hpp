// SPDX-License-Identifier: BSD-3-Clause
// Variance and rigidity of the energies and targets of atoms, docs/theory.md eq. (25h), (25k) and
// (25p), for a block of centres of one species at a time.
#pragma once

#include <vector>

#include "features/feature_block.hpp"
#include "model_data.hpp"
#include "soap/kernel_sum.hpp"
#include "uncertainty/kernel_panels.hpp"

namespace soap_gpr {

inline bool wants_variance(const Outputs &outputs) {
  return outputs.variance || outputs.rigidity || outputs.target_variance || outputs.target_rigidity;
}

/// One thread's memory.
class VarianceWorkspace {
 public:
  /// Of a model that has variances, which outlives the object.
  explicit VarianceWorkspace(const ModelData &data);

  /// For n centres of one species; what follows is called for every term that says something of
  /// them, in any order.
  void start(const Environments &environments, const std::size_t *centers, int n);
  /// For some of the centres, with their features: where the kernel sum of this term is to leave
  /// its kernels, which live on to the next call; null where they are there already.
  const KernelColumns *add_features(std::size_t term, const std::size_t *centers, int n,
                                    const FeatureBlock &block);
  /// The same of a product, which always has its kernels to leave.
  const KernelColumns *add_product(std::size_t term, const std::size_t *centers, int n);
  /// For all of them, of a term of pairs or triplets.
  void add_clusters(std::size_t term, const Environments &environments);
  /// Writes what is asked for, for a structure of so many atoms; throws Error when a variance is
  /// not finite.
  void finish(const Outputs &outputs, std::size_t n_atoms);

 private:
  const KernelColumns *columns(std::size_t term, const std::size_t *centers);
  /// The brackets of eq. (25h) of all terms.
  void find_left();
  /// Adds scale[term] times these to |P k|², and writes both to those that are not null.
  void write(const LowerTriangle &P, const double *scales, double *variance, double *rigidity);

  const ModelData &data_;
  const Variance &variance_;
  std::vector<std::vector<KernelSum>> full_;  ///< [term][sparse set] of compressed ones
  const std::size_t *centers_ = nullptr;
  int species_ = 0;
  KernelPanels panels_;
  std::vector<std::vector<double>> own_;  ///< [term][centre] k(i, i), of terms of features
  KernelColumns columns_;
  std::vector<std::vector<double>> left_;  ///< [term][centre], empty of other terms
  AlignedVector posterior_, known_;        ///< [centre]
  AlignedVector scratch_;
  std::vector<double> row_;  ///< kernels of one centre
  std::vector<TripletNeighbor> neighbors_;
};

/// What evaluates a term leaves its kernels there; nothing without a workspace.
struct VariancePart {
  VarianceWorkspace *work = nullptr;
  std::size_t term = 0;
};

}  // namespace soap_gpr
