// SPDX-License-Identifier: BSD-3-Clause
#include "soap/kernel.hpp"

#include <algorithm>
#include <cmath>

#include "base/block_product.hpp"

namespace soap_gpr {

double integer_power(double x, int exponent) {
  double power = 1.0;
  for (int k = 0; k < exponent; ++k) power *= x;
  return power;
}

void normalize(const SoapTerm &term, int n, double *p, double *norm) {
  if (!term.kernel.normalized) {
    std::fill_n(norm, n, 1.0);
    return;
  }
  for (int i = 0; i < n; ++i) {
    double *row = p + std::size_t(i) * term.n_features;
    double square = 0;
#pragma omp simd reduction(+ : square)
    for (int f = 0; f < term.n_features; ++f) square += row[f] * row[f];
    norm[i] = std::sqrt(square);
    const double scale = norm[i] > 0 ? 1 / norm[i] : 0;
    for (int f = 0; f < term.n_features; ++f) row[f] *= scale;
  }
}

namespace {

/// Numbers that a panel holds of each centre.
std::size_t panel_rows(const SoapTerm &term, const SparseSet &sparse) {
  const std::size_t reduced = sparse.projection.empty() ? 0 : sparse.rank;
  return 2 * term.n_features + 2 * reduced + kKernelTile;
}

/// Some of a block's centres side by side, so that every operation below runs over centres.
struct Panel {
  Panel(const SoapTerm &term, const SparseSet &sparse, int n, int first, double *scratch)
      : begin(first),
        size(std::min(kPanelWidth, n - first)),
        width(padded(size)),
        p_hat(scratch + first * panel_rows(term, sparse)),
        g(p_hat + std::size_t(width) * term.n_features),
        k(g + std::size_t(width) * term.n_features),
        y(sparse.projection.empty() ? p_hat : k + std::size_t(width) * kKernelTile),
        h(sparse.projection.empty() ? g : y + std::size_t(width) * sparse.rank) {}
  int begin, size;  ///< centres of the block
  int width;        ///< size padded to whole vectors; the lanes beyond hold zeros
  double *p_hat;    ///< [n_features][width]
  double *g;        ///< [n_features][width] ∂ε/∂p̂
  double *k;        ///< [kKernelTile][width]
  double *y;        ///< [rank][width] P p̂, p_hat itself without a projection
  double *h;        ///< [rank][width] ∂ε/∂y, g itself without a projection
};

void load_panel(int n_features, const double *p_hat, const Panel &panel) {
  for (int f = 0; f < n_features; ++f) {
    double *row = panel.p_hat + std::size_t(f) * panel.width;
    for (int i = 0; i < panel.size; ++i)
      row[i] = p_hat[std::size_t(panel.begin + i) * n_features + f];
    std::fill(row + panel.size, row + panel.width, 0.0);
  }
}

/// y = P p̂, or g = Pᵀ h on the way back.
template <int V>
void project(const SoapTerm &term, const SparseSet &sparse, bool back, const Panel &panel) {
  if constexpr (V > 1)
    if (panel.width < V * kLanes) return project<V - 1>(term, sparse, back, panel);
  const std::size_t n_features = term.n_features;
  const double *P = sparse.projection.data();
  if (back)
    block_product<V, false>(term.n_features, sparse.rank, {P, 1, n_features}, panel.h, panel.g);
  else
    block_product<V, false>(sparse.rank, term.n_features, {P, n_features, 1}, panel.p_hat, panel.y);
}

/// x^(ζ-1) for a ζ that is not an integer; 0 for the x <= 0 that have no such power.
Lanes real_power(const Kernel &kernel, Lanes x) {
  for (int i = 0; i < kLanes; ++i) x[i] = x[i] > 0 ? std::pow(x[i], kernel.zeta - 1) : 0;
  return x;
}

/// k[m] -> δ² ζ w_m x^(ζ-1), x = k[m] + offset, for the n points of a tile;
/// energy[i] += δ² Σ_m w_m x^ζ.
void contract_weights(const Kernel &kernel, int n, const double *weights, const Panel &panel,
                      double *energy) {
  const double delta2 = kernel.delta * kernel.delta;
  for (int begin = 0; begin < panel.width; begin += kLanes) {
    Lanes energies = broadcast(0.0);
    for (int m = 0; m < n; ++m) {
      double *k = panel.k + std::size_t(m) * panel.width + begin;
      const Lanes x = load(k) + kernel.offset;
      Lanes power = broadcast(delta2 * weights[m]);
      for (int z = 1; z < kernel.integer_zeta; ++z) power *= x;
      if (!kernel.integer_zeta) power *= real_power(kernel, x);
      energies += power * x;
      store(k, kernel.zeta * power);
    }
    for (int i = 0; i < std::min(kLanes, panel.size - begin); ++i)
      energy[panel.begin + begin + i] += energies[i];
  }
}

/// Adds the sparse points [begin, begin + n) to the energies and, when wanted, the gradients of a
/// panel of V vectors.
template <int V>
void add_tile(const SoapTerm &term, const SparseSet &sparse, int begin, int n, bool gradient,
              const Panel &panel, double *energy) {
  if constexpr (V > 1)
    if (panel.width < V * kLanes)
      return add_tile<V - 1>(term, sparse, begin, n, gradient, panel, energy);
  const std::size_t rank = sparse.rank;
  const double *points = &sparse.points[begin * rank];
  block_product<V, false>(n, sparse.rank, {points, rank, 1}, panel.y, panel.k);
  contract_weights(term.kernel, n, &sparse.weights[begin], panel, energy);
  if (gradient) block_product<V, true>(sparse.rank, n, {points, 1, rank}, panel.k, panel.h);
}

/// panel.h = ∂ε/∂y without the sparse points: a constant for ζ = 1, linear in y for ζ = 2.
template <int V>
void collapsed_gradient(const SoapTerm &term, const SparseSet &sparse, const Panel &panel) {
  if constexpr (V > 1)
    if (panel.width < V * kLanes) return collapsed_gradient<V - 1>(term, sparse, panel);
  const std::size_t rank = sparse.rank;
  if (term.kernel.integer_zeta == 2)
    return block_product<V, false>(sparse.rank, sparse.rank, {sparse.collapsed.data(), rank, 1},
                                   panel.y, panel.h);
  for (std::size_t f = 0; f < rank; ++f)
    std::fill_n(panel.h + f * panel.width, panel.width, sparse.collapsed[f]);
}

/// ε = h·y / ζ: the kernel sum is homogeneous of degree ζ in y.
void add_energies(const SoapTerm &term, const SparseSet &sparse, const Panel &panel,
                  double *energy) {
  for (int begin = 0; begin < panel.width; begin += kLanes) {
    Lanes energies = broadcast(0.0);
    for (int f = 0; f < sparse.rank; ++f) {
      const std::size_t at = std::size_t(f) * panel.width + begin;
      energies += load(panel.h + at) * load(panel.y + at);
    }
    for (int i = 0; i < std::min(kLanes, panel.size - begin); ++i)
      energy[panel.begin + begin + i] += energies[i] / term.kernel.zeta;
  }
}

/// ∂ε/∂p̂ -> ∂ε/∂p: the projection orthogonal to p̂, over |p|, of normalised power spectra.
void store_gradients(const SoapTerm &term, const double *norm, const Panel &panel, double *g) {
  const int n_features = term.n_features;
  for (int begin = 0; begin < panel.width; begin += kLanes) {
    const double *p_hat = panel.p_hat + begin, *g_hat = panel.g + begin;
    Lanes along = broadcast(0.0), scale = along;
    for (int f = 0; term.kernel.normalized && f < n_features; ++f)
      along +=
          load(g_hat + std::size_t(f) * panel.width) * load(p_hat + std::size_t(f) * panel.width);
    const int first = panel.begin + begin, size = std::min(kLanes, panel.size - begin);
    for (int i = 0; i < size; ++i) scale[i] = norm[first + i] > 0 ? 1 / norm[first + i] : 0;
    for (int f = 0; f < n_features; ++f) {
      const std::size_t row = std::size_t(f) * panel.width;
      const Lanes value = scale * (load(g_hat + row) - along * load(p_hat + row));
      for (int i = 0; i < size; ++i) g[std::size_t(first + i) * n_features + f] = value[i];
    }
  }
}

}  // namespace

void collapse(const SoapTerm &term, SparseSet &sparse) {
  const std::size_t rank = sparse.rank;
  const Kernel &kernel = term.kernel;
  const int zeta = kernel.offset == 0 ? kernel.integer_zeta : 0;
  const bool pays = zeta == 1 || (zeta == 2 && sparse.rank <= 2 * sparse.size);
  if (!pays || sparse.size == 0) return;
  const double scale = zeta * kernel.delta * kernel.delta;
  if (zeta == 1) {
    sparse.collapsed.assign(rank, 0.0);
    for (int m = 0; m < sparse.size; ++m)
      for (std::size_t f = 0; f < rank; ++f)
        sparse.collapsed[f] += scale * sparse.weights[m] * sparse.points[m * rank + f];
    return;
  }
  // ∂ε/∂y = 2 δ² Σ_m w_m y_m y_mᵀ y: some columns of the matrix at a time
  sparse.collapsed.resize(rank * rank);
  AlignedVector X(std::size_t(sparse.size) * kPanelWidth), C(rank * kPanelWidth);
  for (std::size_t first = 0; first < rank; first += kPanelWidth) {
    const std::size_t size = std::min<std::size_t>(kPanelWidth, rank - first);
    for (int m = 0; m < sparse.size; ++m)
      for (std::size_t i = 0; i < size; ++i)
        X[m * kPanelWidth + i] = scale * sparse.weights[m] * sparse.points[m * rank + first + i];
    block_product<kPanelVectors, false>(sparse.rank, sparse.size, {sparse.points.data(), 1, rank},
                                        X.data(), C.data());
    for (std::size_t f = 0; f < rank; ++f)
      std::copy_n(&C[f * kPanelWidth], size, &sparse.collapsed[f * rank + first]);
  }
}

std::size_t kernel_scratch(const SoapTerm &term, int n) {
  std::size_t rows = 0;
  for (const SparseSet &sparse : term.sparse) rows = std::max(rows, panel_rows(term, sparse));
  return padded(n) * rows;
}

void kernel_sum(const SoapTerm &term, const SparseSet &sparse, int n, const double *p_hat,
                const double *norm, double *scratch, double *energy, double *g) {
  const bool projected = !sparse.projection.empty();
  for (int first = 0; first < n; first += kPanelWidth) {
    const Panel panel(term, sparse, n, first, scratch);
    load_panel(term.n_features, p_hat, panel);
    if (projected) project<kPanelVectors>(term, sparse, false, panel);
    if (g) std::fill(panel.h, panel.h + std::size_t(panel.width) * sparse.rank, 0.0);
  }
  for (int first = 0; !sparse.collapsed.empty() && first < n; first += kPanelWidth) {
    const Panel panel(term, sparse, n, first, scratch);
    collapsed_gradient<kPanelVectors>(term, sparse, panel);
    add_energies(term, sparse, panel, energy);
  }
  const int n_points = sparse.collapsed.empty() ? sparse.size : 0;
  for (int begin = 0; begin < n_points; begin += kKernelTile) {
    const int size = std::min(kKernelTile, n_points - begin);
    for (int first = 0; first < n; first += kPanelWidth)
      add_tile<kPanelVectors>(term, sparse, begin, size, g != nullptr,
                              Panel(term, sparse, n, first, scratch), energy);
  }
  for (int first = 0; g && first < n; first += kPanelWidth) {
    const Panel panel(term, sparse, n, first, scratch);
    if (projected) project<kPanelVectors>(term, sparse, true, panel);
    store_gradients(term, norm, panel, g);
  }
}

}  // namespace soap_gpr
