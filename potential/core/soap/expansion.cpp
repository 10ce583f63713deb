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
    const int species = env.neighbor_species[k], table = density.table_of[species];
    int &open = open_[table];
    if (open < 0 || batches_[open].size == kLanes) {
      open = int(batches_.size());
      batches_.push_back({table, 0, {}, {}, {}, broadcast(r)});
      batches_.back().unit[2] = broadcast(1.0);
    }
    Batch &batch = batches_[open];
    batch.pair[batch.size] = int(k - env.offset[center]);
    batch.species[batch.size] = species;
    batch.r[batch.size] = r;
    for (int x = 0; x < 3; ++x) batch.unit[x][batch.size] = d[x] / r;
    ++batch.size;
  }
}

Expansion::Expansion(const Density &density) : density_(density) {
  y_.resize(density.harmonics.size());
  dy_.resize(3 * density.harmonics.size());
  weighted_y_.resize(density.map.dimensions ? y_.size() : 0);
  u_lanes_.resize(density.map.dimensions);
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
    const RadialTable &table = density_.tables[batch.table];
    density_.harmonics.values(batch.unit, y_.data());
    table.values(batch.r, batch.size, s_.data());
    std::fill(s_.data() + std::size_t(batch.size) * table.n_padded(),
              s_.data() + std::size_t(kLanes) * table.n_padded(), 0.0);
    if (density_.map.dimensions == 0) {
      add_batch(table, batch.size, y_.data(), 0, c);
      continue;
    }
    weigh(batch);
    for (int J = 0; J < density_.map.dimensions; ++J) {
      for (std::size_t lm = 0; lm < y_.size(); ++lm) weighted_y_[lm] = u_lanes_[J] * y_[lm];
      add_batch(table, batch.size, weighted_y_.data(), J, c);
    }
  }
}

namespace {

/// row[q] += Σ_j y[m][j] s_j[q] of one l and some neighbours j, whose functions stay in registers
/// for all m; s[Neighbors][width], y[n_m].
template <int Neighbors>
void add_neighbors(int n_m, int size, int width, const double *s, const Lanes *y, int stride,
                   double *row) {
  for (int q = 0; q < size; q += kLanes) {
    Lanes own[Neighbors];
    for (int j = 0; j < Neighbors; ++j) own[j] = load(s + std::size_t(j) * width + q);
    for (int m = 0; m < n_m; ++m) {
      const double *weights = reinterpret_cast<const double *>(&y[m]);
      double *sum = row + std::size_t(m) * stride + q;
      Lanes value = load(sum);
      for (int j = 0; j < Neighbors; ++j) value += weights[j] * own[j];
      store(sum, value);
    }
  }
}

}  // namespace

void Expansion::add_batch(const RadialTable &table, int size, const Lanes *y, int block,
                          double *c) const {
  const int width = table.n_padded();
  for (int l = 0; l <= density_.l_max; ++l) {
    const Channels &channels = density_.channels[l];
    const ChannelGroup &group = table.groups()[l];
    const auto add = 2 * size > kLanes ? add_neighbors<kLanes> : add_neighbors<kLanes / 2>;
    add(2 * l + 1, group.size, width, &s_[group.offset], y + l * l, channels.stride,
        c + channels.offset + group.q_begin + block * group.size);
  }
}

void Expansion::weigh(const Neighborhood::Batch &batch) {
  for (int J = 0; J < density_.map.dimensions; ++J)
    for (int j = 0; j < kLanes; ++j)
      u_lanes_[J][j] = j < batch.size ? density_.map.of(batch.species[j])[J] : 0;
}

namespace {

/// g[m][q] of the channels that a batch feeds, for all lanes.
struct PlainGradient {
  const double *g;
  int stride;
  double operator()(int m, int q) const { return g[m * stride + q]; }
};

/// The same before the map: Σ_J u_Ja g[m][(J, q)], eq. (3h).
struct MappedGradient {
  const double *g;
  int stride, size, dimensions;
  const Lanes *u;
  Lanes operator()(int m, int q) const {
    const double *own = g + m * stride + q;
    Lanes sum = own[0] * u[0];
    for (int J = 1; J < dimensions; ++J) sum += own[J * size] * u[J];
    return sum;
  }
};

/// Σ_lm of a batch: ∂/∂r and, in the coordinates of the unit vector, the gradient of the harmonics.
struct PairGradients {
  Lanes radial = broadcast(0.0), angular[3] = {radial, radial, radial};

