// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>

#include "kernel.hpp"
#include "term_readers.hpp"

namespace soap_gpr {

namespace {

constexpr double kMaxFeatures = 1e8;  ///< of one term, so that Q_l stays below 15 000

/// Channel ranges of every species and, from them, the layout of c and p.
std::vector<std::vector<ChannelGroup>> read_channels(const json &entry, std::size_t n_species,
                                                     SoapTerm &term) {
  const std::vector<int> sizes = counts(entry.at("n_channels"));
  std::vector<std::vector<int>> begin, end;
  for (const json &of_species : entry.at("channel_begin")) begin.push_back(counts(of_species));
  for (const json &of_species : entry.at("channel_end")) end.push_back(counts(of_species));
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
  if (!fits) throw Error("the model file's density channels are inconsistent");

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

SparseSet read_sparse_set(const TensorFile &file, const std::string &prefix,
                          const std::string &suffix, const SoapTerm &term) {
  SparseSet sparse;
  const std::size_t n_features = term.n_features;
  sparse.rank = term.n_features;
  const std::string projection = prefix + "projection" + suffix, points = prefix + "sparse_points";
  if (file.tensors.count(projection)) {
    sparse.projection = read(file, projection, {kAny, n_features});
    const std::size_t rank = find(file, projection).shape[0];
    if (rank < 1 || rank > n_features)
      throw Error("array '" + projection + "' has more rows than columns, or none");
    sparse.rank = int(rank);
  }
  sparse.points = read(file, points + suffix, {kAny, std::size_t(sparse.rank)});
  sparse.size = int(find(file, points + suffix).shape[0]);
  sparse.weights = read(file, prefix + "weights" + suffix, {std::size_t(sparse.size)});
  collapse(term, sparse);
  return sparse;
}

Kernel read_kernel(const json &entry) {
  Kernel kernel;
  kernel.delta = get(entry, "delta", 0.0, 1e10);
  kernel.zeta = get(entry, "zeta", 1, 100);
  kernel.integer_zeta = kernel.zeta == std::floor(kernel.zeta) ? int(kernel.zeta) : 0;
  if (entry.contains("offset")) kernel.offset = get(entry, "offset", 0.0, 1e10);
  kernel.normalized = entry.at("normalize").get<bool>();
  return kernel;
}

/// Which products are the features: those of the array, or all.
void read_selection(const TensorFile &file, const std::string &prefix, SoapTerm &term) {
  const std::string name = prefix + "features";
  term.n_features = term.n_products;
  if (!file.tensors.count(name)) return;
  const Tensor &tensor = find(file, name);
  term.selection_scale = read(file, prefix + "feature_scale", {kAny});
  if (tensor.shape.size() != 1 || tensor.shape[0] != term.selection_scale.size() ||
      tensor.shape[0] < 1 || tensor.shape[0] > kMaxFeatures)
    throw Error("array '" + name + "' has the unexpected shape " + text(tensor.shape));
  for (std::int64_t product : tensor.integers()) {
    if (product < 0 || product >= term.n_products)
      throw Error("array '" + name + "' names a product that does not exist");
    term.selection.push_back(int(product));
  }
  term.n_features = int(term.selection.size());
}

}  // namespace

SoapTerm read_soap_term(const TensorFile &file, const json &entry, const std::string &prefix,
                        std::size_t n_species) {
  SoapTerm term;
  term.cutoff = get(entry, "cutoff", 1e-3, 1e3);
  term.l_max = get_count(entry, "l_max", 0, kMaxL);
  term.kernel = read_kernel(entry);
  term.harmonics = SphericalHarmonics(term.l_max);
  const auto segments = read_segments(entry.at("segments"));
  if (segments.empty() || std::abs(segments.back().end - term.cutoff) > 1e-12 * term.cutoff)
    throw Error("the model file's spline segments do not end at the cutoff");
  const auto groups = read_channels(entry, n_species, term);
  read_selection(file, prefix, term);
  for (std::size_t a = 0; a < n_species; ++a) {
    const std::string suffix = "." + std::to_string(a);
    std::size_t n_channels = 0;
    for (const ChannelGroup &group : groups[a]) n_channels += group.size;
    const auto table = read(file, prefix + "table" + suffix, {n_knots(segments), 3, n_channels});
    term.tables.emplace_back(segments, groups[a], table.data());
    term.central.push_back(
        read(file, prefix + "central" + suffix, {std::size_t(term.channels[0].size)}));
    term.sparse.push_back(read_sparse_set(file, prefix, suffix, term));
  }
  return term;
}

}  // namespace soap_gpr
