// SPDX-License-Identifier: BSD-3-Clause
#include "training/soap_rows.hpp"

#include <algorithm>

#include "base/block_product.hpp"
#include "base/lanes_of_rows.hpp"

namespace soap_gpr {

namespace {

/// Of one vector with the rows of a matrix, [n_rows][size], padded.
AlignedVector dots(int n_rows, int size, const std::vector<double> &rows, const double *vector) {
  AlignedVector out(padded(n_rows));
  for (int r = 0; r < n_rows; ++r) {
    const double *row = &rows[std::size_t(r) * size];
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int f = 0; f < size; ++f) sum += vector[f] * row[f];
    out[r] = sum;
  }
  return out;
}

/// y · y_m with all sparse points, padded, where y is p̂ or its projection.
AlignedVector products(const SparseSet &sparse, int n_features, const double *p_hat) {
  if (sparse.projection.empty()) return dots(sparse.size, sparse.rank, sparse.points, p_hat);
  const AlignedVector y = dots(sparse.rank, n_features, sparse.projection, p_hat);
  return dots(sparse.size, sparse.rank, sparse.points, y.data());
}

/// Kernels of one environment with all sparse points, and their slopes over |p|.
struct KernelRow {
  AlignedVector k, slope;  ///< [sparse.size], padded
  KernelRow(const Kernel &kernel, const SparseSet &sparse, int species, const FeatureBlock &block)
      : k(products(sparse, block.n_features(), block.p_hat())), slope(k.size()) {
    const KernelFunction function(kernel);
    const double norm = block.norm()[0], scale = norm > 0 ? 1 / norm : 0;
    for (std::size_t m = 0; m < k.size(); m += kLanes) {
      const auto own = function(load(&k[m]), 1.0);
      store(&k[m], own.value);
      store(&slope[m], scale * own.slope);
    }
    for (int m = 0; !sparse.coupling.empty() && m < sparse.size; ++m) {
      k[m] *= sparse.coupling[species][sparse.species[m]];
      slope[m] *= sparse.coupling[species][sparse.species[m]];
    }
  }
};

/// The gradients of one centre in panels with the rows side by side; p̂ is projected out where
/// features are normalised.
class GradientPanels {
 public:
  /// Projects the rows of `packed` in place.
  void fill(bool normalized, const FeatureBlock &block, const SparseSet &sparse, int n_rows,
            AlignedVector &packed) {
    const int n_features = block.n_features();
    rank_ = sparse.rank;
    n_rows_ = n_rows;
    packed.resize(std::size_t(padded(n_rows)) * n_features);  // zeros at the end
    for (int row = 0; normalized && row < n_rows; ++row)
      project(n_features, block.p_hat(), block.dual(), &packed[std::size_t(row) * n_features]);
    values_.resize(std::size_t(padded(n_rows)) * rank_);
    spare_.resize(sparse.projection.empty() ? 0 : std::size_t(kPanelWidth) * n_features);
    for (int first = 0; first < n_rows; first += kPanelWidth) {
      double *whole = spare_.empty() ? panel(first) : spare_.data();
      panel_of_rows(width(first), n_features, &packed[std::size_t(first) * n_features], whole);
      if (!spare_.empty())
        panel_product<false>(width(first), rank_, n_features,
                             {sparse.projection.data(), std::size_t(n_features), 1}, whole,
                             panel(first));
    }
  }
  int n_rows() const { return n_rows_; }
  int width(int first) const { return std::min(kPanelWidth, padded(n_rows_ - first)); }
  double *panel(int first) { return &values_[std::size_t(first) * rank_]; }  ///< [rank][width]

 private:
  static void project(int n_features, const double *p_hat, const double *dual, double *dp) {
    double along = 0;
#pragma omp simd reduction(+ : along)
    for (int f = 0; f < n_features; ++f) along += dp[f] * dual[f];
#pragma omp simd
    for (int f = 0; f < n_features; ++f) dp[f] -= along * p_hat[f];
  }

