// SPDX-License-Identifier: BSD-3-Clause
#include "soap/expansion.hpp"

#include <algorithm>
#include <cmath>

#include "base/distance.hpp"

namespace soap_gpr {

void Neighborhood::gather(const Density &density, const Environments &env, std::size_t center) {
  batches_.clear();
  open_.assign(density.tables.size(), -1);
  for (std::size_t k = env.offset[center]; k < env.offset[center + 1]; ++k) {
    const double *d = env.r_ij[k];
    const double r2 = squared_distance(d);
    if (r2 >= density.cutoff * density.cutoff) continue;
    const double r = std::sqrt(r2);
    int &open = open_[env.neighbor_species[k]];
    if (open < 0 || batches_[open].size == kLanes) {
      open = int(batches_.size());
      batches_.push_back({env.neighbor_species[k], 0, {}, {}, broadcast(r)});
      batches_.back().unit[2] = broadcast(1.0);
    }
    Batch &batch = batches_[open];
    batch.pair[batch.size] = int(k - env.offset[center]);
    batch.r[batch.size] = r;
    for (int x = 0; x < 3; ++x) batch.unit[x][batch.size] = d[x] / r;
    ++batch.size;
  }
}

Expansion::Expansion(const Density &density) : density_(density) {
  y_.resize(density.harmonics.size());
  dy_.resize(3 * density.harmonics.size());
  int widest = 0;
  for (const RadialTable &table : density.tables) widest = std::max(widest, table.n_padded());
  s_.resize(std::size_t(kLanes) * widest);
  s_lanes_.resize(widest);
  ds_lanes_.resize(widest);
}

void Expansion::coefficients(const Neighborhood &neighborhood, int center_species, double *c) {
  std::fill(c, c + density_.n_coefficients, 0.0);
  const std::vector<double> &central = density_.central[center_species];
  std::copy(central.begin(), central.end(), c);
  for (const auto &batch : neighborhood.batches()) {
    const RadialTable &table = density_.tables[batch.species];
    const int width = table.n_padded();
    density_.harmonics.values(batch.unit, y_.data());
    for (int j = 0; j < batch.size; ++j) table.values(batch.r[j], &s_[std::size_t(j) * width]);
    for (int l = 0; l <= density_.l_max; ++l) {
      const Channels &channels = density_.channels[l];
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

namespace {

/// Σ_lm of a batch: ∂/∂r and, in the coordinates of the unit vector, the gradient of the harmonics.
struct PairGradients {
  Lanes radial = broadcast(0.0), angular[3] = {radial, radial, radial};

  /// Some rows m of g[m][q]: the sum over channels q leaves little to do for every harmonic.
  template <int Rows>
  void add(int size, const double *g, int stride, const Lanes *s, const Lanes *ds, const Lanes *y,
           const Lanes *dy) {
    Lanes u[Rows] = {}, du[Rows] = {};
    for (int q = 0; q < size; ++q)
      for (int m = 0; m < Rows; ++m) {
        u[m] += g[m * stride + q] * s[q];
        du[m] += g[m * stride + q] * ds[q];
      }
    for (int m = 0; m < Rows; ++m) {
      radial += du[m] * y[m];
      for (int x = 0; x < 3; ++x) angular[x] += u[m] * dy[3 * m + x];
    }
  }
};

}  // namespace

void Expansion::adjoint(const Neighborhood &neighborhood, const double *g, double (*f_ij)[3]) {
  for (const auto &batch : neighborhood.batches()) {
    const RadialTable &table = density_.tables[batch.species];
    prepare(batch);
    PairGradients gradients;
    for (int l = 0; l <= density_.l_max; ++l) {
      const Channels &channels = density_.channels[l];
      const ChannelGroup &group = table.groups()[l];
      const Lanes *s = &s_lanes_[group.offset], *ds = &ds_lanes_[group.offset];
      const double *row = g + channels.offset + group.q_begin;
      const Lanes *y = &y_[l * l], *dy = &dy_[3 * l * l];
      gradients.add<1>(group.size, row, channels.stride, s, ds, y, dy);
      for (int m = 1; m < 2 * l; m += 2)
        gradients.add<2>(group.size, row + m * channels.stride, channels.stride, s, ds, y + m,
                         dy + 3 * m);
    }
    const Lanes *unit = batch.unit;
    const Lanes *v = gradients.angular;
    const Lanes along = v[0] * unit[0] + v[1] * unit[1] + v[2] * unit[2];
    for (int x = 0; x < 3; ++x) {
      const Lanes gradient = (v[x] - unit[x] * along) / batch.r + unit[x] * gradients.radial;
      for (int j = 0; j < batch.size; ++j) f_ij[batch.pair[j]][x] -= gradient[j];
    }
  }
}

void Expansion::prepare(const Neighborhood::Batch &batch) {
  density_.harmonics.gradients(batch.unit, y_.data(), dy_.data());
  density_.tables[batch.species].derivatives(batch.r, batch.size, s_lanes_.data(),
                                             ds_lanes_.data());
}

void Expansion::derivative(const Neighborhood::Batch &batch, int k, double *dc) {
  const RadialTable &table = density_.tables[batch.species];
  const double unit[3] = {batch.unit[0][k], batch.unit[1][k], batch.unit[2][k]};
  for (int l = 0; l <= density_.l_max; ++l) {
    const Channels &channels = density_.channels[l];
    const ChannelGroup &group = table.groups()[l];
    for (int m = 0; m <= 2 * l; ++m) {
      const int lm = l * l + m;
      const Lanes *slope = &dy_[3 * lm];
      const double along = slope[0][k] * unit[0] + slope[1][k] * unit[1] + slope[2][k] * unit[2];
      for (int x = 0; x < 3; ++x) {
        const double tangent = (slope[x][k] - unit[x] * along) / batch.r[k];
        const double radial = y_[lm][k] * unit[x];
        double *row = dc + x * density_.n_coefficients + channels.offset + m * channels.stride +
                      group.q_begin;
        for (int q = 0; q < group.size; ++q)
          row[q] =
              tangent * s_lanes_[group.offset + q][k] + radial * ds_lanes_[group.offset + q][k];
      }
    }
  }
}

}  // namespace soap_gpr
