// SPDX-License-Identifier: BSD-3-Clause
#include "file/term_readers.hpp"

namespace soap_gpr {

namespace {

struct Range {
  double low, high;
};

double parameter(const json &value, const Range &range, const Entry &entry, const char *key) {
  if (value.is_number()) {
    const double x = value.get<double>();
    if (x >= range.low && x <= range.high) return x;
  }
  throw Error(entry.where() + " has a parameter of '" + key + "' that is out of range");
}

/// Rows of parameters of functions of one kind.
template <std::size_t n>
std::vector<std::array<double, n>> parameters(Entry &entry, const char *key,
                                              const Range (&ranges)[n]) {
  std::vector<std::array<double, n>> rows;
  for (const json &values : entry.list(key)) {
    if (!values.is_array() || values.size() != n)
      throw Error(entry.where() + " has functions in '" + key + "' with other than " +
                  std::to_string(n) + " parameters");
    auto &row = rows.emplace_back();
    for (std::size_t k = 0; k < n; ++k) row[k] = parameter(values[k], ranges[k], entry, key);
  }
  return rows;
}

constexpr Range kEta = {0, 1e6}, kShift = {0, 1e3}, kKappa = {0, 1e3};
constexpr Range kZeta = {1, 1e4}, kLambda = {-1, 1};

}  // namespace

SymmetryTerm read_symmetry_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                                std::size_t n_species) {
  SymmetryTerm term;
  term.n_species = int(n_species);
  term.cutoff = entry.number("cutoff", 1e-3, 1e3);
  term.g1 = entry.flag("g1");
  term.g2 = parameters(entry, "g2", {kEta, kShift});
  for (const json &kappa : entry.list("g3"))
    term.g3.push_back(parameter(kappa, kKappa, entry, "g3"));
  term.g4 = parameters(entry, "g4", {kEta, kZeta, kLambda});
  term.g5 = parameters(entry, "g5", {kEta, kZeta, kLambda});
  const double n_pairs = 0.5 * double(n_species) * double(n_species + 1);
  const double n_products =
      double(n_species) * double(term.n_radial()) + n_pairs * double(term.n_angular());
  if (n_products < 1 || n_products > kMaxFeatures)
    throw Error(entry.where() + " has no symmetry functions, or too many");
  term.n_products = int(n_products);
  term.kernel = read_kernel(entry);
  read_selection(arrays, prefix, n_species, term);
  read_sparse_sets(arrays, entry, prefix, n_species, term);
  return term;
}

}  // namespace soap_gpr
