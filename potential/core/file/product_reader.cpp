// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include "file/term_readers.hpp"

namespace soap_gpr {

namespace {

/// The factors with their tables, without sparse points.
void read_factors(Arrays &arrays, Entry &entry, const std::string &prefix, std::size_t n_species,
                  ProductTerm &term) {
  const json &factors = entry.list("factors");
  if (factors.size() < 2 || factors.size() > std::size_t(kMaxFactors))
    throw Error(entry.where() + " is a product of " + std::to_string(factors.size()) +
                " kernels, expected 2 to " + std::to_string(kMaxFactors));
  for (std::size_t f = 0; f < factors.size(); ++f) {
    Entry own(factors[f], "factor " + std::to_string(f + 1) + " of " + entry.where());
    if (own.word("kind") != "soap") throw Error(own.where() + " is not of the kind 'soap'");
    term.factors.push_back(
        read_soap_features(arrays, own, prefix + "factor" + std::to_string(f) + ".", n_species));
    own.finish();
    if (term.factors.back().choices.size() > 1)
      throw Error(own.where() + " selects features by species, which factors do not");
    const Kernel &kernel = term.factors.back().kernel;
    if (kernel.delta != 1 || !kernel.normalized)
      throw Error(own.where() + " has another delta than 1, or is not normalised");
    term.cutoff = std::max(term.cutoff, term.factors.back().cutoff);
  }
}

/// Points of all factors lie side by side in the file.
void read_sparse_sets(Arrays &arrays, const std::string &prefix, std::size_t n_species,
                      ProductTerm &term) {
  std::size_t row = 0;
  std::vector<std::vector<double>> recoupling;  // [factor]
  for (SoapTerm &factor : term.factors) {
    const std::string own = prefix + "factor" + std::to_string(recoupling.size()) + ".recoupling";
    recoupling.push_back(read_recoupling(arrays, own, factor.choices[0]));
    row += factor.choices[0].n_features;
  }
  for (std::size_t a = 0; a < n_species; ++a) {
    const std::string suffix = "." + std::to_string(a), name = prefix + "sparse_points" + suffix;
    const std::vector<double> points = arrays.read(name, {kAny, row});
    const std::size_t size = arrays.find(name).shape[0];
    const auto weights = arrays.read(prefix + "weights" + suffix, {size});
    std::size_t begin = 0;
    for (std::size_t f = 0; f < term.factors.size(); ++f) {
      SoapTerm &factor = term.factors[f];
      const int n_features = factor.choices[0].n_features;
      SparseSet sparse;
      sparse.size = int(size);
      sparse.rank = n_features;
      for (std::size_t m = 0; m < size; ++m) {
        const auto first = points.begin() + m * row + begin;
        sparse.points.insert(sparse.points.end(), first, first + n_features);
      }
      if (!recoupling[f].empty()) multiply_rows(n_features, recoupling[f], sparse.points);
      begin += n_features;
      factor.sparse.push_back(std::move(sparse));
    }
    term.factors[0].sparse.back().weights = {weights.begin(), weights.end()};
    term.n_weights += size;
  }
}

}  // namespace

ProductTerm read_product_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                              std::size_t n_species) {
  ProductTerm term;
  term.delta = entry.number("delta", 0.0, 1e10);
  read_factors(arrays, entry, prefix, n_species, term);
  const double cutoff = entry.number("cutoff", 1e-3, 1e3);
  if (cutoff != term.cutoff)
    throw Error(entry.where() + " has another cutoff than the longest of its factors");
  read_sparse_sets(arrays, prefix, n_species, term);
  return term;
}

}  // namespace soap_gpr
