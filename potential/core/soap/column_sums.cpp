// SPDX-License-Identifier: BSD-3-Clause
#include "soap/column_sums.hpp"

#include "soap/collapsed_sum.hpp"

namespace soap_gpr {

namespace {

constexpr std::size_t kMostOfMatrices = std::size_t(256) << 20;  ///< bytes, of a set's gradients

}  // namespace

ColumnSums::ColumnSums(const Kernel &kernel, const SparseSet &sparse,
                       const std::vector<double> &weights)
    : columns(sparse, weights), kernel_(kernel), sparse_(sparse) {
  const bool fewer = std::size_t(columns.n) * sparse.rank <= 2 * std::size_t(sparse.size);
  if (columns.n && collapses(kernel, sparse) && (zeta() == 1 || fewer)) collapse();
}

void ColumnSums::collapse() {
  const std::size_t rank = sparse_.rank;
  const std::size_t n_centers = std::max<std::size_t>(1, sparse_.coupling.size());
  if (zeta() == 1) collapsed_.assign(n_centers, AlignedVector(columns.n * rank));
  for (int c = 0; c < columns.n; ++c) {
    AlignedVector own = collapsed_sum(kernel_, sparse_, columns.of(c));
    if (zeta() == 2) {
      collapsed_.push_back(upper_blocks(std::move(own), rank));
      continue;
    }
    for (std::size_t a = 0; a < n_centers; ++a)
      std::copy_n(&own[a * rank], rank, &collapsed_[a][c * rank]);
  }
}

bool ColumnSums::collapsed_gradients() const {
  if (!columns.n || !collapses(kernel_, sparse_)) return false;
  const std::size_t bytes = sizeof(double) * columns.n * sparse_.rank * sparse_.rank;
  return zeta() == 1 || (sparse_.rank <= sparse_.size && bytes <= kMostOfMatrices);
}

void ColumnSums::add_collapsed(const KernelPanel &panel, double *sums) const {
  const std::size_t rank = sparse_.rank, width = panel.width;
  if (zeta() == 2) {
    for (int c = 0; c < columns.n; ++c)
      add_quadratic(sparse_, collapsed_[c].data(), panel, sums + c * width);
    return;
  }
  for (std::size_t a = 0; a < collapsed_.size(); ++a) {
    panel_product<false>(panel.width, columns.n, sparse_.rank, {collapsed_[a].data(), rank, 1},
                         panel.y, panel.spare);
    for (int i = 0; i < panel.size; ++i)
      if (collapsed_.size() == 1 || panel.species[i] == int(a))
        for (int c = 0; c < columns.n; ++c) sums[c * width + i] += panel.spare[c * width + i];
  }
}

void ColumnSums::collapsed_gradient(int column, const KernelPanel &panel) const {
  const Matrices &all = gradients_->get([this] {
    Matrices made;
    for (int c = 0; c < columns.n; ++c)
      made.push_back(collapsed_sum(kernel_, sparse_, columns.of(c)));
    return made;
  });
  soap_gpr::collapsed_gradient(zeta(), sparse_, all[column].data(), panel);
}

}  // namespace soap_gpr
