// SPDX-License-Identifier: BSD-3-Clause
#include "soap/density_gradients.hpp"

#include "base/voigt.hpp"

namespace soap_gpr {

DensityGradients::DensityGradients(const SoapLayout &soap, EnvironmentBlock &block,
                                   std::size_t n_atoms)
    : FeatureGradients(n_atoms),
      soap_(soap),
      block_(block),
      dc_(std::size_t(3) * soap.density.n_coefficients),
      scratch_(block.representation().scratch_size()) {
  for (const Channels &channels : soap.density.channels) all_.push_back({0, channels.size, 0});
}

void DensityGradients::compute(std::size_t center, const Environments &environments,
                               AlignedVector &packed) {
  const std::size_t *own = environments.neighbor + environments.offset[center];
  clear();
  tables_.clear();
  add_atom(center, 0);
  for (const auto &batch : block_.neighborhood(0).batches())
    for (int k = 0; k < batch.size; ++k) add_atom(own[batch.pair[k]], batch.table);
  directions_.assign(n_rows() * soap_.density.n_coefficients, 0.0);
  for (const auto &batch : block_.neighborhood(0).batches()) {
    block_.expansion().prepare(batch);
    for (int k = 0; k < batch.size; ++k) {
      block_.expansion().derivative(batch, k, dc_.data());
      add_pair(batch, k, slot(own[batch.pair[k]]));
    }
  }
  const std::size_t width = block_.n_features();
  packed.resize(n_rows() * width);
  const auto derive = [&](std::size_t row, std::size_t end, const auto &groups) {
    block_.representation().derivatives(block_.coefficients(0), int(end - row), direction(row),
                                        groups, scratch_.data(), &packed[row * width]);
  };
  derive(0, 3, all_);
  for (std::size_t s = 1, end; s < atoms().size(); s = end) {  // atoms of one table at a time
    end = s + 1;
    while (end < atoms().size() && tables_[end] == tables_[s]) ++end;
    derive(3 * s, 3 * end, soap_.density.fed[tables_[s]]);
  }
  derive(3 * atoms().size(), n_rows(), all_);
}

void DensityGradients::add_atom(std::size_t atom, int table) {
  if (FeatureGradients::add_atom(atom)) tables_.push_back(table);
}

void DensityGradients::add_pair(const Neighborhood::Batch &batch, int k, int slot) {
  const std::size_t row = soap_.density.n_coefficients;
  for (int l = 0; l <= soap_.density.l_max; ++l) {
    const Channels &channels = soap_.density.channels[l];
    const ChannelGroup &group = soap_.density.fed[batch.table][l];
    for (int m = 0; m <= 2 * l; ++m) {
      const std::size_t at = channels.offset + m * channels.stride + group.q_begin;
      for (int x = 0; x < 3; ++x) {
        const double *dc = &dc_[x * row + at];
        double *neighbor = direction(3 * slot + x) + at, *center = direction(x) + at;
        for (int q = 0; q < group.size; ++q) {
          neighbor[q] += dc[q];
          center[q] -= dc[q];
        }
      }
      for (int v = 0; v < 6; ++v) {
        const double *dc = &dc_[kVoigt[v][0] * row + at];
        const int y = kVoigt[v][1];
        const double r_ij = batch.r[k] * batch.unit[y][k];
        double *strain = direction(3 * atoms().size() + v) + at;
        for (int q = 0; q < group.size; ++q) strain[q] += r_ij * dc[q];
      }
    }
  }
}

}  // namespace soap_gpr
