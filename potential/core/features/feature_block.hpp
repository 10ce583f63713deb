// SPDX-License-Identifier: BSD-3-Clause
// Features of a block of centres of one term, whatever they are made of: the part that evaluation
// and training share. Objects hold all scratch memory, so that one per thread allocates only once.
#pragma once

#include <memory>

#include "features/feature_gradients.hpp"
#include "features/feature_term.hpp"
#include "features/unit_length.hpp"

namespace soap_gpr {

constexpr int kEnergies = 8;  ///< at a time, which share derivatives that all of them need

class FeatureBlock {
 public:
  /// Of at most `capacity` centres with this choice of features; the term outlives the object.
  FeatureBlock(const FeatureTerm &term, std::size_t choice, int capacity);
  virtual ~FeatureBlock() = default;

  // The stages of an evaluation, in this order:

  /// Neighbours of `n` centres, of any species.
  virtual void gather(const Environments &environments, const std::size_t *centers, int n) = 0;
  /// What features are functions of.
  virtual void expand() = 0;
  /// Features, of unit length where the kernel is normalised.
  void represent();
  /// The adjoint of features, from g[n][n_features] = ∂ε/∂p of one of kEnergies energies.
  virtual void representation_adjoint(const double *g, std::size_t energy) = 0;
  /// f_ij[pair] -= ∂ε_i/∂r_ij of the first energies, each after that one's; f_ij of the next begins
  /// n_pairs further on.
  virtual void expansion_adjoint(std::size_t n_energies, double (*f_ij)[3],
                                 std::size_t n_pairs) = 0;

  /// The first three.
  void compute(const Environments &environments, const std::size_t *centers, int n) {
    gather(environments, centers, n);
    expand();
    represent();
  }

  const double *p_hat() const { return p_hat_.data(); }  ///< [n][n_features]
  const double *dual() const { return dual_; }           ///< [n][n_features] G p̂, p̂ where G = 1
  const double *norm() const { return norm_.data(); }    ///< [n] |p|, 1 where not normalised
  int n_features() const { return choice_.n_features; }

  /// Of a block of one centre, which outlives the object.
  virtual std::unique_ptr<FeatureGradients> make_gradients(std::size_t n_atoms) = 0;

 protected:
  /// p[n][n_features] of all centres.
  virtual void values(double *p) = 0;

  const FeatureTerm &term_;
  const FeatureChoice &choice_;
  int n_ = 0;  ///< centres

 private:
  UnitLength unit_length_;
  AlignedVector p_hat_, norm_;
  const double *dual_ = nullptr;
};

}  // namespace soap_gpr
