// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>

#include "file/term_readers.hpp"
#include "soap/kernel.hpp"

namespace soap_gpr {

namespace {

/// Products of channels of one term. Evaluation has some numbers in memory for each, whether or not
/// an array of the file is as long.
constexpr double kMaxFeatures = 1e7;

/// Channel ranges of every species and, from them, the layout of c and p.
std::vector<std::vector<ChannelGroup>> read_channels(Entry &entry, std::size_t n_species,
                                                     SoapTerm &term) {
  const std::vector<int> sizes = counts(entry.list("n_channels"));
  std::vector<std::vector<int>> begin, end;
  for (const json &of_species : entry.list("channel_begin")) begin.push_back(counts(of_species));
  for (const json &of_species : entry.list("channel_end")) end.push_back(counts(of_species));
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

  std::vector<std::vector<ChannelGroup>> groups(n_species);
  for (std::size_t l = 0; l < n_l; ++l) {
    int stride = padded(sizes[l]);
    for (std::size_t a = 0; a < n_species; ++a) {
      const int size = end[a][l] - begin[a][l];
      const int offset = l ? groups[a].back().offset + padded(groups[a].back().size) : 0;
      groups[a].push_back({begin[a][l], size, offset});
      stride = std::max(stride, padded(begin[a][l] + padded(size)));
    }
    term.channels.push_back({sizes[l], stride, term.n_coefficients, term.n_products});
    term.n_coefficients += int(2 * l + 1) * stride;
    term.n_products += sizes[l] * (sizes[l] + 1) / 2;
  }
  return groups;
}

SparseSet read_sparse_set(Arrays &arrays, const std::string &prefix, const std::string &suffix,
                          const SoapTerm &term) {
  SparseSet sparse;
  const std::size_t n_features = term.n_features;
  sparse.rank = term.n_features;
  const std::string projection = prefix + "projection" + suffix, points = prefix + "sparse_points";
  if (arrays.has(projection)) {
    sparse.projection = arrays.read(projection, {kAny, n_features});
    const std::size_t rank = arrays.find(projection).shape[0];
    if (rank < 1 || rank > n_features)
      throw Error("array '" + projection + "' has more rows than columns, or none");
    sparse.rank = int(rank);
  }
  sparse.points = arrays.read(points + suffix, {kAny, std::size_t(sparse.rank)});
  sparse.size = int(arrays.find(points + suffix).shape[0]);
  sparse.weights = arrays.read(prefix + "weights" + suffix, {std::size_t(sparse.size)});
  collapse(term, sparse);
  return sparse;
}

Kernel read_kernel(Entry &entry) {
  Kernel kernel;
  kernel.delta = entry.number("delta", 0.0, 1e10);
  kernel.zeta = entry.number("zeta", 1, 100);
  kernel.integer_zeta = kernel.zeta == std::floor(kernel.zeta) ? int(kernel.zeta) : 0;
  if (entry.has("offset")) kernel.offset = entry.number("offset", 0.0, 1e10);
  kernel.normalized = entry.flag("normalize");
  return kernel;
}

/// Which products are the features: those of the array, or all.
void read_selection(Arrays &arrays, const std::string &prefix, SoapTerm &term) {
  const std::string name = prefix + "features";
  term.n_features = term.n_products;
  if (!arrays.has(name)) return;
  const std::vector<std::int64_t> products = arrays.integers(name, {kAny});
  term.selection_scale = arrays.read(prefix + "feature_scale", {products.size()});
  if (products.empty() || products.size() > kMaxFeatures)
    throw Error("array '" + name + "' has no features, or too many");
  for (std::int64_t product : products) {
    if (product < 0 || product >= term.n_products)
      throw Error("array '" + name + "' names a product that does not exist");
    term.selection.push_back(int(product));
  }
  term.n_features = int(term.selection.size());
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
    if (z < 1 || z > kMaxAtomicNumber)
      throw Error("array '" + prefix + "numbers' holds what is no atomic number");
  arrays.read(prefix + "positions", {numbers.size(), 3});
  arrays.read(prefix + "cells", {sizes.size(), 3, 3});
  arrays.integers(prefix + "pbc", {sizes.size(), 3});
  arrays.read(prefix + "coefficients", {numbers.size(), 3});
}

}  // namespace

SoapTerm read_soap_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                        std::size_t n_species) {
  SoapTerm term;
  term.cutoff = entry.number("cutoff", 1e-3, 1e3);
  term.l_max = entry.count("l_max", 0, kMaxL);
  term.kernel = read_kernel(entry);
  term.harmonics = SphericalHarmonics(term.l_max);
  const auto segments = read_segments(entry.list("segments"));
  if (segments.empty() || std::abs(segments.back().end - term.cutoff) > 1e-12 * term.cutoff)
    throw Error("the model file's spline segments do not end at the cutoff");
  const auto groups = read_channels(entry, n_species, term);
  read_selection(arrays, prefix, term);
  for (std::size_t a = 0; a < n_species; ++a) {
    const std::string suffix = "." + std::to_string(a);
    std::size_t n_channels = 0;
    for (const ChannelGroup &group : groups[a]) n_channels += group.size;
    const auto table = arrays.read(prefix + "table" + suffix, {n_knots(segments), 3, n_channels});
    term.tables.emplace_back(segments, groups[a], table.data());
    term.central.push_back(
        arrays.read(prefix + "central" + suffix, {std::size_t(term.channels[0].size)}));
    term.sparse.push_back(read_sparse_set(arrays, prefix, suffix, term));
  }
  if (entry.has("sparse_basis")) {
    if (entry.word("sparse_basis") != "derivatives")
      throw Error(entry.where() + " has an unknown sparse_basis" + kNewer);
    if (!term.kernel.plain() || !term.selection.empty())
      throw Error(entry.where() + " has a sparse_basis with a kernel that cannot be fitted");
    check_structures(arrays, prefix + "structures.");
  }
  return term;
}

}  // namespace soap_gpr