  int rank_ = 0, n_rows_ = 0;
  AlignedVector values_, spare_;
};

/// targets[r][m] -= slope[m] dots[m][r] for n points and the rows of a panel.
void subtract_panel(int n, int n_rows, int width, const double *dots, const double *slope,
                    double *const *targets) {
  Lanes block[kLanes];
  for (int r = 0; r < n_rows; r += kLanes) {
    const int size = std::min(kLanes, n_rows - r);
    int m = 0;
    for (; m + kLanes <= n; m += kLanes) {
      for (int i = 0; i < kLanes; ++i) block[i] = load(dots + std::size_t(m + i) * width + r);
      transpose(block);
      for (int i = 0; i < size; ++i) {
        double *out = targets[r + i] + m;
        store(out, load(out) - load(slope + m) * block[i]);
      }
    }
    for (; m < n; ++m)
      for (int i = 0; i < size; ++i)
        targets[r + i][m] -= slope[m] * dots[std::size_t(m) * width + r + i];
  }
}

/// Subtracts ∂ε_i/∂(atom or strain) of one centre from its rows of forces and virial.
void subtract_gradients(const SparseSet &sparse, const AlignedVector &slope,
                        GradientPanels &gradients, const std::vector<double *> &targets) {
  const std::size_t rank = sparse.rank;
  alignas(64) double dots[kKernelTile * kPanelWidth];
  std::vector<double *> own(targets);
  for (int begin = 0; begin < sparse.size; begin += kKernelTile) {
    const int n = std::min(kKernelTile, sparse.size - begin);
    for (int first = 0; first < gradients.n_rows(); first += kPanelWidth) {
      const int width = gradients.width(first);
      panel_product<false>(width, n, sparse.rank, {&sparse.points[begin * rank], rank, 1},
                           gradients.panel(first), dots);
      subtract_panel(n, std::min(width, gradients.n_rows() - first), width, dots, &slope[begin],
                     &own[first]);
    }
    for (double *&target : own) target += n;
  }
}

/// Where the rows of FeatureGradients go in the rows of a structure.
std::vector<double *> target_rows(const FeatureGradients &gradients, std::size_t n_atoms,
                                  std::size_t n_columns, double *rows) {
  std::vector<double *> targets;
  for (std::size_t atom : gradients.atoms())
    for (int x = 0; x < 3; ++x) targets.push_back(rows + (1 + 3 * atom + x) * n_columns);
  for (int v = 0; v < 6; ++v) targets.push_back(rows + (1 + 3 * n_atoms + v) * n_columns);
  return targets;
}

}  // namespace

void add_soap_rows(const FeatureLayout &layout, const std::vector<std::size_t> &columns,
                   const Environments &environments, bool with_gradients, std::size_t n_columns,
                   double *rows) {
  const FeatureTerm &term = layout.term;
  std::vector<std::unique_ptr<FeatureBlock>> blocks;  // [choice of features]
  std::vector<std::unique_ptr<FeatureGradients>> all_gradients;
  for (std::size_t choice = 0; choice < term.choices.size(); ++choice) {
    blocks.push_back(layout.make_block(1, choice));
    all_gradients.push_back(
        blocks.back()->make_gradients(with_gradients ? environments.n_atoms : 0));
  }
  GradientPanels panels;
  AlignedVector packed;
  for (std::size_t i = 0; i < environments.n_atoms; ++i) {
    const int a = environments.species[i];
    const std::size_t set = term.set_of(a);
    const SparseSet &sparse = term.sparse[set];
    if (sparse.size == 0) continue;
    const auto &block = blocks[term.choice_of(a)];
    const auto &gradients = all_gradients[term.choice_of(a)];
    block->compute(environments, &i, 1);
    const KernelRow kernel(term.kernel, sparse, a, *block);
    double *own = rows + columns[set];
    for (int m = 0; m < sparse.size; ++m) own[m] += kernel.k[m];
    if (!with_gradients) continue;
    gradients->compute(i, environments, packed);
    panels.fill(term.kernel.normalized, *block, sparse, int(gradients->n_rows()), packed);
    subtract_gradients(sparse, kernel.slope, panels,
                       target_rows(*gradients, environments.n_atoms, n_columns, own));
  }
}

namespace {

/// Kernels of n centres, y side by side, with the points of a tile from `begin` on.
void kernel_tile(const FeatureTerm &term, const SparseSet &sparse, int begin, int n_points, int n,
                 const double *y, double *k) {
  const std::size_t rank = sparse.rank;
  const int width = padded(n);
  panel_product<false>(width, n_points, sparse.rank, {&sparse.points[begin * rank], rank, 1}, y, k);
  const KernelFunction function(term.kernel);
  for (int at = 0; at < n_points * width; at += kLanes)
    store(k + at, function(load(k + at), 1.0).value);
}

}  // namespace

