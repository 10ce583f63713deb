// SPDX-License-Identifier: BSD-3-Clause
#include "tensors/tensor_workspace.hpp"

#include <algorithm>

#include "base/lanes_of_rows.hpp"
#include "features/unit_length.hpp"

namespace soap_gpr {

namespace {

constexpr int kMostComponents = 2 * kMaxLambda + 1;

Lanes power(Lanes x, int exponent) {
  Lanes value = broadcast(1.0);
  for (int z = 0; z < exponent; ++z) value *= x;
  return value;
}

/// 1/|p| of the lanes of a panel, 0 where that is zero and where there is no centre.
Lanes inverse(const double *norm, int size, int first) {
  Lanes scale = broadcast(0.0);
  for (int i = 0; i < std::min(kLanes, size - first); ++i)
    scale[i] = norm[first + i] > 0 ? 1 / norm[first + i] : 0;
  return scale;
}

}  // namespace

TensorWorkspace::TensorWorkspace(const std::vector<const TensorLayout *> &bases)
    : bases_(bases), n_coefficients_(bases[0]->soap.density.n_coefficients) {
  const FeatureTerm &term = bases[0]->soap.term;
  std::size_t n_features = 0, n_points = 1, n_products = 1;
  for (const FeatureChoice &choice : term.choices)
    n_features = std::max(n_features, std::size_t(choice.n_features));
  for (const TensorLayout *own : bases) {
    n_points = std::max(n_points, std::size_t(own->max_points()));
    n_products = std::max(n_products, std::size_t(own->max_columns()));
  }
  p_hat_.resize(n_features * kPanelWidth);
  x_.resize(n_coefficients_ * kPanelWidth);
  dot_.resize(n_points * kPanelWidth);
  kernels_.resize(n_points * kPanelWidth);
  ones_.assign(kPanelWidth, 1.0);
  u_.resize(n_products * kPanelWidth);
  values_.resize(std::size_t(kMostComponents) * kPanelWidth);
}

bool TensorWorkspace::serves(std::size_t set) const {
  for (const TensorLayout *own : bases_)
    for (const auto &part : own->parts)
      if (!part.vectors[set].empty()) return true;
  return false;
}

void TensorWorkspace::add(const Environments &environments, const std::size_t *centers, int n,
                          EnvironmentBlock &block, const Outputs &outputs) {
  for (const TensorLayout *layout : bases_) {
    const std::size_t set = layout->soap.term.set_of(environments.species[centers[0]]);
    for (int first = 0; outputs.tensors && first < n; first += kPanelWidth) {
      const int size = std::min(kPanelWidth, n - first);
      const Panel panel{*layout, set,  environments, centers + first,
                        first,   size, padded(size), block};
      load(panel);
      for (const auto &part : layout->parts) {
        if (part.vectors[set].empty()) continue;
        find_values(panel, part);
        hand_out(panel, part, outputs);
      }
    }
    if (outputs.tensor_gradients)
      add_gradients(*layout, set, environments, centers, n, block, outputs);
  }
}

void TensorWorkspace::load(const Panel &panel) {
  const std::size_t n_features = panel.features();
  panel_of_rows(panel.size, n_features, panel.block.p_hat() + panel.first * n_features,
                p_hat_.data());
  for (int i = 0; i < panel.size; i += kLanes)
    lanes_of_rows(std::min(kLanes, panel.size - i), n_coefficients_,
                  panel.block.coefficients(panel.first + i), &x_[i * n_coefficients_]);
  if (panel.layout.needs_points(panel.set)) find_kernels(panel);
}

void TensorWorkspace::find_kernels(const Panel &panel) {
  const TensorLayout::Set &set = panel.layout.sets[panel.set];
  const std::size_t n_features = panel.features();
  panel_product<false>(panel.width, set.size, int(n_features), {set.points.data(), n_features, 1},
                       p_hat_.data(), dot_.data());
  const int exponent = panel.layout.basis.zeta - 1;
  for (int at = 0; at < set.size * panel.width; at += kLanes)
    store(&kernels_[at], power(soap_gpr::load(&dot_[at]), exponent));
  const auto &coupling = panel.layout.soap.term.sparse[panel.set].coupling;
  if (coupling.empty()) return;
  const std::vector<int> &species = panel.layout.basis.sets[panel.set].species;
  for (int m = 0; m < set.size; ++m)
    for (int i = 0; i < panel.size; ++i)
      kernels_[m * panel.width + i] *=
          coupling[panel.environments.species[panel.centers[i]]][species[m]];
}

void TensorWorkspace::weigh(const Panel &panel, const TensorLayout::Part &part) {
  const TensorLayout::Form form = panel.layout.form(part, panel.set);
  const double *of_points = form == TensorLayout::kVector   ? ones_.data()
                            : form == TensorLayout::kMatrix ? p_hat_.data()
                                                            : kernels_.data();
  if (part.own->features < 0 && form == TensorLayout::kPoints) {  // the kernel itself
    slopes_.resize(dot_.size());
    const int size = panel.layout.sets[panel.set].size * panel.width;
    for (int at = 0; at < size; at += kLanes)
      store(&slopes_[at], soap_gpr::load(&dot_[at]) * soap_gpr::load(&kernels_[at]));
    of_points = slopes_.data();
  }
  const std::size_t n_columns = panel.layout.n_columns(part, panel.set);
  panel_product<false>(panel.width, int(n_columns), panel.layout.n_vectors(part, panel.set),
                       {part.vectors[panel.set].data(), 1, n_columns}, of_points, u_.data());
}

void TensorWorkspace::find_values(const Panel &panel, const TensorLayout::Part &part) {
  weigh(panel, part);
  if (part.own->features < 0) {
    const bool matrix = panel.layout.form(part, panel.set) == TensorLayout::kMatrix;
    for (int i = 0; i < panel.width; i += kLanes) {
      Lanes value = matrix ? broadcast(0.0) : soap_gpr::load(&u_[i]);
      for (int f = 0; matrix && f < panel.features(); ++f) {
        const std::size_t at = std::size_t(f) * panel.width + i;
        value += soap_gpr::load(&p_hat_[at]) * soap_gpr::load(&u_[at]);
      }
      store(&values_[i], value);
    }
    return;
  }
  const Equivariants &own = panel.layout.features[part.own->features];
  for (int i = 0; i < panel.width; i += kLanes) {
    Lanes y[kMostComponents];
    own.contract(coefficients(i), &u_[i], panel.width, y);
    const Lanes scale = inverse(panel.norm(), panel.size, i);
    for (int mu = 0; mu < own.n_components(); ++mu)
      store(&values_[mu * panel.width + i], scale * y[mu]);
  }
}

void TensorWorkspace::hand_out(const Panel &panel, const TensorLayout::Part &part,
                               const Outputs &outputs) const {
  const std::size_t n_atoms = panel.environments.n_atoms;
  for (int mu = 0; mu <= 2 * part.own->lambda; ++mu) {
    double *row = outputs.tensors + (part.target->row + part.own->begin + mu) * n_atoms;
    for (int i = 0; i < panel.size; ++i) row[panel.centers[i]] += values_[mu * panel.width + i];
  }
}

void TensorWorkspace::add_gradients(const TensorLayout &layout, std::size_t set,
                                    const Environments &environments, const std::size_t *centers,
                                    int n, EnvironmentBlock &block, const Outputs &outputs) {
  int n_components = 0;
  for (const auto &part : layout.parts)
    if (part.target->target == outputs.gradients_of) n_components += 2 * part.own->lambda + 1;
  if (!n_components) return;
  const std::size_t of_p = std::size_t(n) * block.n_features(), of_c = n * n_coefficients_;
  g_p_.assign(n_components * of_p, 0.0);
  g_c_.assign(n_components * of_c, 0.0);
  for (int first = 0; first < n; first += kPanelWidth) {
    const int size = std::min(kPanelWidth, n - first);
    const Panel panel{layout, set, environments, centers + first, first, size, padded(size), block};
    load(panel);
    int component = 0;
    for (const auto &part : layout.parts) {
      if (part.target->target != outputs.gradients_of) continue;
      if (!part.vectors[set].empty()) find_values(panel, part);  // and u_
      for (int mu = 0; mu <= 2 * part.own->lambda; ++mu, ++component)
        if (!part.vectors[set].empty())
          find_adjoint(panel, part, mu, &g_p_[component * of_p], &g_c_[component * of_c]);
    }
  }
  for (int component = 0; component < n_components; ++component) {
    block.representation_adjoint(&g_p_[component * of_p], component);
    block.add_to_adjoint(&g_c_[component * of_c], component);
  }
  block.expansion_adjoint(n_components, outputs.tensor_gradients,
                          environments.offset[environments.n_atoms]);
}

void TensorWorkspace::find_adjoint(const Panel &panel, const TensorLayout::Part &part,
                                   int component, double *g_p, double *g_c) {
  if (part.own->features >= 0) {
    const Equivariants &own = panel.layout.features[part.own->features];
    g_u_.resize(u_.size());
    g_lanes_.resize(n_coefficients_ * kLanes);
    for (int i = 0; i < panel.width; i += kLanes) {
      Lanes g[kMostComponents] = {};
      g[component] = inverse(panel.norm(), panel.size, i);
      std::fill(g_lanes_.begin(), g_lanes_.end(), 0.0);
      own.contract_adjoint(coefficients(i), &u_[i], panel.width, g,
                           reinterpret_cast<Lanes *>(g_lanes_.data()), &g_u_[i]);
      rows_of_lanes(std::min(kLanes, panel.size - i), n_coefficients_, g_lanes_.data(),
                    &g_c[(panel.first + i) * n_coefficients_]);
    }
  }
  g_p_hat_.assign(p_hat_.size(), 0.0);
  const TensorLayout::Form form = panel.layout.form(part, panel.set);
  if (form == TensorLayout::kPoints) add_point_gradient(panel, part);
  if (form == TensorLayout::kMatrix) add_matrix_gradient(panel, part);
  const std::size_t row = panel.first * std::size_t(panel.features());
  const bool recoupled = panel.block.dual() != panel.block.p_hat();
  unit_length_adjoint(panel.layout.soap.term.kernel.normalized, panel.features(), panel.size,
                      p_hat_.data(), g_p_hat_.data(),
                      recoupled ? panel.block.dual() + row : nullptr, panel.norm(), &g_p[row]);
  if (part.own->features >= 0 && panel.layout.soap.term.kernel.normalized)
    add_norm_gradient(panel, component, g_p);
}

void TensorWorkspace::add_point_gradient(const Panel &panel, const TensorLayout::Part &part) {
  const TensorLayout::Set &set = panel.layout.sets[panel.set];
  const std::size_t n_features = panel.features(),
                    n_columns = panel.layout.n_columns(part, panel.set);
  const AlignedVector &vectors = part.vectors[panel.set];
  const bool scalar = part.own->features < 0;
  slopes_.resize(dot_.size());
  if (!scalar)
    panel_product<false>(panel.width, set.size, int(n_columns), {vectors.data(), n_columns, 1},
                         g_u_.data(), slopes_.data());
  // u of λ = 0 is Σ_m w_m κ x^ζ, of others Σ_m v_m κ x^(ζ − 1)
  const int exponent = scalar ? panel.layout.basis.zeta : panel.layout.basis.zeta - 1;
  const auto &coupling = panel.layout.soap.term.sparse[panel.set].coupling;
  for (int m = 0; m < set.size; ++m)
    for (int i = 0; i < panel.width; i += kLanes) {
      double *own = &slopes_[std::size_t(m) * panel.width + i];
      const Lanes x = soap_gpr::load(&dot_[std::size_t(m) * panel.width + i]);
      const Lanes g = scalar ? broadcast(vectors[m]) : soap_gpr::load(own);
      Lanes slope = exponent > 0 ? exponent * g * power(x, exponent - 1) : broadcast(0.0);
      for (int lane = 0; !coupling.empty() && lane < std::min(kLanes, panel.size - i); ++lane)
        slope[lane] *= coupling[panel.environments.species[panel.centers[i + lane]]]
                               [panel.layout.basis.sets[panel.set].species[m]];
      store(own, slope);
    }
  panel_product<false>(panel.width, int(n_features), set.size, {set.points.data(), 1, n_features},
                       slopes_.data(), g_p_hat_.data());
}

void TensorWorkspace::add_matrix_gradient(const Panel &panel, const TensorLayout::Part &part) {
  const int n_features = panel.features();
  const std::size_t n_columns = panel.layout.n_columns(part, panel.set);
  if (part.own->features < 0) {  // of p̂ᵀ G p̂, where u is G p̂
    for (int at = 0; at < n_features * panel.width; at += kLanes)
      store(&g_p_hat_[at], 2 * soap_gpr::load(&u_[at]));
    return;
  }
  panel_product<false>(panel.width, n_features, int(n_columns),
                       {part.vectors[panel.set].data(), n_columns, 1}, g_u_.data(),
                       g_p_hat_.data());
}

void TensorWorkspace::add_norm_gradient(const Panel &panel, int component, double *g_p) const {
  const std::size_t n_features = panel.features();
  for (int i = 0; i < panel.size; ++i) {
    const double norm = panel.norm()[i], value = values_[component * panel.width + i];
    const double *dual = panel.block.dual() + (panel.first + i) * n_features;
    double *g = &g_p[(panel.first + i) * n_features];
    for (std::size_t f = 0; norm > 0 && f < n_features; ++f) g[f] -= value / norm * dual[f];
  }
}

}  // namespace soap_gpr
