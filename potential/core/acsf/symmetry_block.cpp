// SPDX-License-Identifier: BSD-3-Clause
#include "acsf/symmetry_block.hpp"

#include <algorithm>
#include <cmath>

#include "acsf/symmetry_gradients.hpp"
#include "base/distance.hpp"

namespace soap_gpr {

bool NeighborPair::compute(const SymmetryNeighbor &j, const SymmetryNeighbor &k, const Jet *a,
                           const Jet *b, const PairUses &uses) {
  j_ = &j;
  k_ = &k;
  double d[3];
  cosine_ = 0;
  for (int x = 0; x < 3; ++x) {
    d[x] = k.r * k.unit[x] - j.r * j.unit[x];
    cosine_ += j.unit[x] * k.unit[x];
  }
  const double r2 = squared_distance(d), r = std::sqrt(r2);
  for (int x = 0; x < 3; ++x) unit_jk_[x] = d[x] / r;
  const Jet f = uses.third ? cosine_cutoff(r, used_.cutoff) : Jet{0, 0};
  bool any = false;
  for (int n : uses.distances) {
    const auto [eta, third] = used_.distances[n];
    Jet c{1, 0};
    if (third) {
      const double decay = f.value > 0 ? std::exp(-used_.etas[eta] * r2) : 0;
      c = {f.value * decay, (f.slope - 2 * used_.etas[eta] * r * f.value) * decay};
    }
    any = any || c.value != 0;
    const double ab = a[eta].value * b[eta].value;
    distances_[n] = {ab * c.value, a[eta].slope * b[eta].value * c.value,
                     a[eta].value * b[eta].slope * c.value, ab * c.slope};
  }
  if (!any) return false;
  for (int n : uses.angles) angles_[n] = used_.angles[n](cosine_);
  return true;
}

void NeighborPair::add(int distance, int angle, double scale, Slopes &slopes) const {
  const Factor &own = distances_[distance];
  const double by_distance = scale * angles_[angle].value;
  slopes.j += by_distance * own.j;
  slopes.k += by_distance * own.k;
  slopes.jk += by_distance * own.jk;
  slopes.cosine += scale * angles_[angle].slope * own.value;
}

void NeighborPair::gradients(const Slopes &slopes, double along_j[3], double along_k[3]) const {
  const double by_j = slopes.cosine / j_->r, by_k = slopes.cosine / k_->r;
  for (int x = 0; x < 3; ++x) {
    const double u_j = j_->unit[x], u_k = k_->unit[x], third = slopes.jk * unit_jk_[x];
    along_j[x] = slopes.j * u_j + by_j * (u_k - cosine_ * u_j) - third;
    along_k[x] = slopes.k * u_k + by_k * (u_j - cosine_ * u_k) + third;
  }
}

std::unique_ptr<FeatureBlock> SymmetryLayout::make_block(int capacity, std::size_t choice) const {
  return std::make_unique<SymmetryBlock>(*this, choice, capacity);
}

SymmetryBlock::SymmetryBlock(const SymmetryLayout &layout, std::size_t choice, int capacity)
    : FeatureBlock(layout.term, choice, capacity),
      used_(layout.functions[choice]),
      pair_(used_),
      centers_(capacity) {}

void SymmetryBlock::gather(const Environments &environments, const std::size_t *centers, int n) {
  n_ = n;
  const double cutoff = term_.cutoff;
  for (int i = 0; i < n; ++i) {
    Center &own = centers_[i];
    own.offset = environments.offset[centers[i]];
    own.neighbors.clear();
    for (std::size_t k = own.offset; k < environments.offset[centers[i] + 1]; ++k) {
      const double *d = environments.r_ij[k];
      const double r2 = squared_distance(d);
      if (r2 >= cutoff * cutoff) continue;
      const double r = std::sqrt(r2);
      own.neighbors.push_back({int(k - own.offset),
                               environments.neighbor_species[k],
                               r,
                               {d[0] / r, d[1] / r, d[2] / r},
                               {}});
    }
  }
}

void SymmetryBlock::expand() {
  for (int i = 0; i < n_; ++i) {
    Center &own = centers_[i];
    own.jets.clear();
    for (SymmetryNeighbor &neighbor : own.neighbors) {
      neighbor.cutoff = cosine_cutoff(neighbor.r, term_.cutoff);
      for (double eta : used_.etas)
        own.jets.push_back(RadialFunction::gaussian(eta, 0)(neighbor.r, neighbor.cutoff));
    }
  }
}

void SymmetryBlock::values(double *p) {
  std::fill_n(p, std::size_t(n_) * n_features(), 0.0);
  for (int i = 0; i < n_; ++i, p += n_features()) {
    for (const SymmetryNeighbor &own : centers_[i].neighbors)
      for (const RadialUse &use : used_.radial[own.species])
        p[use.feature] += use.scale * used_.functions[use.function](own.r, own.cutoff).value;
    for_pairs(used_, centers_[i], pair_,
              [&](std::size_t, std::size_t, const std::vector<AngularUse> &uses) {
                for (const AngularUse &use : uses)
                  p[use.feature] += use.scale * pair_.product(use.distance, use.angle);
              });
  }
}

void SymmetryBlock::representation_adjoint(const double *g, std::size_t energy) {
  g_.resize(std::max(g_.size(), (energy + 1) * row()));
  std::copy_n(g, std::size_t(n_) * n_features(), &g_[energy * row()]);
}

void SymmetryBlock::expansion_adjoint(std::size_t n_energies, double (*f_ij)[3],
                                      std::size_t n_pairs) {
  slopes_.resize(std::max(slopes_.size(), n_energies));
  for (int i = 0; i < n_; ++i)
    adjoint(centers_[i], n_energies, &g_[std::size_t(i) * n_features()], f_ij + centers_[i].offset,
            n_pairs);
}

void SymmetryBlock::adjoint(const Center &center, std::size_t n_energies, const double *g,
                            double (*f_ij)[3], std::size_t n_pairs) {
  for (const SymmetryNeighbor &own : center.neighbors) {
    std::fill_n(slopes_.begin(), n_energies, 0.0);
    for (const RadialUse &use : used_.radial[own.species]) {
      const double slope = used_.functions[use.function](own.r, own.cutoff).slope;
      for (std::size_t e = 0; e < n_energies; ++e)
        slopes_[e] += g[e * row() + use.feature] * use.scale * slope;
    }
    for (std::size_t e = 0; e < n_energies; ++e)
      for (int x = 0; x < 3; ++x) f_ij[e * n_pairs + own.pair][x] -= slopes_[e] * own.unit[x];
  }
  for_pairs(
      used_, center, pair_, [&](std::size_t j, std::size_t k, const std::vector<AngularUse> &uses) {
        for (std::size_t e = 0; e < n_energies; ++e) {
          NeighborPair::Slopes slopes;
          for (const AngularUse &use : uses)
            pair_.add(use.distance, use.angle, g[e * row() + use.feature] * use.scale, slopes);
          double along_j[3], along_k[3];
          pair_.gradients(slopes, along_j, along_k);
          double(*own)[3] = f_ij + e * n_pairs;
          for (int x = 0; x < 3; ++x) {
            own[center.neighbors[j].pair][x] -= along_j[x];
            own[center.neighbors[k].pair][x] -= along_k[x];
          }
        }
      });
}

std::unique_ptr<FeatureGradients> SymmetryBlock::make_gradients(std::size_t n_atoms) {
  return std::make_unique<SymmetryGradients>(used_, *this, n_atoms);
}

}  // namespace soap_gpr
