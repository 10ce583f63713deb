// SPDX-License-Identifier: BSD-3-Clause
#include "soap/kernel_sum.hpp"

#include <algorithm>

#include "base/block_product.hpp"
#include "base/lanes_of_rows.hpp"
#include "features/unit_length.hpp"
#include "uncertainty/kernel_panels.hpp"

namespace soap_gpr {

/// Some of a block's centres side by side, so that every operation below runs over centres.
struct KernelSum::Panel {
  Panel(const SparseSet &sparse, int n_features, int n, int first, const int *centers,
        double *scratch)
      : begin(first),
        size(std::min(kPanelWidth, n - first)),
        width(padded(size)),
        species(centers + first),
        p_hat(scratch + first * rows(sparse, n_features)),
        g(p_hat + std::size_t(width) * n_features),
        k(g + std::size_t(width) * n_features),
        y(sparse.projection.empty() ? p_hat : k + std::size_t(width) * kKernelTile),
        h(sparse.projection.empty() ? g : y + std::size_t(width) * sparse.rank),
        coupling(p_hat + std::size_t(width) * (rows(sparse, n_features) - sparse.coupling.size())) {
  }
  /// Numbers that a panel holds of each centre.
  static std::size_t rows(const SparseSet &sparse, int n_features) {
    const std::size_t reduced = sparse.projection.empty() ? 0 : sparse.rank;
    return 2 * n_features + 2 * reduced + kKernelTile + sparse.coupling.size();
  }

