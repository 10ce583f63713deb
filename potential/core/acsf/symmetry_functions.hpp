// SPDX-License-Identifier: BSD-3-Clause
// Symmetry functions of one neighbour and of two, docs/theory.md eq. (5k) to (5n), and which of
// them are features. Exponentials and powers that several functions have in common are taken once.
#pragma once

#include <vector>

#include "acsf/symmetry_term.hpp"
#include "features/feature_layout.hpp"

namespace soap_gpr {

/// A function and its slope.
struct Jet {
  double value, slope;
};

/// f_c(r) = (cos(π r / r_c) + 1) / 2 below the cutoff, eq. (5k).
Jet cosine_cutoff(double r, double cutoff);

/// G1, G2 or G3 of one neighbour: e(r) f_c(r).
class RadialFunction {
 public:
  static RadialFunction gaussian(double eta, double shift) { return {eta, shift, 0}; }
  static RadialFunction cosine(double kappa) { return {0, 0, kappa}; }
  /// At a distance where the cutoff function is f.
  Jet operator()(double r, const Jet &f) const;

 private:
  RadialFunction(double eta, double shift, double kappa)
      : eta_(eta), shift_(shift), kappa_(kappa) {}
  double eta_, shift_, kappa_;
};

/// 2^(1-ζ) (1 + λ cos θ)^ζ
struct AngularFactor {
  double zeta, lambda;
  Jet operator()(double cosine) const;
};

/// The part of G4 or G5 that is made of distances: which η, and whether r_jk counts (G4).
struct DistanceFactor {
  int eta;
  bool third;
};

/// What a neighbour, or two, add to a feature.
struct RadialUse {
  int function, feature;
  double scale;
};
struct AngularUse {
  int distance, angle, feature;  ///< places among factors
  double scale;
};
/// What two neighbours of certain species add, and the factors that it takes.
struct PairUses {
  std::vector<AngularUse> features;
  std::vector<int> distances, angles;
  bool third = false;  ///< whether r_jk counts
};

/// What one choice of features is made of.
class SymmetryFunctions {
 public:
  SymmetryFunctions(const SymmetryTerm &term, const FeatureChoice &choice);

  double cutoff;
  std::vector<RadialFunction> functions;  ///< of one neighbour
  std::vector<double> etas;               ///< of functions of two neighbours
  std::vector<DistanceFactor> distances;
  std::vector<AngularFactor> angles;
  std::vector<std::vector<RadialUse>> radial;  ///< [species of the neighbour]
  std::vector<PairUses> angular;               ///< [species_pair]

 private:
  void use(const SymmetryTerm &term, std::size_t product, int feature, double scale);
  void use_angular(const std::array<double, 3> &parameters, bool third, std::size_t pair,
                   int feature, double scale);
};

struct SymmetryLayout : FeatureLayout {
  /// The term outlives the object.
  explicit SymmetryLayout(const SymmetryTerm &own);

  std::unique_ptr<FeatureBlock> make_block(int capacity, std::size_t choice) const override;
  /// Neighbours apart, whose number nobody knows.
  std::size_t numbers_per_center() const override { return 0; }

  std::vector<SymmetryFunctions> functions;  ///< [choice]
};

}  // namespace soap_gpr
