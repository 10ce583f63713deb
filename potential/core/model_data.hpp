// SPDX-License-Identifier: BSD-3-Clause
// What a loaded model holds, as it is in the file: the one general form of docs/theory.md,
// section 2.
#pragma once

#include <climits>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

#include "acsf/symmetry_term.hpp"
#include "clusters/pair_term.hpp"
#include "clusters/triplet_term.hpp"
#include "soap/product_term.hpp"
#include "soap/soap_term.hpp"
#include "soap_gpr.hpp"
#include "tensors/tensor_data.hpp"
#include "uncertainty/variance_data.hpp"

namespace soap_gpr {

constexpr int kMaxAtomicNumber = 118;

/// Whether this is an atomic number or the number of a bead.
inline bool is_species(std::int64_t z) {
  return z >= 1 && z <= INT_MAX && (z <= kMaxAtomicNumber || !bead_name(int(z)).empty());
}

using Term = std::variant<SoapTerm, SymmetryTerm, PairTerm, TripletTerm, ProductTerm>;

inline double cutoff(const Term &term) {
  return std::visit([](const auto &any) { return any.cutoff; }, term);
}

/// Null when the term has no features.
inline const FeatureTerm *feature_term(const Term &term) {
  return std::visit(
      [](const auto &any) -> const FeatureTerm * {
        if constexpr (std::is_base_of_v<FeatureTerm, std::decay_t<decltype(any)>>)
          return &any;
        else
          return nullptr;
      },
      term);
}

/// The sparse sets that hold the weights of a term of environments; null for other kinds.
inline std::vector<SparseSet> *sparse_sets(Term &term) {
  if (auto *product = std::get_if<ProductTerm>(&term)) return &product->factors[0].sparse;
  auto *own = const_cast<FeatureTerm *>(feature_term(term));
  return own ? &own->sparse : nullptr;
}

struct ModelData {
  std::vector<int> species;  ///< numbers, ascending
  std::vector<double> e0;    ///< [species] eV
  std::vector<Term> terms;   ///< in the order of the file
  double cutoff = 0;
  std::vector<Target> targets;  ///< their weights are with the sparse sets
  std::vector<TensorBasis> tensor_bases;
  std::vector<TensorTarget> tensors;  ///< those of the targets that stand on them
  bool has_potential = true;          ///< whether the terms were fitted to energies or forces
  Uncertainty uncertainty;            ///< its members are with the sparse sets and functions
  std::optional<Variance> variance;   ///< what that takes, where the uncertainty has it
};

}  // namespace soap_gpr