  int begin, size;  ///< centres of the block
  int width;        ///< size padded to whole vectors; the lanes beyond hold zeros
  const int *species;
  double *p_hat;     ///< [n_features][width]
  double *g;         ///< [n_features][width] ∂ε/∂p̂
  double *k;         ///< [kKernelTile][width]
  double *y;         ///< [rank][width] P p̂, p_hat itself without a projection
  double *h;         ///< [rank][width] ∂ε/∂y, g itself without a projection
  double *coupling;  ///< [species of points][width] κ_c, where the set couples species
};

namespace {

using Panel = KernelSum::Panel;

void load_coupling(const SparseSet &sparse, const Panel &panel) {
  for (std::size_t b = 0; b < sparse.coupling.size(); ++b) {
    double *row = panel.coupling + b * panel.width;
    for (int i = 0; i < panel.size; ++i) row[i] = sparse.coupling[panel.species[i]][b];
    std::fill(row + panel.size, row + panel.width, 0.0);
  }
}

/// y = P p̂, or g = Pᵀ h on the way back.
template <int V>
void project(const SparseSet &sparse, int n_features, bool back, const Panel &panel) {
  if constexpr (V > 1)
    if (panel.width < V * kLanes) return project<V - 1>(sparse, n_features, back, panel);
  const std::size_t row = n_features;
  const double *P = sparse.projection.data();
  if (back)
    block_product<V, false>(n_features, sparse.rank, {P, 1, row}, panel.h, panel.g);
  else
    block_product<V, false>(sparse.rank, n_features, {P, row, 1}, panel.p_hat, panel.y);
}

/// targets[k][i] += Σ_m W_km k(i, m) for the n points from `begin` of a tile, where panel.k has the
/// dot products; n_centers: in a row of targets.
void add_targets(const Kernel &kernel, const SparseSet &sparse, int begin, int n,
                 const Panel &panel, int n_centers, double *targets) {
  const KernelFunction function(kernel);
  Lanes values[kKernelTile];
  for (int lanes = 0; lanes < panel.width; lanes += kLanes) {
    for (int m = 0; m < n; ++m) {
      values[m] = function(load(panel.k + std::size_t(m) * panel.width + lanes), 1.0).value;
      if (!sparse.coupling.empty())
        values[m] *=
            load(panel.coupling + std::size_t(sparse.species[begin + m]) * panel.width + lanes);
    }
    const int size = std::min(kLanes, panel.size - lanes);
    for (std::size_t k = 0; k < sparse.targets.size(); ++k) {
      const double *weights = &sparse.targets[k].weights[begin];
      Lanes sum = broadcast(0.0);
      for (int m = 0; m < n; ++m) sum += weights[m] * values[m];
      double *own = targets + k * n_centers + panel.begin + lanes;
      for (int i = 0; i < size; ++i) own[i] += sum[i];
    }
  }
}

/// k(i, m) of the n points from `begin` of a tile, where panel.k has the dot products.
void store_kernels(const Kernel &kernel, const SparseSet &sparse, int begin, int n,
                   const Panel &panel, const KernelColumns &kernels) {
  const KernelFunction function(kernel);
  for (int lanes = 0; lanes < panel.width; lanes += kLanes) {
    double *out = kernels.lanes(panel.begin + lanes, begin);
    const std::size_t stride = kernels.stride(panel.begin + lanes);
    for (int m = 0; m < n; ++m) {
      Lanes value = function(load(panel.k + std::size_t(m) * panel.width + lanes), 1.0).value;
      if (!sparse.coupling.empty())
        value *=
            load(panel.coupling + std::size_t(sparse.species[begin + m]) * panel.width + lanes);
      store(out + m * stride, value);
    }
  }
}

/// k[m] -> w_m ∂k/∂(y · y_m) for the n points of a tile; energy[i] += Σ_m w_m k. weight(m, lanes):
/// that of the point for these lanes of the panel.
template <class Weight>
void contract_weights(const Kernel &kernel, int n, Weight weight, const Panel &panel,
                      double *energy) {
  const KernelFunction function(kernel);
  for (int begin = 0; begin < panel.width; begin += kLanes) {
    Lanes energies = broadcast(0.0);
    for (int m = 0; m < n; ++m) {
      double *k = panel.k + std::size_t(m) * panel.width + begin;
      const auto [value, slope] = function(load(k), weight(m, begin));
      energies += value;
      store(k, slope);
    }
    for (int i = 0; i < std::min(kLanes, panel.size - begin); ++i)
      energy[panel.begin + begin + i] += energies[i];
  }
}

/// What a sum over sparse points adds to, see KernelSum::add.
struct Sums {
  int n_centers;
  double *energy;  ///< null: of targets alone
  bool gradient;
  double *targets;
  const KernelColumns *kernels;
};

/// Adds the sparse points [begin, begin + n) to the energies and, when wanted, the gradients and
/// targets of a panel of V vectors.
template <int V>
void add_tile(const Kernel &kernel, const SparseSet &sparse, int begin, int n, const Panel &panel,
              const Sums &sums) {
  if constexpr (V > 1)
    if (panel.width < V * kLanes) return add_tile<V - 1>(kernel, sparse, begin, n, panel, sums);
  const std::size_t rank = sparse.rank;
  const double *points = &sparse.points[begin * rank];
  block_product<V, false>(n, sparse.rank, {points, rank, 1}, panel.y, panel.k);
  if (sums.kernels) store_kernels(kernel, sparse, begin, n, panel, *sums.kernels);
  if (sums.targets) add_targets(kernel, sparse, begin, n, panel, sums.n_centers, sums.targets);
  if (!sums.energy) return;
  const double *weights = &sparse.weights[begin];
  if (sparse.coupling.empty()) {
    contract_weights(kernel, n, [=](int m, int) { return weights[m]; }, panel, sums.energy);
  } else {
    const int *species = &sparse.species[begin];
    const auto coupled = [=](int m, int lanes) {
      return weights[m] * load(panel.coupling + std::size_t(species[m]) * panel.width + lanes);
    };
    contract_weights(kernel, n, coupled, panel, sums.energy);
  }
  if (sums.gradient) block_product<V, true>(sparse.rank, n, {points, 1, rank}, panel.k, panel.h);
}

/// panel.h = ∂ε/∂y without the sparse points: a constant for ζ = 1, linear in y for ζ = 2.
template <int V>
void collapsed_gradient(int zeta, const SparseSet &sparse, const double *collapsed,
                        const Panel &panel) {
  if constexpr (V > 1)
    if (panel.width < V * kLanes) return collapsed_gradient<V - 1>(zeta, sparse, collapsed, panel);
  const std::size_t rank = sparse.rank;
  if (zeta == 2)
    return block_product<V, false>(sparse.rank, sparse.rank, {collapsed, rank, 1}, panel.y,
                                   panel.h);
  for (std::size_t f = 0; f < rank; ++f) {
    double *row = panel.h + f * panel.width;
    std::fill_n(row, panel.width, collapsed[f]);
    for (int i = 0; !sparse.coupling.empty() && i < panel.size; ++i)
      row[i] = collapsed[panel.species[i] * rank + f];
  }
}

/// ε = h·y / ζ: the kernel sum is homogeneous of degree ζ in y.
void add_energies(double zeta, int rank, const Panel &panel, double *energy) {
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

/// energy[i] += ½ yᵀ C y, from blocks of rows of C that begin at its diagonal, see
/// upper_blocks.
template <int V>
void add_quadratic(const SparseSet &sparse, const double *C, const Panel &panel, double *energy) {
  if constexpr (V > 1)
    if (panel.width < V * kLanes) return add_quadratic<V - 1>(sparse, C, panel, energy);
  const std::size_t rank = sparse.rank;
  for (int begin = 0; begin < sparse.rank; begin += kKernelTile) {
    const int n = std::min(kKernelTile, sparse.rank - begin);
    const double *y = panel.y + std::size_t(begin) * panel.width;
    block_product<V, false>(n, sparse.rank - begin, {C + begin * rank + begin, rank, 1}, y,
                            panel.k);
    for (int lanes = 0; lanes < panel.width; lanes += kLanes) {
      Lanes sum = broadcast(0.0);
      for (int f = 0; f < n; ++f)
        sum += load(y + std::size_t(f) * panel.width + lanes) *
               load(panel.k + std::size_t(f) * panel.width + lanes);
      for (int i = 0; i < std::min(kLanes, panel.size - lanes); ++i)
        energy[panel.begin + lanes + i] += 0.5 * sum[i];
    }
  }
}

/// The symmetric C[rank][rank] with its blocks above the diagonal doubled, so that what is below
/// need not be read.
AlignedVector upper_blocks(AlignedVector C, std::size_t rank) {
  for (std::size_t row = 0; row < rank; ++row)
    for (std::size_t f = (row / kKernelTile + 1) * kKernelTile; f < rank; ++f)
      C[row * rank + f] *= 2;
  return C;
}

/// What stands for a sum over sparse points with these weights, see KernelSum; empty when the sum
/// is the cheaper form.
AlignedVector collapse(const Kernel &kernel, const SparseSet &sparse,
                       const std::vector<double> &weights) {
  const std::size_t rank = sparse.rank;
  const int zeta = kernel.offset == 0 ? kernel.integer_zeta() : 0;
  // with a coupling ζ = 2 would take a matrix for every species of the centre
  const bool pays =
      zeta == 1 || (zeta == 2 && sparse.rank <= 2 * sparse.size && sparse.coupling.empty());
  if (!pays || weights.empty()) return {};
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

}  // namespace

KernelSum::KernelSum(const Kernel &kernel, const SparseSet &sparse, int n_features)
    : kernel_(kernel),
      sparse_(sparse),
      n_features_(n_features),
      collapsed_(collapse(kernel, sparse, sparse.weights)) {
  // one pass over the sparse points serves all targets, half a matrix one of them
  const bool quadratic = !collapsed_.empty() && kernel.integer_zeta() == 2;
  if (collapsed_.empty() ||
      (quadratic && sparse.targets.size() * sparse.rank > 2 * std::size_t(sparse.size)))
    return;
  for (const TargetWeights &target : sparse.targets) {
    AlignedVector own = collapse(kernel, sparse, target.weights);
    if (quadratic) own = upper_blocks(std::move(own), sparse.rank);
    collapsed_targets_.push_back(std::move(own));
  }
}

std::size_t KernelSum::scratch_size(int n) const {
  return padded(n) * Panel::rows(sparse_, n_features_);
}

void KernelSum::add_collapsed_targets(const Panel &panel, int n, double *targets) const {
  for (std::size_t k = 0; k < collapsed_targets_.size(); ++k) {
    const double *collapsed = collapsed_targets_[k].data();
    if (kernel_.integer_zeta() == 2) {
      add_quadratic<kPanelVectors>(sparse_, collapsed, panel, targets + k * n);
    } else {
      collapsed_gradient<kPanelVectors>(1, sparse_, collapsed, panel);
      add_energies(1, sparse_.rank, panel, targets + k * n);
    }
  }
}

void KernelSum::add(int n, const int *species, const double *p_hat, const double *dual,
                    const double *norm, double *scratch, double *energy, double *g, double *targets,
                    const KernelColumns *kernels) const {
  const auto panel_at = [&](int first) {
    return Panel(sparse_, n_features_, n, first, species, scratch);
  };
  const bool projected = !sparse_.projection.empty();
  for (int first = 0; first < n; first += kPanelWidth) {
    const Panel panel = panel_at(first);
    panel_of_rows(panel.size, n_features_, p_hat + std::size_t(first) * n_features_, panel.p_hat);
    load_coupling(sparse_, panel);
    if (projected) project<kPanelVectors>(sparse_, n_features_, false, panel);
    if (g) std::fill(panel.h, panel.h + std::size_t(panel.width) * sparse_.rank, 0.0);
  }
  for (int first = 0; !collapsed_.empty() && first < n; first += kPanelWidth) {
    const Panel panel = panel_at(first);
    if (targets) add_collapsed_targets(panel, n, targets);
    collapsed_gradient<kPanelVectors>(kernel_.integer_zeta(), sparse_, collapsed_.data(), panel);
    add_energies(kernel_.zeta, sparse_.rank, panel, energy);
  }
  double *summed_energy = collapsed_.empty() ? energy : nullptr;
  double *summed_targets = collapsed_targets_.empty() ? targets : nullptr;
  const Sums sums{n, summed_energy, g != nullptr, summed_targets, kernels};
  const bool any = summed_energy || summed_targets || kernels;
  for (int begin = 0; any && begin < sparse_.size; begin += kKernelTile) {
    const int size = std::min(kKernelTile, sparse_.size - begin);
    for (int first = 0; first < n; first += kPanelWidth)
      add_tile<kPanelVectors>(kernel_, sparse_, begin, size, panel_at(first), sums);
  }
  for (int first = 0; g && first < n; first += kPanelWidth) {
    const Panel panel = panel_at(first);
    if (projected) project<kPanelVectors>(sparse_, n_features_, true, panel);
    const std::size_t row = std::size_t(first) * n_features_;
    const double *own_dual = dual == p_hat ? nullptr : dual + row;
    unit_length_adjoint(kernel_.normalized, n_features_, panel.size, panel.p_hat, panel.g, own_dual,
                        norm + first, g + row);
  }
}

}  // namespace soap_gpr
