// SPDX-License-Identifier: BSD-3-Clause
// The arrays variance.* of a model file, whose shapes follow from the terms.
#include <cmath>

#include "file/term_readers.hpp"

namespace soap_gpr {

namespace {

LowerTriangle read_triangle(Arrays &arrays, const std::string &name, std::size_t size) {
  const std::vector<double> matrix = arrays.read(name, {size, size});
  for (std::size_t row = 0; row < size; ++row)
    for (std::size_t column = row + 1; column < size; ++column)
      if (matrix[row * size + column] != 0)
        throw Error("array '" + name + "' holds numbers above its diagonal");
  return {int(size), matrix.data()};
}

/// The sets of a term of features or products, of which those of a compressed one are there in
/// full.
class SetReader {
 public:
  SetReader(Arrays &arrays, std::size_t term)
      : arrays_(arrays),
        prefix_("term" + std::to_string(term) + "."),
        by_species_(arrays.has(prefix_ + "recoupling.0")) {}

  LowerTriangle prior(std::size_t s, const SparseSet &set) {
    return read_triangle(arrays_, "variance.prior." + prefix_ + std::to_string(s), set.size);
  }
  /// Of size 0 where the set is not compressed.
  SparseSet full(std::size_t s, const SparseSet &set, std::size_t n_features) {
    SparseSet own;
    if (set.projection.empty()) return own;
    const std::string suffix = "." + std::to_string(s);
    own.size = set.size;
    own.rank = int(n_features);
    own.species = set.species;
    own.coupling = set.coupling;
    own.points = arrays_.read("variance.sparse_points." + prefix_ + std::to_string(s),
                              {std::size_t(set.size), n_features});
    const std::string recoupling = prefix_ + "recoupling" + (by_species_ ? suffix : "");
    if (arrays_.has(recoupling))
      multiply_rows(n_features, arrays_.read(recoupling, {n_features, n_features}), own.points);
    return own;
  }

 private:
  Arrays &arrays_;
  std::string prefix_;
  bool by_species_;
};

/// values[rows][columns] with the columns first.
std::vector<double> transposed(std::size_t rows, std::size_t columns,
                               const std::vector<double> &values) {
  std::vector<double> out(values.size());
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) out[c * rows + r] = values[r * columns + c];
  return out;
}

/// Of the terms of features that have weights.
struct TermReader {
  Arrays &arrays;
  std::size_t index;
  TermVariance &variance;

  void operator()(const FeatureTerm &term) {
    SetReader reader(arrays, index);
    for (std::size_t s = 0; s < term.sparse.size(); ++s) {
      const SparseSet &set = term.sparse[s];
      variance.prior.push_back(reader.prior(s, set));
      variance.full.push_back(reader.full(s, set, term.choice(int(s)).n_features));
    }
  }
  void operator()(const ProductTerm &term) {
    SetReader reader(arrays, index);
    for (std::size_t s = 0; s < term.factors[0].sparse.size(); ++s)
      variance.prior.push_back(reader.prior(s, term.factors[0].sparse[s]));
  }
  void operator()(const PairTerm &term) {
    for (std::size_t p = 0; has_weights(p); ++p) {
      const std::size_t size = n_weights(p), n_knots = term.functions[p].grid.n_knots();
      const auto knots = arrays.read("variance.table." + name(p), {size, n_knots, 3});
      variance.pairs.push_back({size, transposed(size, 3 * n_knots, knots)});
    }
  }
  void operator()(const TripletTerm &term) {
    const std::size_t n_radial = term.radial.n_coefficients(),
                      n_third = term.third.n_coefficients();
    for (std::size_t p = 0; has_weights(p); ++p) {
      const std::size_t size = n_weights(p);
      variance.triplets.push_back({size, arrays.read("variance.first." + name(p), {n_radial, size}),
                                   arrays.read("variance.second." + name(p), {n_radial, size}),
                                   arrays.read("variance.third." + name(p), {n_third, size})});
    }
  }

 private:
  std::string name(std::size_t p) const {
    return "term" + std::to_string(index) + "." + std::to_string(p);
  }
  // of functions: none of a fixed term has any
  std::string weights(std::size_t p) const {
    return "term" + std::to_string(index) + ".weights." + std::to_string(p);
  }
  bool has_weights(std::size_t p) const { return arrays.has(weights(p)); }
  std::size_t n_weights(std::size_t p) const { return arrays.find(weights(p)).shape[0]; }
};

/// Kernels of a centre of species a with the points of a term.
std::size_t n_points(const TermVariance &variance, std::size_t a, std::size_t n_species) {
  if (!variance.prior.empty()) return variance.prior[variance.prior.size() > 1 ? a : 0].size();
  std::size_t n = 0;
  for (std::size_t b = 0; !variance.pairs.empty() && b < n_species; ++b)
    n += variance.pairs[pair_index(a, b, n_species)].size;
  for (std::size_t b = 0; !variance.triplets.empty() && b < n_species; ++b)
    for (std::size_t c = b; c < n_species; ++c)
      n += variance.triplets[triplet_index(a, b, c, n_species)].size;
  return n;
}

}  // namespace

void read_variance(Arrays &arrays, ModelData &data) {
  Variance variance;
  for (std::size_t t = 0; t < data.terms.size(); ++t)
    std::visit(TermReader{arrays, t, variance.terms.emplace_back()}, data.terms[t]);
  for (std::size_t a = 0; a < data.species.size(); ++a) {
    std::vector<std::size_t> &begin = variance.begin.emplace_back(1, 0);
    for (std::size_t t = 0; t < data.terms.size(); ++t)
      begin.push_back(begin.back() + n_points(variance.terms[t], a, data.species.size()));
    const std::string name = "variance.posterior." + std::to_string(a);
    if (data.uncertainty.has_variance)
      variance.posterior.push_back(read_triangle(arrays, name, begin.back()));
  }
  data.variance = std::move(variance);
}

void read_target_variance(Arrays &arrays, std::size_t h, ModelData &data) {
  const Target &target = data.targets[h];
  Variance &variance = *data.variance;
  const std::string name = "variance.target" + std::to_string(h) + ".";
  const std::size_t n_terms = data.terms.size(), n_species = data.species.size();
  const std::vector<double> scale = arrays.read(name + "scale", {n_species, n_terms});
  TargetVariance &own = variance.targets.emplace_back();
  if (!target.per_atom) {  // of a whole structure: for Python, which has all its atoms together
    std::size_t size = 0;
    for (std::size_t t = 0; t < n_terms; ++t)
      if (arrays.has("target" + std::to_string(h) + ".term" + std::to_string(t) + ".weights.0"))
        for (const LowerTriangle &set : variance.terms[t].prior) size += set.size();
    read_triangle(arrays, name + "posterior", size);
    return;
  }
  for (std::size_t a = 0; a < n_species; ++a) {
    own.prior.emplace_back();
    for (std::size_t t = 0; t < n_terms; ++t)
      own.prior[a].push_back(scale[a * n_terms + t] * scale[a * n_terms + t]);
    own.posterior.emplace_back();
    if (!std::isnan(target.mean[a]))
      own.posterior[a] =
          read_triangle(arrays, name + "posterior." + std::to_string(a), variance.begin[a].back());
  }
}

}  // namespace soap_gpr
