// SPDX-License-Identifier: BSD-3-Clause
// A tensor basis with the targets that stand on it as the CPU runs them, docs/theory.md eq. (26c).
#pragma once

#include "model_data.hpp"
#include "tensors/density_features.hpp"

namespace soap_gpr {

struct TensorLayout {
  /// The data and the layout of the term outlive the object.
  TensorLayout(const ModelData &data, std::size_t basis, const SoapLayout &own);

  /// The cheapest exact form of the sum over sparse points: as it is; of ζ = 1 a vector, and of
  /// ζ = 2 a matrix, which has no points.
  enum Form { kPoints, kVector, kMatrix };

  /// Of a sparse set: the sparse points.
  struct Set {
    int size = 0;          ///< of points
    int n_features = 0;    ///< of the term
    Form form = kPoints;   ///< λ = 0 of a vector is in points all the same
    AlignedVector points;  ///< [size][n_features] G p̂_m
  };
  /// Components of one λ and σ of a target.
  struct Part {
    const TensorTarget *target;
    const TensorTarget::Part *own;
    /// [set][n_vectors][n] v_mα of eq. (26c), or w_m of λ = 0 for n = 1; their sum over m; or that
    /// of p̂_m times v_m, [n_features][n], where α of λ = 0 is a feature. Empty without weights.
    std::vector<AlignedVector> vectors;
  };

  const TensorBasis &basis;
  const SoapLayout &soap;
  std::vector<Equivariants> features;  ///< of the basis
  std::vector<Set> sets;
  std::vector<Part> parts;

  /// The form that a part has in a set.
  Form form(const Part &part, std::size_t set) const {
    const bool scalar = part.own->features < 0;
    return scalar && sets[set].form == kVector ? kPoints : sets[set].form;
  }
  bool needs_points(std::size_t set) const;
  /// Rows of the vectors of a part.
  int n_vectors(const Part &part, std::size_t set) const {
    const Form own = form(part, set);
    return own == kVector ? 1 : own == kMatrix ? sets[set].n_features : sets[set].size;
  }
  /// Their columns: products of a part, or of λ = 0 one or as many as features.
  int n_columns(const Part &part, std::size_t set) const {
    if (part.own->features >= 0) return features[part.own->features].size();
    return form(part, set) == kMatrix ? sets[set].n_features : 1;
  }
  int max_columns() const;
  int max_points() const;

 private:
  Form cheapest(std::size_t set) const;
  /// What is summed over points [set.size][n], in a form; scalar: of λ = 0, where it is w_m.
  static AlignedVector in_form(Form form, const Set &set, bool scalar, std::size_t n,
                               const AlignedVector &own);
};

}  // namespace soap_gpr
