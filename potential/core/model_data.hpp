// SPDX-License-Identifier: BSD-3-Clause
// What a loaded model holds: the one general form of docs/theory.md, section 2.
#pragma once

#include <variant>
#include <vector>

#include "clusters/pair_term.hpp"
#include "clusters/triplet_term.hpp"
#include "soap/radial_table.hpp"
#include "soap/spherical_harmonics.hpp"
#include "soap_gpr.hpp"

namespace soap_gpr {

constexpr int kMaxL = 30;  ///< largest l_max that a model file may ask for
constexpr int kMaxAtomicNumber = 118;

/// Sparse points and weights of one centre species.
struct SparseSet {
  int size = 0;
  int rank = 0;              ///< length of a point: n_features, or the rows of the projection
  AlignedVector points;      ///< [size][rank], normalised power spectra or what stands for them
  AlignedVector weights;     ///< [size]
  AlignedVector projection;  ///< [rank][n_features]: y = P p̂ meets the points; empty: y = p̂
  /// ζ = 1: ∂ε/∂y [rank]; ζ = 2 with many points: the matrix [rank]² that gives ∂ε/∂y.
  /// Empty when the sum over sparse points is the cheaper form.
  AlignedVector collapsed;
};

/// Where the channels of one l lie in an environment's expansion coefficients c[n_coefficients].
struct Channels {
  int size;            ///< Q_l
  int stride;          ///< row length of c^l[m][q], a multiple of kLanes
  int offset;          ///< of c^l[0][0]
  int feature_offset;  ///< of p^l_00 in the power spectrum
};

/// k(i, m) = δ² (p_i · p_m + offset)^ζ, docs/theory.md eq. (7) and (7b).
struct Kernel {
  double delta = 1;
  double zeta = 1;
  int integer_zeta = 1;  ///< 0 when ζ is not an integer
  double offset = 0;
  bool normalized = true;  ///< p / |p| in the place of p

  /// The form that training knows.
  bool plain() const { return integer_zeta > 0 && offset == 0 && normalized; }
};

struct SoapTerm {
  double cutoff = 0;
  int l_max = 0;
  Kernel kernel;
  int n_features = 0;             ///< length of a power spectrum, after the selection
  int n_products = 0;             ///< all products q <= q' of all l
  std::vector<int> selection;     ///< [n_features] places among the products; empty: all of them
  AlignedVector selection_scale;  ///< [n_features] factors of the selected products
  int n_coefficients = 0;
  std::vector<Channels> channels;      ///< [l_max + 1]
  std::vector<RadialTable> tables;     ///< [species of the neighbour]
  std::vector<AlignedVector> central;  ///< [species of the centre][Q_0]
  std::vector<SparseSet> sparse;       ///< [species of the centre]
  SphericalHarmonics harmonics{0};
};

using Term = std::variant<SoapTerm, PairTerm, TripletTerm>;

inline double cutoff(const Term &term) {
  return std::visit([](const auto &own) { return own.cutoff; }, term);
}

struct ModelData {
  std::vector<int> species;  ///< atomic numbers, ascending
  std::vector<double> e0;    ///< [species] eV
  std::vector<Term> terms;   ///< in the order of the file
  double cutoff = 0;
};

}  // namespace soap_gpr
