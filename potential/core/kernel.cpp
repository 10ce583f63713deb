// SPDX-License-Identifier: BSD-3-Clause
#include "kernel.hpp"

#include <algorithm>
#include <cmath>

#include "block_product.hpp"

namespace soap_gpr {

double integer_power(double x, int exponent) {
  double power = 1.0;
  for (int k = 0; k < exponent; ++k) power *= x;
  return power;
}

void normalize(const SoapTerm &term, int n, double *p, double *norm) {
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

/// Some of a block's centres side by side, so that every operation below runs over centres.
struct Panel {
  Panel(const SoapTerm &term, int n, int first, double *scratch)
      : begin(first),
        size(std::min(kPanelWidth, n - first)),
        width(padded(size)),
        p_hat(scratch + first * (2 * std::size_t(term.n_features) + kKernelTile)),
        g(p_hat + std::size_t(width) * term.n_features),
        k(g + std::size_t(width) * term.n_features) {}
  int begin, size;  ///< centres of the block
  int width;        ///< size padded to whole vectors; the lanes beyond hold zeros
  double *p_hat;    ///< [n_features][width]
  double *g;        ///< [n_features][width] ∂ε/∂p̂
  double *k;        ///< [kKernelTile][width]
};

void load_panel(int n_features, const double *p_hat, const Panel &panel) {
  for (int f = 0; f < n_features; ++f) {
    double *row = panel.p_hat + std::size_t(f) * panel.width;
    for (int i = 0; i < panel.size; ++i)
      row[i] = p_hat[std::size_t(panel.begin + i) * n_features + f];
    std::fill(row + panel.size, row + panel.width, 0.0);
  }
}

/// k[m] -> δ² ζ w_m k^(ζ-1) for the n points of a tile; energy[i] += δ² Σ_m w_m k^ζ.
void contract_weights(const SoapTerm &term, int n, const double *weights, const Panel &panel,
                      double *energy) {
  const double delta2 = term.delta * term.delta;
  for (int begin = 0; begin < panel.width; begin += kLanes) {
    Lanes energies = broadcast(0.0);
    for (int m = 0; m < n; ++m) {
      double *k = panel.k + std::size_t(m) * panel.width + begin;
      const Lanes x = load(k);
      Lanes power = broadcast(delta2 * weights[m]);
      for (int z = 1; z < term.zeta; ++z) power *= x;
      energies += power * x;
      store(k, double(term.zeta) * power);
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
  const std::size_t n_features = term.n_features;
  const double *points = &sparse.points[begin * n_features];
  block_product<V, false>(n, term.n_features, {points, n_features, 1}, panel.p_hat, panel.k);
  contract_weights(term, n, &sparse.weights[begin], panel, energy);
  if (gradient)
    block_product<V, true>(term.n_features, n, {points, 1, n_features}, panel.k, panel.g);
}

/// ∂ε/∂p̂ -> ∂ε/∂p: the projection orthogonal to p̂, over |p|.
void store_gradients(int n_features, const double *norm, const Panel &panel, double *g) {
  for (int begin = 0; begin < panel.width; begin += kLanes) {
    const double *p_hat = panel.p_hat + begin, *g_hat = panel.g + begin;
    Lanes along = broadcast(0.0), scale = along;
    for (int f = 0; f < n_features; ++f)
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

std::size_t kernel_scratch(const SoapTerm &term, int n) {
  return padded(n) * (2 * std::size_t(term.n_features) + kKernelTile);
}

void kernel_sum(const SoapTerm &term, const SparseSet &sparse, int n, const double *p_hat,
                const double *norm, double *scratch, double *energy, double *g) {
  for (int first = 0; first < n; first += kPanelWidth) {
    const Panel panel(term, n, first, scratch);
    load_panel(term.n_features, p_hat, panel);
    if (g) std::fill(panel.g, panel.g + std::size_t(panel.width) * term.n_features, 0.0);
  }
  for (int begin = 0; begin < sparse.size; begin += kKernelTile) {
    const int size = std::min(kKernelTile, sparse.size - begin);
    for (int first = 0; first < n; first += kPanelWidth)
      add_tile<kPanelVectors>(term, sparse, begin, size, g != nullptr,
                              Panel(term, n, first, scratch), energy);
  }
  for (int first = 0; g && first < n; first += kPanelWidth)
    store_gradients(term.n_features, norm, Panel(term, n, first, scratch), g);
}

}  // namespace soap_gpr
