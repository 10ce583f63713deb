// SPDX-License-Identifier: BSD-3-Clause
#include "expansion.hpp"

#include <algorithm>
#include <cmath>

namespace soap_gpr {

void Neighborhood::gather(const SoapTerm &term, const Environments &env, std::size_t center) {
  batches_.clear();
  open_.assign(term.tables.size(), -1);
  for (std::size_t k = env.offset[center]; k < env.offset[center + 1]; ++k) {
    const double *d = env.r_ij[k];
    const double r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
    if (r2 >= term.cutoff * term.cutoff) continue;
    if (!(r2 > 1e-20)) throw Error("two atoms are at the same place or a position is not finite");
    const double r = std::sqrt(r2);
    int &open = open_[env.neighbor_species[k]];
    if (open < 0 || batches_[open].size == kLanes) {
      open = int(batches_.size());
      batches_.push_back({env.neighbor_species[k], 0, {}, {}, {}});
      batches_.back().unit[2] = broadcast(1.0);
    }
    Batch &batch = batches_[open];
    batch.pair[batch.size] = int(k - env.offset[center]);
    batch.r[batch.size] = r;
    for (int x = 0; x < 3; ++x) batch.unit[x][batch.size] = d[x] / r;
    ++batch.size;
  }
}

Expansion::Expansion(const SoapTerm &term) : term_(term) {
  y_.resize(term.harmonics.size());
  dy_.resize(3 * term.harmonics.size());
  int widest = 0;
  for (const RadialTable &table : term.tables) widest = std::max(widest, table.n_padded());
  s_.resize(std::size_t(kLanes) * widest);
  ds_.resize(s_.size());
}

void Expansion::coefficients(const Neighborhood &neighborhood, int center_species, double *c) {
  std::fill(c, c + term_.n_coefficients, 0.0);
  const AlignedVector &central = term_.central[center_species];
  std::copy(central.begin(), central.end(), c);
  for (const auto &batch : neighborhood.batches()) {
    const RadialTable &table = term_.tables[batch.species];
    const int width = table.n_padded();
    term_.harmonics.values(batch.unit, y_.data());
    for (int j = 0; j < batch.size; ++j) table.values(batch.r[j], &s_[std::size_t(j) * width]);
    for (int l = 0; l <= term_.l_max; ++l) {
      const Channels &channels = term_.channels[l];
      const ChannelGroup &group = table.groups()[l];
      for (int m = 0; m <= 2 * l; ++m) {
        const double *y = reinterpret_cast<const double *>(&y_[l * l + m]);
        double *row = c + channels.offset + m * channels.stride + group.q_begin;
        for (int q = 0; q < group.size; q += kLanes) {
          Lanes value = load(row + q);
          for (int j = 0; j < batch.size; ++j)
            value += y[j] * load(&s_[std::size_t(j) * width + group.offset + q]);
          store(row + q, value);
        }
      }
    }
  }
}

void Expansion::adjoint(const Neighborhood &neighborhood, const double *g, double (*f_ij)[3]) {
  for (const auto &batch : neighborhood.batches()) {
    const RadialTable &table = term_.tables[batch.species];
    prepare(batch);
    for (int j = 0; j < batch.size; ++j) {
      table.derivatives(batch.r[j], s_.data(), ds_.data());
      Lanes radial = broadcast(0.0), gx = radial, gy = radial, gz = radial;
      for (int l = 0; l <= term_.l_max; ++l) {
        const Channels &channels = term_.channels[l];
        const ChannelGroup &group = table.groups()[l];
        for (int q = 0; q < group.size; q += kLanes) {
          const double *row = g + channels.offset + group.q_begin + q;
          // Σ_m over harmonics first: the sum over channels is then a lane-wise dot product
          Lanes u = broadcast(0.0), vx = u, vy = u, vz = u;
          for (int m = 0; m <= 2 * l; ++m, row += channels.stride) {
            const Lanes weight = load(row);
            const Lanes *slope = &dy_[3 * (l * l + m)];
            u += y_[l * l + m][j] * weight;
            vx += slope[0][j] * weight;
            vy += slope[1][j] * weight;
            vz += slope[2][j] * weight;
          }
          const Lanes s = load(&s_[group.offset + q]);
          radial += load(&ds_[group.offset + q]) * u;
          gx += s * vx;
          gy += s * vy;
          gz += s * vz;
        }
      }
      const double unit[3] = {batch.unit[0][j], batch.unit[1][j], batch.unit[2][j]};
      const double v[3] = {sum(gx), sum(gy), sum(gz)};
      const double along = v[0] * unit[0] + v[1] * unit[1] + v[2] * unit[2];
      const double inverse_r = 1.0 / batch.r[j], slope = sum(radial);
      double *f = f_ij[batch.pair[j]];
      for (int x = 0; x < 3; ++x) f[x] -= (v[x] - unit[x] * along) * inverse_r + unit[x] * slope;
    }
  }
}

void Expansion::prepare(const Neighborhood::Batch &batch) {
  term_.harmonics.gradients(batch.unit, y_.data(), dy_.data());
}

void Expansion::derivative(const Neighborhood::Batch &batch, int k, double *dc) {
  const RadialTable &table = term_.tables[batch.species];
  table.derivatives(batch.r[k], s_.data(), ds_.data());
  const double unit[3] = {batch.unit[0][k], batch.unit[1][k], batch.unit[2][k]};
  for (int l = 0; l <= term_.l_max; ++l) {
    const Channels &channels = term_.channels[l];
    const ChannelGroup &group = table.groups()[l];
    for (int m = 0; m <= 2 * l; ++m) {
      const int lm = l * l + m;
      const Lanes *slope = &dy_[3 * lm];
      const double along = slope[0][k] * unit[0] + slope[1][k] * unit[1] + slope[2][k] * unit[2];
      for (int x = 0; x < 3; ++x) {
        const double tangent = (slope[x][k] - unit[x] * along) / batch.r[k];
        const double radial = y_[lm][k] * unit[x];
        double *row =
            dc + x * term_.n_coefficients + channels.offset + m * channels.stride + group.q_begin;
        for (int q = 0; q < group.size; ++q)
          row[q] = tangent * s_[group.offset + q] + radial * ds_[group.offset + q];
      }
    }
  }
}

}  // namespace soap_gpr
