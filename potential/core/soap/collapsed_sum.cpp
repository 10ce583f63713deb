// SPDX-License-Identifier: BSD-3-Clause
#include "soap/collapsed_sum.hpp"

namespace soap_gpr {

bool collapses(const Kernel &kernel, const SparseSet &sparse) {
  const int zeta = kernel.offset == 0 ? kernel.integer_zeta() : 0;
  // with a coupling ζ = 2 would take a matrix for every species of the centre
  const bool pays =
      zeta == 1 || (zeta == 2 && sparse.rank <= 2 * sparse.size && sparse.coupling.empty());
  return pays && !sparse.weights.empty();
}

AlignedVector collapsed_sum(const Kernel &kernel, const SparseSet &sparse, const double *weights) {
  const std::size_t rank = sparse.rank;
  const int zeta = kernel.integer_zeta();
  const double scale = zeta * kernel.delta * kernel.delta;
  if (zeta == 1) {
    const std::size_t n_centers = std::max<std::size_t>(1, sparse.coupling.size());
    AlignedVector sum(n_centers * rank, 0.0);
    for (std::size_t a = 0; a < n_centers; ++a)
      for (int m = 0; m < sparse.size; ++m) {
        const double coupling = sparse.coupling.empty() ? 1 : sparse.coupling[a][sparse.species[m]];
        const double weight = scale * weights[m] * coupling;
        for (std::size_t f = 0; f < rank; ++f)
          sum[a * rank + f] += weight * sparse.points[m * rank + f];
      }
    return sum;
  }
  // ∂ε/∂y = 2 δ² Σ_m w_m y_m y_mᵀ y: some columns of the matrix at a time
  AlignedVector matrix(rank * rank);
  AlignedVector X(std::size_t(sparse.size) * kPanelWidth), C(rank * kPanelWidth);
  for (std::size_t first = 0; first < rank; first += kPanelWidth) {
    const std::size_t size = std::min<std::size_t>(kPanelWidth, rank - first);
    for (int m = 0; m < sparse.size; ++m)
      for (std::size_t i = 0; i < size; ++i)
        X[m * kPanelWidth + i] = scale * weights[m] * sparse.points[m * rank + first + i];
    block_product<kPanelVectors, false>(sparse.rank, sparse.size, {sparse.points.data(), 1, rank},
                                        X.data(), C.data());
    for (std::size_t f = 0; f < rank; ++f)
      std::copy_n(&C[f * kPanelWidth], size, &matrix[f * rank + first]);
  }
  return matrix;
}

void collapsed_gradient(int zeta, const SparseSet &sparse, const double *collapsed,
                        const KernelPanel &panel) {
  const std::size_t rank = sparse.rank;
  if (zeta == 2)
    return panel_product<false>(panel.width, sparse.rank, sparse.rank, {collapsed, rank, 1},
                                panel.y, panel.h);
  for (std::size_t f = 0; f < rank; ++f) {
    double *row = panel.h + f * panel.width;
    std::fill_n(row, panel.width, collapsed[f]);
    for (int i = 0; !sparse.coupling.empty() && i < panel.size; ++i)
      row[i] = collapsed[panel.species[i] * rank + f];
  }
}

void add_energies(double zeta, int rank, const KernelPanel &panel, double *energy) {
  for (int begin = 0; begin < panel.width; begin += kLanes) {
    Lanes energies = broadcast(0.0);
    for (int f = 0; f < rank; ++f) {
      const std::size_t at = std::size_t(f) * panel.width + begin;
      energies += load(panel.h + at) * load(panel.y + at);
    }
    for (int i = 0; i < std::min(kLanes, panel.size - begin); ++i)
      energy[panel.begin + begin + i] += energies[i] / zeta;
  }
}

AlignedVector upper_blocks(AlignedVector C, std::size_t rank) {
  for (std::size_t row = 0; row < rank; ++row)
    for (std::size_t f = (row / kKernelTile + 1) * kKernelTile; f < rank; ++f)
      C[row * rank + f] *= 2;
  return C;
}

void add_quadratic(const SparseSet &sparse, const double *C, const KernelPanel &panel,
                   double *sums) {
  const std::size_t rank = sparse.rank;
  for (int begin = 0; begin < sparse.rank; begin += kKernelTile) {
    const int n = std::min(kKernelTile, sparse.rank - begin);
    const double *y = panel.y + std::size_t(begin) * panel.width;
    panel_product<false>(panel.width, n, sparse.rank - begin, {C + begin * rank + begin, rank, 1},
                         y, panel.k);
    for (int lanes = 0; lanes < panel.width; lanes += kLanes) {
      Lanes sum = load(sums + lanes);
      for (int f = 0; f < n; ++f)
        sum += 0.5 * load(y + std::size_t(f) * panel.width + lanes) *
               load(panel.k + std::size_t(f) * panel.width + lanes);
      store(sums + lanes, sum);
    }
  }
}

}  // namespace soap_gpr
