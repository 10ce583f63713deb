// SPDX-License-Identifier: BSD-3-Clause
#include "uncertainty/variance.hpp"

#include <cmath>

#include "uncertainty/cluster_kernels.hpp"

namespace soap_gpr {

namespace {

/// The kernel of an environment with itself, where y · y is `square`.
double kernel_at(const Kernel &kernel, double square) {
  return KernelFunction(kernel)(broadcast(square), 1.0).value[0];
}

/// pᵀ G p.
double square(const FeatureChoice &choice, const double *p) {
  const std::size_t n = choice.n_features;
  double total = 0;
  for (std::size_t f = 0; f < n; ++f) {
    double dual = choice.metric.empty() ? p[f] : 0;
    for (std::size_t k = 0; k < n && !choice.metric.empty(); ++k)
      dual += choice.metric[f * n + k] * p[k];
    total += p[f] * dual;
  }
  return total;
}

/// sums[centre] += |T k|² for the kernels k with the points from `first_point` on.
void add_squares(const LowerTriangle &T, const KernelPanels &panels, std::size_t first_point,
                 double *sums) {
  alignas(64) double product[LowerTriangle::kGroup * kPanelWidth];
  for (int row = 0; row < T.size(); row += LowerTriangle::kGroup) {
    const LowerTriangle::Rows rows = T.rows(row);
    for (int first = 0; first < panels.n_centers(); first += kPanelWidth) {
      const int width = panels.width(first);
      panel_product<false>(width, rows.n, rows.depth, {rows.values, std::size_t(rows.depth), 1},
                           panels.panel(first) + first_point * width, product);
      for (int i = 0; i < width; i += kLanes) {
        Lanes sum = load(sums + first + i);
        for (int r = 0; r < rows.n; ++r) {
          const Lanes own = load(product + r * width + i);
          sum += own * own;
        }
        store(sums + first + i, sum);
      }
    }
  }
}

}  // namespace

VarianceWorkspace::VarianceWorkspace(const ModelData &data)
    : data_(data), variance_(*data.variance), full_(data.terms.size()), own_(data.terms.size()) {
  for (std::size_t t = 0; t < data.terms.size(); ++t)
    for (const SparseSet &set : variance_.terms[t].full)
      full_[t].emplace_back(feature_term(data.terms[t])->kernel, set, set.rank);
}

void VarianceWorkspace::start(const Environments &environments, const std::size_t *centers, int n) {
  centers_ = centers;
  species_ = environments.species[centers[0]];
  panels_.resize(n, variance_.begin[species_].back());
  for (std::vector<double> &own : own_) own.assign(n, 0.0);
}

const KernelColumns *VarianceWorkspace::columns(std::size_t term, const std::size_t *centers) {
  columns_ = {&panels_, int(centers - centers_), variance_.begin[species_][term]};
  return &columns_;
}

const KernelColumns *VarianceWorkspace::add_features(std::size_t term, const std::size_t *centers,
                                                     int n, const FeatureBlock &block) {
  const FeatureTerm &own = *feature_term(data_.terms[term]);
  const std::size_t s = own.set_of(species_), n_features = block.n_features();
  const auto &coupling = own.sparse[s].coupling;
  const double scale = coupling.empty() ? 1 : coupling[species_][species_];
  const KernelColumns *kernels = columns(term, centers);
  for (int i = 0; i < n; ++i) {
    // of unit length also where p = 0: an atom without neighbours is one that nothing is known of
    const double length =
        own.kernel.normalized ? 1 : square(own.choice(species_), block.p_hat() + i * n_features);
    own_[term][kernels->first_center + i] = scale * kernel_at(own.kernel, length);
  }
  if (full_[term].empty() || full_[term][s].empty()) return kernels;
  const KernelSum &sum = full_[term][s];
  const std::vector<int> species(n, species_);
  scratch_.resize(std::max(scratch_.size(), sum.scratch_size(n)));
  KernelSum::Sums sums;
  sums.kernels = kernels;
  sum.add({n, species.data(), block.p_hat(), block.p_hat(), block.norm()}, scratch_.data(), sums);
  return nullptr;
}

const KernelColumns *VarianceWorkspace::add_product(std::size_t term, const std::size_t *centers,
                                                    int n) {
  const auto &own = std::get<ProductTerm>(data_.terms[term]);
  double kernel = own.delta * own.delta;
  for (const SoapTerm &factor : own.factors) kernel *= kernel_at(factor.kernel, 1);
  const KernelColumns *kernels = columns(term, centers);
  std::fill_n(&own_[term][kernels->first_center], n, kernel);
  return kernels;
}

void VarianceWorkspace::add_clusters(std::size_t term, const Environments &environments) {
  const std::size_t begin = variance_.begin[species_][term];
  const std::size_t size = variance_.begin[species_][term + 1] - begin;
  const std::size_t n_species = data_.species.size();
  for (int c = 0; size && c < panels_.n_centers(); ++c) {
    row_.assign(size, 0.0);
    if (const auto *pair = std::get_if<PairTerm>(&data_.terms[term]))
      add_pair_kernels(*pair, variance_.terms[term].pairs, environments, n_species, centers_[c],
                       row_.data());
    else
      add_triplet_kernels(std::get<TripletTerm>(data_.terms[term]), variance_.terms[term].triplets,
                          environments, n_species, centers_[c], neighbors_, row_.data());
    for (std::size_t m = 0; m < size; ++m) panels_.at(c, begin + m) = row_[m];
  }
}

void VarianceWorkspace::find_left() {
  const std::size_t n = panels_.n_centers();
  left_.assign(own_.size(), {});
  for (std::size_t t = 0; t < own_.size(); ++t) {
    const auto &sets = variance_.terms[t].prior;
    if (sets.empty()) continue;
    const LowerTriangle &V = sets[sets.size() > 1 ? species_ : 0];
    if (V.size() == 0) continue;  // the term says nothing of this species
    known_.assign(padded(int(n)), 0.0);
    add_squares(V, panels_, variance_.begin[species_][t], known_.data());
    for (std::size_t i = 0; i < n; ++i) left_[t].push_back(std::max(own_[t][i] - known_[i], 0.0));
  }
}

void VarianceWorkspace::write(const LowerTriangle &P, const double *scales, double *variance,
                              double *rigidity) {
  const std::size_t n = panels_.n_centers();
  posterior_.assign(padded(int(n)), 0.0);
  add_squares(P, panels_, 0, posterior_.data());
  for (std::size_t i = 0; i < n; ++i) {
    double total = posterior_[i];
    for (std::size_t t = 0; variance && t < left_.size(); ++t)
      if (!left_[t].empty()) total += scales ? scales[t] * left_[t][i] : left_[t][i];
    if (!std::isfinite(total)) throw Error("a variance is not finite");
    if (variance) variance[centers_[i]] = total;
    if (rigidity) rigidity[centers_[i]] = 1 / posterior_[i];
  }
}

void VarianceWorkspace::finish(const Outputs &outputs, std::size_t n_atoms) {
  if (outputs.variance || outputs.target_variance) find_left();
  if (outputs.variance || outputs.rigidity)
    write(variance_.posterior[species_], nullptr, outputs.variance, outputs.rigidity);
  if (!outputs.target_variance && !outputs.target_rigidity) return;
  for (std::size_t h = 0; h < variance_.targets.size(); ++h) {
    const TargetVariance &own = variance_.targets[h];
    if (own.posterior.empty() || own.posterior[species_].size() == 0) continue;
    const auto of_target = [&](double *values) { return values ? values + h * n_atoms : nullptr; };
    write(own.posterior[species_], own.prior[species_].data(), of_target(outputs.target_variance),
          of_target(outputs.target_rigidity));
  }
}

}  // namespace soap_gpr
