// SPDX-License-Identifier: BSD-3-Clause
// Symmetry functions of a block of centres, straight from their neighbours and pairs of neighbours.
#pragma once

#include "acsf/symmetry_functions.hpp"

namespace soap_gpr {

/// A neighbour within the cutoff.
struct SymmetryNeighbor {
  int pair;  ///< place in the centre's list
  int species;
  double r, unit[3];
  Jet cutoff;
};

/// Two neighbours j and k of a centre: distance and angular factors, whose products are G4 and G5.
class NeighborPair {
 public:
  explicit NeighborPair(const SymmetryFunctions &used)
      : used_(used), distances_(used.distances.size()), angles_(used.angles.size()) {}

  /// The factors that are of use. a, b: the jets of f_c(r) exp(-η r²) of both, by η. False when
  /// none of distances is non-zero.
  bool compute(const SymmetryNeighbor &j, const SymmetryNeighbor &k, const Jet *a, const Jet *b,
               const PairUses &uses);

  double product(int distance, int angle) const {
    return distances_[distance].value * angles_[angle].value;
  }

  /// Derivatives of a function of the factors by r_ij, r_ik, r_jk and cos θ.
  struct Slopes {
    double j = 0, k = 0, jk = 0, cosine = 0;
  };
  /// Adds those of a product of two factors.
  void add(int distance, int angle, double scale, Slopes &slopes) const;
  /// The same along the vectors r_ij and r_ik: r_jk = r_ik - r_ij pulls at both.
  void gradients(const Slopes &slopes, double along_j[3], double along_k[3]) const;

 private:
  struct Factor {
    double value, j, k, jk;
  };

  const SymmetryFunctions &used_;
  const SymmetryNeighbor *j_ = nullptr, *k_ = nullptr;
  double cosine_ = 0, unit_jk_[3] = {};
  std::vector<Factor> distances_;
  std::vector<Jet> angles_;
};

class SymmetryBlock : public FeatureBlock {
 public:
  SymmetryBlock(const SymmetryLayout &layout, std::size_t choice, int capacity);

  void gather(const Environments &environments, const std::size_t *centers, int n) override;
  /// Exponentials and cutoff functions of all neighbours.
  void expand() override;
  /// Keeps g: features are functions of the neighbours themselves.
  void representation_adjoint(const double *g, std::size_t energy) override;
  void expansion_adjoint(std::size_t n_energies, double (*f_ij)[3], std::size_t n_pairs) override;

  std::unique_ptr<FeatureGradients> make_gradients(std::size_t n_atoms) override;

  struct Center {
    std::size_t offset = 0;  ///< of its list in those of all centres
    std::vector<SymmetryNeighbor> neighbors;
    std::vector<Jet> jets;  ///< [neighbors][etas]
  };
  const Center &center(int i) const { return centers_[i]; }

 private:
  void values(double *p) override;
  /// g of the energies begin a row of g_ after each other, f_ij n_pairs.
  void adjoint(const Center &center, std::size_t n_energies, const double *g, double (*f_ij)[3],
               std::size_t n_pairs);
  std::size_t row() const { return centers_.size() * n_features(); }

  const SymmetryFunctions &used_;
  NeighborPair pair_;
  std::vector<Center> centers_;  ///< [capacity]
  AlignedVector g_, slopes_;     ///< [energies asked for so far][capacity][n_features]; [these]
};

/// visit(j, k, uses) for all pairs of neighbours of a centre that feed features, when `pair` has
/// their factors.
template <class Visit>
void for_pairs(const SymmetryFunctions &used, const SymmetryBlock::Center &center,
               NeighborPair &pair, Visit visit) {
  const auto &neighbors = center.neighbors;
  const std::size_t n_etas = used.etas.size();
  for (std::size_t j = 0; j < neighbors.size(); ++j)
    for (std::size_t k = j + 1; k < neighbors.size(); ++k) {
      const auto &uses = used.angular[species_pair(neighbors[j].species, neighbors[k].species)];
      if (!uses.features.empty() &&
          pair.compute(neighbors[j], neighbors[k], &center.jets[j * n_etas],
                       &center.jets[k * n_etas], uses))
        visit(j, k, uses.features);
    }
}

}  // namespace soap_gpr
