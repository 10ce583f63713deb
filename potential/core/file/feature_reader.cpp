// SPDX-License-Identifier: BSD-3-Clause
// What terms of features share: the kernel, which features are kept, sparse sets.
#include "file/term_readers.hpp"

namespace soap_gpr {

namespace {

/// recoupling: R of eq. (5j), or empty; it goes into the points, or else the projection.
SparseSet read_sparse_set(Arrays &arrays, const std::string &prefix, const std::string &suffix,
                          std::size_t n_features, const std::vector<double> &recoupling) {
  SparseSet sparse;
  sparse.rank = int(n_features);
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

FeatureChoice read_choice(Arrays &arrays, const std::string &prefix, const std::string &suffix,
                          int n_products) {
  FeatureChoice choice;
  const std::string name = prefix + "features" + suffix;
  const std::vector<std::int64_t> products = arrays.integers(name, {kAny});
  choice.scales = arrays.read(prefix + "feature_scale" + suffix, {products.size()});
  if (products.empty() || products.size() > kMaxFeatures)
    throw Error("array '" + name + "' has no features, or too many");
  for (std::int64_t product : products) {
    if (product < 0 || product >= n_products)
      throw Error("array '" + name + "' names a product that does not exist");
    choice.products.push_back(int(product));
  }
  choice.n_features = int(choice.products.size());
  return choice;
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

void multiply_rows(std::size_t size, const std::vector<double> &R, std::vector<double> &rows) {
  std::vector<double> product(size);
  for (auto row = rows.begin(); row != rows.end(); row += size) {
    std::fill(product.begin(), product.end(), 0.0);
    for (std::size_t k = 0; k < size; ++k)
      for (std::size_t f = 0; f < size; ++f) product[f] += row[k] * R[k * size + f];
    std::copy(product.begin(), product.end(), row);
  }
}

std::vector<double> read_recoupling(Arrays &arrays, const std::string &name,
                                    FeatureChoice &choice) {
  if (!arrays.has(name)) return {};
  const std::size_t size = choice.n_features;
  std::vector<double> R = arrays.read(name, {size, size}), transposed(R.size());
  for (std::size_t f = 0; f < size; ++f)
    for (std::size_t k = 0; k < size; ++k) transposed[f * size + k] = R[k * size + f];
  multiply_rows(size, R, transposed);
  choice.metric = std::move(transposed);
  return R;
}

Kernel read_kernel(Entry &entry) {
  Kernel kernel;
  kernel.delta = entry.number("delta", 0.0, 1e10);
  kernel.zeta = entry.number("zeta", 1, 100);
  if (entry.has("offset")) kernel.offset = entry.number("offset", 0.0, 1e10);
  kernel.normalized = entry.flag("normalize");
  return kernel;
}

void read_selection(Arrays &arrays, const std::string &prefix, std::size_t n_species,
                    FeatureTerm &term) {
  if (arrays.has(prefix + "features.0")) {
    for (std::size_t a = 0; a < n_species; ++a)
      term.choices.push_back(read_choice(arrays, prefix, "." + std::to_string(a), term.n_products));
  } else if (arrays.has(prefix + "features")) {
    term.choices.push_back(read_choice(arrays, prefix, "", term.n_products));
  } else {
    if (term.n_products > kMaxFeatures)
      throw Error("array '" + prefix +
                  "features' is missing: all products are too many to be features");
    term.choices.emplace_back().n_features = term.n_products;
  }
}

void read_sparse_sets(Arrays &arrays, Entry &entry, const std::string &prefix,
                      std::size_t n_species, FeatureTerm &term) {
  const std::string centers = entry.has("centers") ? entry.word("centers") : "separate";
  term.shared_set = centers == "shared" || centers == "alchemical";
  if (entry.has("centers") && !term.shared_set)
    throw Error(entry.where() + " has an unknown value of centers" + kNewer);
  const bool by_species = arrays.has(prefix + "features.0");
  if (by_species && term.shared_set)
    throw Error(entry.where() + " selects features by species, and has one sparse set for all");
  std::vector<std::vector<double>> recoupling;  // [choice]
  for (FeatureChoice &choice : term.choices) {
    const std::string suffix = by_species ? "." + std::to_string(recoupling.size()) : "";
    recoupling.push_back(read_recoupling(arrays, prefix + "recoupling" + suffix, choice));
  }
  for (std::size_t s = 0; s < (term.shared_set ? 1 : n_species); ++s) {
    const std::string suffix = "." + std::to_string(s);
    const std::size_t n_features = term.choice(int(s)).n_features;
    term.sparse.push_back(
        read_sparse_set(arrays, prefix, suffix, n_features, recoupling[term.choice_of(int(s))]));
    term.n_weights += term.sparse.back().size;
  }
  if (term.shared_set)
    read_coupling(arrays, prefix, centers == "alchemical", n_species, term.sparse[0]);
}

}  // namespace soap_gpr
