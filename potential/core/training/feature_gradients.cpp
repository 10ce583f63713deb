// SPDX-License-Identifier: BSD-3-Clause
#include "training/feature_gradients.hpp"

#include <cmath>

#include "training/design_rows.hpp"

namespace soap_gpr {

FeatureGradients::FeatureGradients(const SoapTerm &term, std::size_t n_atoms)
    : term_(term), slot_(n_atoms, -1), dc_(std::size_t(3) * term.n_coefficients) {
  for (const Channels &channels : term.channels)
    size_ += std::size_t(channels.size) * channels.stride;
}

void FeatureGradients::compute(EnvironmentBlock &block, std::size_t center,
                               const Environments &environments) {
  const std::size_t *own = environments.neighbor + environments.offset[center];
  for (std::size_t atom : atoms_) slot_[atom] = -1;
  atoms_.clear();
  add_atom(center);
  for (const auto &batch : block.neighborhood(0).batches())
    for (int k = 0; k < batch.size; ++k) add_atom(own[batch.pair[k]]);
  unpacked_.assign(n_rows() * size_, 0.0);
  for (const auto &batch : block.neighborhood(0).batches()) {
    block.expansion().prepare(batch);
    for (int k = 0; k < batch.size; ++k) {
      block.expansion().derivative(batch, k, dc_.data());
      add_pair(batch, k, block.coefficients(0), slot_[own[batch.pair[k]]]);
    }
  }
}

void FeatureGradients::pack(AlignedVector &packed) const {
  packed.resize(n_rows() * term_.n_features);
  double *out = packed.data();
  for (std::size_t row = 0; row < n_rows(); ++row) {
    const double *b = &unpacked_[row * size_];
    for (int l = 0; l <= term_.l_max; ++l) {
      const Channels &channels = term_.channels[l];
      const double diagonal = 1.0 / std::sqrt(2.0 * l + 1.0), off_diagonal = diagonal * M_SQRT2;
      for (int q = 0; q < channels.size; ++q) {
        *out++ = 2 * diagonal * b[q * channels.stride + q];
        for (int k = q + 1; k < channels.size; ++k)
          *out++ = off_diagonal * (b[q * channels.stride + k] + b[k * channels.stride + q]);
      }
      b += channels.size * channels.stride;
    }
  }
}

void FeatureGradients::add_atom(std::size_t atom) {
  if (slot_[atom] >= 0) return;
  slot_[atom] = int(atoms_.size());
  atoms_.push_back(atom);
}

/// The gradient goes to the neighbour, with the other sign to the centre (slot 0), and times
/// r_ij to the strain.
void FeatureGradients::add_pair(const Neighborhood::Batch &batch, int k, const double *c,
                                int slot) {
  const auto &groups = term_.tables[batch.species].groups();
  double *strain = &unpacked_[3 * atoms_.size() * size_];
  std::size_t offset = 0;
  for (int l = 0; l <= term_.l_max; ++l) {
    const Channels &channels = term_.channels[l];
    for (int q = groups[l].q_begin; q < groups[l].q_begin + groups[l].size; ++q)
      for (int group = 0; group < channels.stride; group += kLanes) {
        const std::size_t at = offset + std::size_t(q) * channels.stride + group;
        Lanes b[3];
        for (int x = 0; x < 3; ++x) {
          const double *dc = &dc_[x * std::size_t(term_.n_coefficients) + channels.offset + q];
          const double *row = c + channels.offset + group;
          b[x] = broadcast(0.0);
          for (int m = 0; m <= 2 * l; ++m)
            b[x] += dc[m * channels.stride] * load(row + m * channels.stride);
          double *plus = &unpacked_[(3 * slot + x) * size_ + at];
          store(plus, load(plus) + b[x]);
          double *minus = &unpacked_[x * size_ + at];
          store(minus, load(minus) - b[x]);
        }
        for (int v = 0; v < 6; ++v) {
          const double r = batch.r[k] * batch.unit[kVoigt[v][1]][k];
          double *out = strain + v * size_ + at;
          store(out, load(out) + r * b[kVoigt[v][0]]);
        }
      }
    offset += std::size_t(channels.size) * channels.stride;
  }
}

}  // namespace soap_gpr