  /// All harmonics of one l.
  template <class Gradient>
  void add_l(int l, int size, Gradient g, const Lanes *s, const Lanes *ds, const Lanes *y,
             const Lanes *dy) {
    add<1>(0, size, g, s, ds, y, dy);
    for (int m = 1; m < 2 * l; m += 2) add<2>(m, size, g, s, ds, y, dy);
  }

  /// Some rows of g(m, q): the sum over channels q leaves little to do for every harmonic.
  template <int Rows, class Gradient>
  void add(int first, int size, Gradient g, const Lanes *s, const Lanes *ds, const Lanes *y,
           const Lanes *dy) {
    Lanes u[Rows] = {}, du[Rows] = {};
    for (int q = 0; q < size; ++q)
      for (int m = 0; m < Rows; ++m) {
        const auto value = g(first + m, q);
        u[m] += value * s[q];
        du[m] += value * ds[q];
      }
    for (int m = 0; m < Rows; ++m) {
      radial += du[m] * y[first + m];
      for (int x = 0; x < 3; ++x) angular[x] += u[m] * dy[3 * (first + m) + x];
    }
  }
};

}  // namespace

void Expansion::adjoint(const Neighborhood &neighborhood, std::size_t n_energies, const double *g,
                        std::size_t g_stride, double (*f_ij)[3], std::size_t f_stride) {
  for (const auto &batch : neighborhood.batches()) {
    prepare(batch);
    if (density_.map.dimensions) weigh(batch);
    for (std::size_t e = 0; e < n_energies; ++e)
      adjoint_of_batch(batch, g + e * g_stride, f_ij + e * f_stride);
  }
}

void Expansion::adjoint_of_batch(const Neighborhood::Batch &batch, const double *g,
                                 double (*f_ij)[3]) const {
  const RadialTable &table = density_.tables[batch.table];
  const int dimensions = density_.map.dimensions;
  PairGradients gradients;
  for (int l = 0; l <= density_.l_max; ++l) {
    const Channels &channels = density_.channels[l];
    const ChannelGroup &group = table.groups()[l];
    const Lanes *s = &s_lanes_[group.offset], *ds = &ds_lanes_[group.offset];
    const PlainGradient own{g + channels.offset + group.q_begin, channels.stride};
    const Lanes *y = &y_[l * l], *dy = &dy_[3 * l * l];
    if (dimensions) {
      const MappedGradient mapped{own.g, own.stride, group.size, dimensions, u_lanes_.data()};
      gradients.add_l(l, group.size, mapped, s, ds, y, dy);
    } else {
      gradients.add_l(l, group.size, own, s, ds, y, dy);
    }
  }
  const Lanes *unit = batch.unit;
  const Lanes *v = gradients.angular;
  const Lanes along = v[0] * unit[0] + v[1] * unit[1] + v[2] * unit[2];
  for (int x = 0; x < 3; ++x) {
    const Lanes gradient = (v[x] - unit[x] * along) / batch.r + unit[x] * gradients.radial;
    for (int j = 0; j < batch.size; ++j) f_ij[batch.pair[j]][x] -= gradient[j];
  }
}

void Expansion::prepare(const Neighborhood::Batch &batch) {
  density_.harmonics.gradients(batch.unit, y_.data(), dy_.data());
  density_.tables[batch.table].derivatives(batch.r, batch.size, s_lanes_.data(), ds_lanes_.data());
}

void Expansion::derivative(const Neighborhood::Batch &batch, int k, double *dc) {
  const RadialTable &table = density_.tables[batch.table];
  const AlchemicalMap &map = density_.map;
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
        for (int J = map.dimensions - 1; J >= 0; --J)
          for (int q = 0; q < group.size; ++q)
            row[J * group.size + q] = map.of(batch.species[k])[J] * row[q];
      }
    }
  }
}

}  // namespace soap_gpr
