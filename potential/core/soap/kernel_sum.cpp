// SPDX-License-Identifier: BSD-3-Clause
#include "soap/kernel_sum.hpp"

#include "base/lanes_of_rows.hpp"
#include "features/unit_length.hpp"
#include "soap/collapsed_sum.hpp"
#include "uncertainty/kernel_panels.hpp"

namespace soap_gpr {

namespace {

void load_coupling(const SparseSet &sparse, const KernelPanel &panel) {
  for (std::size_t b = 0; b < sparse.coupling.size(); ++b) {
    double *row = panel.coupling + b * panel.width;
    for (int i = 0; i < panel.size; ++i) row[i] = sparse.coupling[panel.species[i]][b];
    std::fill(row + panel.size, row + panel.width, 0.0);
  }
}

/// panel.values[m] = k of the n points from `begin` of a tile, where panel.k has the dot products,
/// and when wanted slopes[m] = ∂k/∂(y · y_m).
void evaluate_kernels(const Kernel &kernel, const SparseSet &sparse, int begin, int n,
                      const KernelPanel &panel, double *slopes) {
  const KernelFunction function(kernel);
  for (int m = 0; m < n; ++m)
    for (int lanes = 0; lanes < panel.width; lanes += kLanes) {
      const std::size_t at = std::size_t(m) * panel.width + lanes;
      Lanes coupling = broadcast(1.0);
      if (!sparse.coupling.empty())
        coupling =
            load(panel.coupling + std::size_t(sparse.species[begin + m]) * panel.width + lanes);
      const auto [value, slope] = function(load(panel.k + at), coupling);
      store(panel.values + at, value);
      if (slopes) store(slopes + at, slope);
    }
}

/// panel.values of a tile, to where they are kept.
void keep_kernels(int begin, int n, const KernelPanel &panel, const KernelColumns &kernels) {
  for (int lanes = 0; lanes < panel.width; lanes += kLanes) {
    double *out = kernels.lanes(panel.begin + lanes, begin);
    const std::size_t stride = kernels.stride(panel.begin + lanes);
    for (int m = 0; m < n; ++m)
      store(out + m * stride, load(panel.values + std::size_t(m) * panel.width + lanes));
  }
}

/// k[m] -> w_m ∂k/∂(y · y_m) for the n points of a tile; energy[i] += Σ_m w_m k. weight(m, lanes):
/// that of the point for these lanes of the panel.
template <class Weight>
void contract_weights(const Kernel &kernel, int n, Weight weight, const KernelPanel &panel,
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

}  // namespace

KernelSum::KernelSum(const Kernel &kernel, const SparseSet &sparse, int n_features)
    : kernel_(kernel),
      sparse_(sparse),
      n_features_(n_features),
      columns_{{{kernel, sparse, sparse.target_weights},
                {kernel, sparse, sparse.members},
                {kernel, sparse, sparse.target_members}}},
      projection_(sparse.projection.data(), sparse.projection.empty() ? 0 : sparse.rank,
                  n_features) {
  if (collapses(kernel, sparse))
    collapsed_ = collapsed_sum(kernel, sparse, sparse.weights.data());
  else
    points();  // here, and not at the first evaluation
}

const PackedRows &KernelSum::points() const {
  return points_->get(
      [this] { return PackedRows(sparse_.points.data(), sparse_.size, sparse_.rank); });
}

int KernelSum::n_columns() const {
  int n = 0;
  for (int kind = 0; kind < kColumnKinds; ++kind) n += n_columns(kind);
  return n;
}

double *KernelSum::sums_of(const KernelPanel &panel, int kind) const {
  double *sums = panel.sums;
  for (int k = 0; k < kind; ++k) sums += std::size_t(n_columns(k)) * panel.width;
  return sums;
}

std::size_t KernelSum::scratch_size(int n) const {
  return padded(n) * KernelPanel::rows(sparse_, n_features_, n_columns());
}

std::size_t KernelSum::slopes_size(int n) const {
  return columns_[kMembers].collapsed_gradients() ? 0 : std::size_t(padded(n)) * sparse_.size;
}

std::size_t KernelSum::gradient_size(int n) const { return padded(n) * std::size_t(sparse_.rank); }

KernelPanel KernelSum::panel_at(int first, const Centers &centers, double *scratch) const {
  return {sparse_, n_features_, n_columns(), centers.n, first, centers.species, scratch};
}

KernelPanel KernelSum::panel_at(int first, const Centers &centers, double *scratch,
                                double *h) const {
  KernelPanel panel = panel_at(first, centers, scratch);
  if (!h) return panel;
  panel.h = h + std::size_t(first) * sparse_.rank;
  if (sparse_.projection.empty()) panel.g = panel.h;
  return panel;
}

void KernelSum::load_centers(const Centers &centers, double *scratch, const Sums &sums) const {
  for (int first = 0; first < centers.n; first += kPanelWidth) {
    const KernelPanel panel = panel_at(first, centers, scratch);
    panel_of_rows(panel.size, n_features_, centers.p_hat + std::size_t(first) * n_features_,
                  panel.p_hat);
    load_coupling(sparse_, panel);
    if (!projection_.empty())
      projection_.product(panel.width, 0, sparse_.rank, panel.p_hat, panel.y);
    if (sums.g) std::fill_n(panel.h, std::size_t(panel.width) * sparse_.rank, 0.0);
    for (int kind = 0; kind < kColumnKinds; ++kind)
      if (sums.columns[kind])
        std::fill_n(sums_of(panel, kind), std::size_t(panel.width) * n_columns(kind), 0.0);
  }
}

void KernelSum::add_collapsed(const Centers &centers, double *scratch, const Sums &sums) const {
  for (int first = 0; first < centers.n; first += kPanelWidth) {
    const KernelPanel panel = panel_at(first, centers, scratch);
    for (int kind = 0; kind < kColumnKinds; ++kind)
      if (sums.columns[kind] && columns_[kind].collapsed())
        columns_[kind].add_collapsed(panel, sums_of(panel, kind));
    collapsed_gradient(kernel_.integer_zeta(), sparse_, collapsed_.data(), panel);
    add_energies(kernel_.zeta, sparse_.rank, panel, sums.energy);
  }
}

void KernelSum::add_points(const Centers &centers, double *scratch, const Sums &sums) const {
  for (int begin = 0; begin < sparse_.size; begin += kKernelTile) {
    const int n = std::min(kKernelTile, sparse_.size - begin);
    for (int first = 0; first < centers.n; first += kPanelWidth)
      add_tile(begin, n, panel_at(first, centers, scratch), sums);
  }
}

void KernelSum::add_tile(int begin, int n, const KernelPanel &panel, const Sums &sums) const {
  points().product(panel.width, begin, n, panel.y, panel.k);
  if (sums.has_columns() || sums.slopes || sums.kernels) {
    double *slopes = sums.slopes;
    if (slopes)
      slopes += std::size_t(panel.begin) * sparse_.size + std::size_t(begin) * panel.width;
    evaluate_kernels(kernel_, sparse_, begin, n, panel, slopes);
  }
  if (sums.kernels) keep_kernels(begin, n, panel, *sums.kernels);
  for (int kind = 0; kind < kColumnKinds; ++kind)
    if (sums.columns[kind])
      columns_[kind].columns.add_tile(begin, n, panel.width, panel.values, sums_of(panel, kind));
  if (!sums.energy) return;
  const double *weights = &sparse_.weights[begin];
  if (sparse_.coupling.empty()) {
    contract_weights(kernel_, n, [=](int m, int) { return weights[m]; }, panel, sums.energy);
  } else {
    const int *species = &sparse_.species[begin];
    const auto coupled = [=](int m, int lanes) {
      return weights[m] * load(panel.coupling + std::size_t(species[m]) * panel.width + lanes);
    };
    contract_weights(kernel_, n, coupled, panel, sums.energy);
  }
  if (sums.g) points().add_transposed(panel.width, begin, n, panel.k, panel.h);
}

void KernelSum::finish_gradient(const Centers &centers, double *scratch, double *h,
                                double *g) const {
  for (int first = 0; first < centers.n; first += kPanelWidth) {
    const KernelPanel panel = panel_at(first, centers, scratch, h);
    if (!projection_.empty()) {
      std::fill_n(panel.g, std::size_t(panel.width) * n_features_, 0.0);
      projection_.add_transposed(panel.width, 0, sparse_.rank, panel.h, panel.g);
    }
    const std::size_t row = std::size_t(first) * n_features_;
    const double *own_dual = centers.dual == centers.p_hat ? nullptr : centers.dual + row;
    unit_length_adjoint(kernel_.normalized, n_features_, panel.size, panel.p_hat, panel.g, own_dual,
                        centers.norm + first, g + row);
  }
}

void KernelSum::hand_out(const Centers &centers, double *scratch, const Sums &sums) const {
  for (int first = 0; first < centers.n; first += kPanelWidth) {
    const KernelPanel panel = panel_at(first, centers, scratch);
    for (int kind = 0; kind < kColumnKinds; ++kind) {
      const double *own = sums_of(panel, kind);
      double *rows = sums.columns[kind];
      for (int c = 0; rows && c < n_columns(kind); ++c)
        for (int i = 0; i < panel.size; ++i)
          rows[c * centers.n + first + i] += own[c * panel.width + i];
    }
  }
}

void KernelSum::add(const Centers &centers, double *scratch, const Sums &sums) const {
  load_centers(centers, scratch, sums);
  Sums of_points = sums;  // what the sparse points are needed for
  if (!collapsed_.empty()) {
    add_collapsed(centers, scratch, sums);
    of_points.energy = of_points.g = nullptr;
  }
  for (int kind = 0; kind < kColumnKinds; ++kind)
    if (columns_[kind].collapsed()) of_points.columns[kind] = nullptr;
  if (of_points.energy || of_points.has_columns() || of_points.slopes || of_points.kernels)
    add_points(centers, scratch, of_points);
  if (sums.g) finish_gradient(centers, scratch, nullptr, sums.g);
  if (sums.has_columns()) hand_out(centers, scratch, sums);
}

void KernelSum::member_gradients(int first, int count, const Centers &centers, double *scratch,
                                 const double *slopes, double *h) const {
  const std::size_t size = gradient_size(centers.n);
  const bool collapsed = columns_[kMembers].collapsed_gradients();
  if (!collapsed) std::fill_n(h, count * size, 0.0);
  const auto for_panels = [&](const auto &visit) {
    for (int c = 0; c < count; ++c)
      for (int begin = 0; begin < centers.n; begin += kPanelWidth)
        visit(first + c, panel_at(begin, centers, scratch, h + c * size));
  };
  if (collapsed)
    return for_panels([this](int member, const KernelPanel &panel) {
      columns_[kMembers].collapsed_gradient(member, panel);
    });
  for (int begin = 0; begin < sparse_.size; begin += kKernelTile) {
    const int n = std::min(kKernelTile, sparse_.size - begin);
    for_panels([&](int member, const KernelPanel &panel) {
      const double *own = slopes + panel.begin * sparse_.size + std::size_t(begin) * panel.width;
      columns_[kMembers].columns.weigh(member, begin, n, panel.width, own, panel.k);
      points().add_transposed(panel.width, begin, n, panel.k, panel.h);
    });
  }
}

}  // namespace soap_gpr
