// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>

#include "file/term_readers.hpp"
#include "soap/representation.hpp"

namespace soap_gpr {

namespace {

constexpr double kMaxProducts = 2e9;  ///< that a selection may choose from

/// The weights of pseudo-species; all of them have the channels of one table, one block after the
/// other.
void read_map(Arrays &arrays, Entry &entry, const std::string &prefix, std::size_t n_species,
              SoapTerm &term) {
  const std::string name = prefix + "alchemy";
  term.map.weights = arrays.read(name, {n_species, kAny});
  const std::size_t dimensions = arrays.find(name).shape[1];
  term.table_of = counts(entry.list("table_of"));
  const std::size_t n_tables = term.table_of.size();  // at most: the arrays say whether all exist
  bool fits = term.table_of.size() == n_species && dimensions > 0 && dimensions <= kMaxFeatures;
  int last = 0;
  for (int table : term.table_of) {
    fits = fits && table >= 0 && std::size_t(table) < n_tables;
    last = std::max(last, table);
  }
  for (int size : term.n_channels) fits = fits && size % int(dimensions) == 0;
  if (!fits) throw Error("array '" + name + "' does not fit the model file's density channels");
  term.map.dimensions = int(dimensions);
  SpeciesDensity own;
  for (int size : term.n_channels) {
    own.channel_begin.push_back(0);
    own.channel_end.push_back(size / int(dimensions));
  }
  term.densities.assign(last + 1, own);
}

/// Channels of every l, and those that every species feeds.
void read_channels(Arrays &arrays, Entry &entry, const std::string &prefix, std::size_t n_species,
                   SoapTerm &term) {
  term.n_channels = counts(entry.list("n_channels"));
  const std::vector<int> &sizes = term.n_channels;
  std::vector<std::vector<int>> begin, end;
  if (entry.has("table_of")) {
    begin.assign(n_species, std::vector<int>(sizes.size(), 0));
    end.assign(n_species, sizes);
  } else {
    for (const json &of_species : entry.list("channel_begin")) begin.push_back(counts(of_species));
    for (const json &of_species : entry.list("channel_end")) end.push_back(counts(of_species));
  }
  const std::size_t n_l = term.l_max + 1;
  bool fits = sizes.size() == n_l && begin.size() == n_species && end.size() == n_species;
  for (std::size_t a = 0; fits && a < n_species; ++a)
    fits = begin[a].size() == n_l && end[a].size() == n_l;
  double n_features = 0;
  for (std::size_t l = 0; fits && l < n_l; ++l) {
    n_features += 0.5 * sizes[l] * (sizes[l] + 1.0);
    fits = sizes[l] > 0 && n_features <= kMaxFeatures;
    for (std::size_t a = 0; fits && a < n_species; ++a)
      fits = begin[a][l] >= 0 && begin[a][l] <= end[a][l] && end[a][l] <= sizes[l];
  }
  if (!fits) throw Error("the model file's density channels are inconsistent, or too many");
  if (entry.has("table_of")) return read_map(arrays, entry, prefix, n_species, term);
  for (std::size_t a = 0; a < n_species; ++a) {
    term.densities.push_back({begin[a], end[a], {}, {}});
    term.table_of.push_back(int(a));
  }
}

void read_tables(Arrays &arrays, const std::string &prefix, SoapTerm &term) {
  const int dimensions = std::max(1, term.map.dimensions);
  for (std::size_t k = 0; k < term.densities.size(); ++k) {
    SpeciesDensity &own = term.densities[k];
    const std::string suffix = "." + std::to_string(k);
    std::size_t n_channels = 0;
    for (std::size_t l = 0; l < own.channel_begin.size(); ++l)
      n_channels += own.channel_end[l] - own.channel_begin[l];
    own.table = arrays.read(prefix + "table" + suffix, {n_knots(term.segments), 3, n_channels});
    own.central =
        arrays.read(prefix + "central" + suffix, {std::size_t(term.n_channels[0] / dimensions)});
  }
}

void read_representation(Entry &entry, SoapTerm &term) {
  term.representation =
      entry.has("representation") ? entry.word("representation") : "power_spectrum";
  const RepresentationKind *kind = find_representation(term.representation);
  if (!kind) throw Error(entry.where() + " has an unknown representation" + kNewer);
  if (entry.has("parity")) {
    const std::string parity = entry.word("parity");
    if (parity != "even" && parity != "both")
      throw Error(entry.where() + " has an unknown parity" + kNewer);
    if (term.representation != "bispectrum")
      throw Error(entry.where() + " has a parity, which only bispectra have");
    term.odd_products = parity == "both";
  }
  const double n = kind->n_products(term);
  if (n > kMaxProducts) throw Error(entry.where() + " has too many products of density channels");
  term.n_products = int(n);
}

/// Of a term that is fitted again from its sparse structures; evaluation does without.
void check_structures(Arrays &arrays, const std::string &prefix) {
  const std::vector<std::int64_t> sizes = arrays.integers(prefix + "sizes", {kAny});
  const std::vector<std::int64_t> numbers = arrays.integers(prefix + "numbers", {kAny});
  const std::int64_t n_atoms = numbers.size();
  std::int64_t total = 0;
  bool fits = true;
  for (std::int64_t size : sizes) {
    fits = fits && size > 0 && size <= n_atoms - total;
    if (fits) total += size;
  }
  if (!fits || total != n_atoms)
    throw Error("array '" + prefix + "sizes' does not fit the number of atoms");
  for (std::int64_t z : numbers)
    if (!is_species(z)) throw Error("array '" + prefix + "numbers' holds what is no atomic number");
  arrays.read(prefix + "positions", {numbers.size(), 3});
  arrays.read(prefix + "cells", {sizes.size(), 3, 3});
  arrays.integers(prefix + "pbc", {sizes.size(), 3});
  arrays.read(prefix + "coefficients", {numbers.size(), 3});
}

}  // namespace

SoapTerm read_soap_features(Arrays &arrays, Entry &entry, const std::string &prefix,
                            std::size_t n_species) {
  SoapTerm term;
  term.cutoff = entry.number("cutoff", 1e-3, 1e3);
  term.l_max = entry.count("l_max", 0, kMaxL);
  term.kernel = read_kernel(entry);
  term.segments = read_segments(entry.list("segments"));
  if (term.segments.empty() ||
      std::abs(term.segments.back().end - term.cutoff) > 1e-12 * term.cutoff)
    throw Error("the model file's spline segments do not end at the cutoff");
  read_channels(arrays, entry, prefix, n_species, term);
  read_representation(entry, term);
  read_selection(arrays, prefix, n_species, term);
  read_tables(arrays, prefix, term);
  return term;
}

SoapTerm read_soap_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                        std::size_t n_species) {
  SoapTerm term = read_soap_features(arrays, entry, prefix, n_species);
  read_sparse_sets(arrays, entry, prefix, n_species, term);
  if (entry.has("sparse_basis")) {
    if (entry.word("sparse_basis") != "derivatives")
      throw Error(entry.where() + " has an unknown sparse_basis" + kNewer);
    const Kernel &kernel = term.kernel;
    if (!kernel.normalized || kernel.offset != 0 || kernel.integer_zeta() == 0 || term.shared_set)
      throw Error(entry.where() +
                  " has the sparse_basis 'derivatives' with another kernel than "
                  "a normalised one of an integer zeta, no offset and separate centers");
    check_structures(arrays, prefix + "structures.");
  }
  return term;
}

}  // namespace soap_gpr
