// SPDX-License-Identifier: BSD-3-Clause
#include "soap/product_layout.hpp"

#include <algorithm>

#include "base/block_product.hpp"
#include "base/lanes_of_rows.hpp"
#include "features/unit_length.hpp"
#include "soap/soap_layout.hpp"
#include "soap/weight_columns.hpp"
#include "uncertainty/kernel_panels.hpp"

namespace soap_gpr {

namespace {

WeightColumns members(const SparseSet &set) { return {set, kMembers}; }

}  // namespace

ProductLayout::ProductLayout(const ProductTerm &own) : term(own) {
  for (const SoapTerm &factor : own.factors)
    factors.push_back(std::make_unique<SoapLayout>(factor));
}

int ProductLayout::n_features() const {
  int n = 0;
  for (const SoapTerm &factor : term.factors) n += factor.choices[0].n_features;
  return n;
}

Lanes product_kernel(const ProductTerm &term, double weight, Lanes *x) {
  const int n = int(term.factors.size());
  Lanes value[kMaxFactors], slope[kMaxFactors];
  for (int f = 0; f < n; ++f) {
    const auto own = KernelFunction(term.factors[f].kernel)(x[f], 1.0);
    value[f] = own.value;
    slope[f] = own.slope;
  }
  // products of all others from both ends: a division would fail where a kernel is zero
  Lanes before = broadcast(weight * term.delta * term.delta);
  for (int f = 0; f < n; ++f) {
    x[f] = before * slope[f];
    before *= value[f];
  }
  Lanes after = broadcast(1.0);
  for (int f = n - 1; f >= 0; --f) {
    x[f] *= after;
    after *= value[f];
  }
  return before;
}

ProductWorkspace::ProductWorkspace(const ProductLayout &layout) : layout_(layout) {
  std::size_t most = 0;
  for (const auto &factor : layout.factors) {
    blocks_.push_back(factor->make_block(kPanelWidth, 0));
    const std::size_t n_features = blocks_.back()->n_features();
    p_hat_.emplace_back(n_features * kPanelWidth);
    g_hat_.emplace_back(n_features * kPanelWidth);
    slopes_.emplace_back();
    dot_.emplace_back(std::size_t(kKernelTile) * kPanelWidth);
    most = std::max(most, n_features);
  }
  g_.resize(most * kPanelWidth);
  std::size_t n_columns = 0;
  for (const SparseSet &set : layout.term.factors[0].sparse) {
    std::size_t own = 0;
    for (int kind = 0; kind < kColumnKinds; ++kind) own += WeightColumns(set, kind).n;
    n_columns = std::max(n_columns, own);
  }
  sums_.resize(n_columns * kPanelWidth);
  kernels_.resize(n_columns ? kKernelTile * kPanelWidth : 0);
}

void ProductWorkspace::evaluate(const Environments &environments, const std::size_t *centers, int n,
                                const KernelColumns *kernels, const Outputs &outputs) {
  if (layout_.term.factors[0].sparse[environments.species[centers[0]]].size == 0) return;
  for (int first = 0; first < n; first += kPanelWidth)
    evaluate_panel(environments, centers + first, std::min(kPanelWidth, n - first), kernels, first,
                   outputs);
}

void ProductWorkspace::evaluate_panel(const Environments &environments, const std::size_t *centers,
                                      int n, const KernelColumns *kernels, int first,
                                      const Outputs &outputs) {
  const int species = environments.species[centers[0]], width = padded(n);
  const bool gradient = outputs.f_ij != nullptr;
  const SparseSet &set = layout_.term.factors[0].sparse[species];
  const bool member_forces = outputs.member_f_ij && members(set).n;
  for (std::size_t f = 0; f < blocks_.size(); ++f) {
    blocks_[f]->compute(environments, centers, n);
    panel_of_rows(n, n_features(f), blocks_[f]->p_hat(), p_hat_[f].data());
    std::fill(g_hat_[f].begin(), g_hat_[f].end(), 0.0);
    if (member_forces) slopes_[f].resize(std::size_t(set.size) * kPanelWidth);
  }
  Lanes energies[kPanelVectors] = {};
  std::fill(sums_.begin(), sums_.end(), 0.0);
  for (int begin = 0; begin < set.size; begin += kKernelTile) {
    const int n_points = std::min(kKernelTile, set.size - begin);
    multiply_tile(species, begin, n_points, width);
    if (kernels) store_kernels(*kernels, first, begin, n_points, width);
    if (outputs.targets || outputs.members || outputs.target_members || member_forces)
      add_columns(set, begin, n_points, width, outputs);
    add_tile(species, begin, n_points, width, gradient, energies);
  }
  for (int i = 0; i < n; ++i) outputs.energies[centers[i]] += energies[i / kLanes][i % kLanes];
  hand_out(set, environments.n_atoms, centers, n, outputs);
  for (std::size_t f = 0; gradient && f < blocks_.size(); ++f) {
    representation_adjoint(f, n, 0);
    blocks_[f]->expansion_adjoint(1, outputs.f_ij, 0);
  }
  if (member_forces)
    add_member_forces(species, n, environments.offset[environments.n_atoms], outputs.member_f_ij);
}

void ProductWorkspace::representation_adjoint(std::size_t f, int n, int energy) {
  const FeatureBlock &own = *blocks_[f];
  const double *dual = own.dual() == own.p_hat() ? nullptr : own.dual();
  unit_length_adjoint(true, int(n_features(f)), n, p_hat_[f].data(), g_hat_[f].data(), dual,
                      own.norm(), g_.data());
  blocks_[f]->representation_adjoint(g_.data(), energy);
}

void ProductWorkspace::add_member_forces(int species, int n, std::size_t n_pairs,
                                         double (*f_ij)[3]) {
  const int n_members = members(layout_.term.factors[0].sparse[species]).n;
  for (std::size_t f = 0; f < blocks_.size(); ++f)
    for (int first = 0; first < n_members; first += kEnergies) {
      const int count = std::min(kEnergies, n_members - first);
      for (int c = 0; c < count; ++c) {
        add_member_gradient(f, species, first + c, padded(n));
        representation_adjoint(f, n, c);
      }
      blocks_[f]->expansion_adjoint(count, f_ij + first * n_pairs, n_pairs);
    }
}

void ProductWorkspace::add_member_gradient(std::size_t f, int species, int member, int width) {
  const SparseSet &set = layout_.term.factors[0].sparse[species];
  std::fill(g_hat_[f].begin(), g_hat_[f].end(), 0.0);
  for (int begin = 0; begin < set.size; begin += kKernelTile) {
    const int n_points = std::min(kKernelTile, set.size - begin);
    members(set).weigh(member, begin, n_points, width, &slopes_[f][std::size_t(begin) * width],
                       dot_[f].data());
    panel_product<true>(width, int(n_features(f)), n_points,
                        {points(f, species, begin), 1, n_features(f)}, dot_[f].data(),
                        g_hat_[f].data());
  }
}

void ProductWorkspace::hand_out(const SparseSet &set, std::size_t n_atoms,
                                const std::size_t *centers, int n, const Outputs &outputs) const {
  const double *sums = sums_.data();
  for (int kind = 0; kind < kColumnKinds; ++kind) {
    double *rows = column_output(outputs, kind);
    for (int k = 0; k < WeightColumns(set, kind).n; ++k, sums += padded(n))
      for (int i = 0; rows && i < n; ++i)
        rows[column_row(set, kind, k) * n_atoms + centers[i]] += sums[i];
  }
}

const double *ProductWorkspace::points(std::size_t factor, int species, int begin) const {
  const SparseSet &set = layout_.term.factors[factor].sparse[species];
  return &set.points[std::size_t(begin) * n_features(factor)];
}

void ProductWorkspace::multiply_tile(int species, int begin, int n_points, int width) {
  for (std::size_t f = 0; f < blocks_.size(); ++f)
    panel_product<false>(width, n_points, int(n_features(f)),
                         {points(f, species, begin), n_features(f), 1}, p_hat_[f].data(),
                         dot_[f].data());
}

void ProductWorkspace::store_kernels(const KernelColumns &kernels, int first, int begin,
                                     int n_points, int width) {
  Lanes x[kMaxFactors];
  for (int i = 0; i < width; i += kLanes) {
    double *out = kernels.lanes(first + i, begin);
    const std::size_t stride = kernels.stride(first + i);
    for (int m = 0; m < n_points; ++m) {
      for (std::size_t f = 0; f < blocks_.size(); ++f)
        x[f] = load(&dot_[f][std::size_t(m) * width + i]);
      store(out + m * stride, product_kernel(layout_.term, 1.0, x));
    }
  }
}

void ProductWorkspace::add_columns(const SparseSet &set, int begin, int n_points, int width,
                                   const Outputs &outputs) {
  const bool slopes = outputs.member_f_ij && members(set).n;
  Lanes x[kMaxFactors];
  for (int m = 0; m < n_points; ++m)
    for (int i = 0; i < width; i += kLanes) {
      const std::size_t at = std::size_t(m) * width + i;
      for (std::size_t f = 0; f < blocks_.size(); ++f) x[f] = load(&dot_[f][at]);
      store(&kernels_[at], product_kernel(layout_.term, 1.0, x));
      for (std::size_t f = 0; slopes && f < blocks_.size(); ++f)
        store(&slopes_[f][std::size_t(begin) * width + at], x[f]);
    }
  double *sums = sums_.data();
  for (int kind = 0; kind < kColumnKinds; ++kind) {
    const WeightColumns own(set, kind);
    if (column_output(outputs, kind)) own.add_tile(begin, n_points, width, kernels_.data(), sums);
    sums += std::size_t(own.n) * width;
  }
}

void ProductWorkspace::add_tile(int species, int begin, int n_points, int width, bool gradient,
                                Lanes *energies) {
  const ProductTerm &term = layout_.term;
  const double *weights = &term.factors[0].sparse[species].weights[begin];
  Lanes x[kMaxFactors];
  for (int m = 0; m < n_points; ++m)
    for (int i = 0; i < width; i += kLanes) {
      const std::size_t at = std::size_t(m) * width + i;
      for (std::size_t f = 0; f < blocks_.size(); ++f) x[f] = load(&dot_[f][at]);
      energies[i / kLanes] += product_kernel(term, weights[m], x);
      for (std::size_t f = 0; f < blocks_.size(); ++f) store(&dot_[f][at], x[f]);
    }
  for (std::size_t f = 0; gradient && f < blocks_.size(); ++f)
    panel_product<true>(width, int(n_features(f)), n_points,
                        {points(f, species, begin), 1, n_features(f)}, dot_[f].data(),
                        g_hat_[f].data());
}

}  // namespace soap_gpr
