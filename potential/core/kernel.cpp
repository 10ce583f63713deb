// SPDX-License-Identifier: BSD-3-Clause
#include "kernel.hpp"

#include <algorithm>
#include <cmath>

#include "gemm.hpp"

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

/// x -> δ² ζ w x^(ζ-1); returns δ² w x^ζ. T is a double or Lanes.
template <class T>
T contract_weight(int zeta, T scaled_weight, T &x) {
  T power = scaled_weight;
  for (int z = 1; z < zeta; ++z) power *= x;
  const T energy = power * x;
  x = double(zeta) * power;
  return energy;
}

/// k[m] -> δ² ζ w_m k^(ζ-1); returns δ² Σ_m w_m k^ζ.
double contract_weights(const SoapTerm &term, int n, const double *weights, double *k) {
  const double delta2 = term.delta * term.delta;
  Lanes energies = broadcast(0.0);
  int m = 0;
  for (; m + kLanes <= n; m += kLanes) {
    Lanes x = load(k + m);
    energies += contract_weight<Lanes>(term.zeta, delta2 * load(weights + m), x);
    store(k + m, x);
  }
  double energy = sum(energies);
  for (; m < n; ++m) energy += contract_weight<double>(term.zeta, delta2 * weights[m], k[m]);
  return energy;
}

/// ∂ε/∂p̂ -> ∂ε/∂p: the projection orthogonal to p̂, over |p|.
void unnormalize_gradient(int n_features, const double *p_hat, double norm, double *g) {
  double along = 0;
#pragma omp simd reduction(+ : along)
  for (int f = 0; f < n_features; ++f) along += g[f] * p_hat[f];
  const double scale = norm > 0 ? 1 / norm : 0;
  for (int f = 0; f < n_features; ++f) g[f] = scale * (g[f] - along * p_hat[f]);
}

}  // namespace

void kernel_sum(const SoapTerm &term, const SparseSet &sparse, int n, const double *p_hat,
                const double *norm, double *scratch, double *energy, double *g) {
  const std::size_t n_features = term.n_features;
  if (g) std::fill(g, g + n * n_features, 0.0);
  for (int begin = 0; begin < sparse.size; begin += kKernelTile) {
    const int size = std::min(kKernelTile, sparse.size - begin);
    const double *points = &sparse.points[begin * n_features];
    gemm_nt(n, size, term.n_features, p_hat, points, scratch);
    for (int i = 0; i < n; ++i)
      energy[i] += contract_weights(term, size, &sparse.weights[begin], scratch + i * size);
    if (g) gemm_nn_add(n, term.n_features, size, scratch, points, g);
  }
  if (!g) return;
  for (int i = 0; i < n; ++i)
    unnormalize_gradient(term.n_features, p_hat + i * n_features, norm[i], g + i * n_features);
}

}  // namespace soap_gpr
