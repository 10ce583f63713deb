// SPDX-License-Identifier: BSD-3-Clause
// What terms of features share: the kernel, which features are kept, sparse sets.
#include "file/term_readers.hpp"

namespace soap_gpr {

namespace {

/// rows[n][size] R of a matrix R[size][size], in place.
void multiply_rows(std::size_t size, const std::vector<double> &R, std::vector<double> &rows) {
  std::vector<double> product(size);
  for (auto row = rows.begin(); row != rows.end(); row += size) {
    std::fill(product.begin(), product.end(), 0.0);
    for (std::size_t k = 0; k < size; ++k)
      for (std::size_t f = 0; f < size; ++f) product[f] += row[k] * R[k * size + f];
    std::copy(product.begin(), product.end(), row);
  }
}

/// R of eq. (5j) where features are recoupled, else empty; the term gets G = Rᵀ R.
std::vector<double> read_recoupling(Arrays &arrays, const std::string &prefix, FeatureTerm &term) {
  const std::string name = prefix + "recoupling";
  if (!arrays.has(name)) return {};
  const std::size_t size = term.n_features;
  std::vector<double> R = arrays.read(name, {size, size}), transposed(R.size());
  for (std::size_t f = 0; f < size; ++f)
    for (std::size_t k = 0; k < size; ++k) transposed[f * size + k] = R[k * size + f];
  multiply_rows(size, R, transposed);
  term.metric = std::move(transposed);
  return R;
}

/// recoupling: R of eq. (5j), or empty; it goes into the points, or else the projection.
SparseSet read_sparse_set(Arrays &arrays, const std::string &prefix, const std::string &suffix,
                          const FeatureTerm &term, const std::vector<double> &recoupling) {
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
  if (!recoupling.empty())
    multiply_rows(n_features, recoupling,
                  sparse.projection.empty() ? sparse.points : sparse.projection);
  return sparse;
}

/// Of a set that serves the centres of all species: those of its points, and κ_c.
void read_coupling(Arrays &arrays, const std::string &prefix, bool alchemical,
                   std::size_t n_species, SparseSet &sparse) {
  const std::string name = prefix + "sparse_species";
  for (std::int64_t a : arrays.integers(name, {std::size_t(sparse.size)})) {
    if (a < 0 || a >= std::int64_t(n_species))
      throw Error("array '" + name + "' holds what is no species of the model");
    sparse.species.push_back(int(a));
  }
  if (!alchemical) return;
  const auto coupling = arrays.read(prefix + "coupling", {n_species, n_species});
  for (std::size_t a = 0; a < n_species; ++a)
    sparse.coupling.emplace_back(&coupling[a * n_species], &coupling[a * n_species] + n_species);
}

}  // namespace

Kernel read_kernel(Entry &entry) {
  Kernel kernel;
  kernel.delta = entry.number("delta", 0.0, 1e10);
  kernel.zeta = entry.number("zeta", 1, 100);
  if (entry.has("offset")) kernel.offset = entry.number("offset", 0.0, 1e10);
  kernel.normalized = entry.flag("normalize");
  return kernel;
}

void read_selection(Arrays &arrays, const std::string &prefix, FeatureTerm &term) {
  const std::string name = prefix + "features";
  term.n_features = term.n_products;
  if (!arrays.has(name)) {
    if (term.n_products <= kMaxFeatures) return;
    throw Error("array '" + name + "' is missing: all products are too many to be features");
  }
  const std::vector<std::int64_t> products = arrays.integers(name, {kAny});
  term.feature_scale = arrays.read(prefix + "feature_scale", {products.size()});
  if (products.empty() || products.size() > kMaxFeatures)
    throw Error("array '" + name + "' has no features, or too many");
  for (std::int64_t product : products) {
    if (product < 0 || product >= term.n_products)
      throw Error("array '" + name + "' names a product that does not exist");
    term.selection.push_back(int(product));
  }
  term.n_features = int(term.selection.size());
}

void read_sparse_sets(Arrays &arrays, Entry &entry, const std::string &prefix,
                      std::size_t n_species, FeatureTerm &term) {
  const std::string centers = entry.has("centers") ? entry.word("centers") : "separate";
  term.shared_set = centers == "shared" || centers == "alchemical";
  if (entry.has("centers") && !term.shared_set)
    throw Error(entry.where() + " has an unknown value of centers" + kNewer);
  const std::vector<double> recoupling = read_recoupling(arrays, prefix, term);
  for (std::size_t s = 0; s < (term.shared_set ? 1 : n_species); ++s) {
    const std::string suffix = "." + std::to_string(s);
    term.sparse.push_back(read_sparse_set(arrays, prefix, suffix, term, recoupling));
    term.n_weights += term.sparse.back().size;
  }
  if (term.shared_set)
    read_coupling(arrays, prefix, centers == "alchemical", n_species, term.sparse[0]);
}

}  // namespace soap_gpr