void fill_kernel_rows(const FeatureLayout &layout, const std::vector<std::size_t> &columns,
                      const Environments &environments, std::size_t n_columns, double *rows) {
  const FeatureTerm &term = layout.term;
  AlignedVector p_hat, reduced, k(std::size_t(kKernelTile) * kPanelWidth);
  for (std::size_t set = 0; set < term.sparse.size(); ++set) {
    const SparseSet &sparse = term.sparse[set];
    std::vector<std::size_t> centers;
    for (std::size_t i = 0; i < environments.n_atoms; ++i)
      if (term.set_of(environments.species[i]) == set) centers.push_back(i);
    if (centers.empty() || sparse.size == 0) continue;
    const auto block = layout.make_block(kPanelWidth, term.choice_of(int(set)));
    const std::size_t n_features = block->n_features();
    p_hat.resize(n_features * kPanelWidth);
    for (std::size_t first = 0; first < centers.size(); first += kPanelWidth) {
      const std::size_t *own = &centers[first];
      const int n = int(std::min<std::size_t>(kPanelWidth, centers.size() - first));
      block->compute(environments, own, n);
      panel_of_rows(n, n_features, block->p_hat(), p_hat.data());
      const double *y = p_hat.data();
      if (!sparse.projection.empty()) {
        reduced.resize(std::size_t(sparse.rank) * kPanelWidth);
        panel_product<false>(padded(n), sparse.rank, int(n_features),
                             {sparse.projection.data(), n_features, 1}, y, reduced.data());
        y = reduced.data();
      }
      for (int begin = 0; begin < sparse.size; begin += kKernelTile) {
        const int n_points = std::min(kKernelTile, sparse.size - begin);
        kernel_tile(term, sparse, begin, n_points, n, y, k.data());
        for (int i = 0; i < n; ++i) {
          double *row = rows + own[i] * n_columns + columns[set] + begin;
          for (int m = 0; m < n_points; ++m) row[m] = k[std::size_t(m) * padded(n) + i];
          for (int m = 0; !sparse.coupling.empty() && m < n_points; ++m)
            row[m] *= sparse.coupling[environments.species[own[i]]][sparse.species[begin + m]];
        }
      }
    }
  }
}

namespace {

/// Energy rows are those of atoms, `energy_stride` apart, or all in one; gradients come after it.
void product_rows(const ProductLayout &product, const std::vector<std::size_t> &columns,
                  const Environments &environments, bool with_gradients, std::size_t n_columns,
                  std::size_t energy_stride, double *rows) {
  const std::size_t n = product.factors.size();
  std::vector<std::unique_ptr<FeatureBlock>> blocks;
  std::vector<std::unique_ptr<FeatureGradients>> gradients;
  for (const auto &factor : product.factors) {
    blocks.push_back(factor->make_block(1, 0));
    gradients.push_back(blocks.back()->make_gradients(with_gradients ? environments.n_atoms : 0));
  }
  GradientPanels panels;
  AlignedVector packed;
  std::vector<AlignedVector> x(n);  // dot products, then slopes over |p|
  for (std::size_t i = 0; i < environments.n_atoms; ++i) {
    const int a = environments.species[i];
    const int size = product.term.factors[0].sparse[a].size;
    if (size == 0) continue;
    for (std::size_t f = 0; f < n; ++f) {
      blocks[f]->compute(environments, &i, 1);
      x[f] =
          products(product.term.factors[f].sparse[a], blocks[f]->n_features(), blocks[f]->p_hat());
    }
    double *own = rows + columns[a];
    for (int m = 0; m < size; m += kLanes) {
      Lanes vector[kMaxFactors];
      for (std::size_t f = 0; f < n; ++f) vector[f] = load(&x[f][m]);
      const Lanes k = product_kernel(product.term, 1.0, vector);
      for (int lane = 0; lane < std::min(kLanes, size - m); ++lane)
        own[i * energy_stride + m + lane] += k[lane];
      for (std::size_t f = 0; f < n; ++f) {
        const double norm = blocks[f]->norm()[0];
        store(&x[f][m], (norm > 0 ? 1 / norm : 0) * vector[f]);
      }
    }
    for (std::size_t f = 0; with_gradients && f < n; ++f) {
      const FeatureTerm &factor = product.term.factors[f];
      gradients[f]->compute(i, environments, packed);
      panels.fill(factor.kernel.normalized, *blocks[f], factor.sparse[a],
                  int(gradients[f]->n_rows()), packed);
      subtract_gradients(factor.sparse[a], x[f], panels,
                         target_rows(*gradients[f], environments.n_atoms, n_columns, own));
    }
  }
}

}  // namespace

void add_product_rows(const ProductLayout &product, const std::vector<std::size_t> &columns,
                      const Environments &environments, bool with_gradients, std::size_t n_columns,
                      double *rows) {
  product_rows(product, columns, environments, with_gradients, n_columns, 0, rows);
}

void fill_kernel_rows(const ProductLayout &product, const std::vector<std::size_t> &columns,
                      const Environments &environments, std::size_t n_columns, double *rows) {
  product_rows(product, columns, environments, false, n_columns, n_columns, rows);
}

}  // namespace soap_gpr
