// SPDX-License-Identifier: BSD-3-Clause
#include "clusters/triplet_term.hpp"

#include <algorithm>
#include <cmath>

#include "base/distance.hpp"
#include "base/simd.hpp"

namespace soap_gpr {

namespace {

constexpr int kVectors = (kSplineSize + kLanes - 1) / kLanes;  ///< that hold six numbers

/// |d| and d / |d|; throws when that is zero or not finite.
double direction(const double *d, double *unit) {
  const double r = std::sqrt(squared_distance(d));
  for (int x = 0; x < 3; ++x) unit[x] = d[x] / r;
  return r;
}

/// Products whose sum over lanes is the dot product.
Lanes products(const Lanes *a, const double *b) {
  Lanes sum = a[0] * load(b);
  for (int s = 1; s < kVectors; ++s) sum += a[s] * load(b + s * kLanes);
  return sum;
}

double total(const Lanes &v) {
  double values[kLanes];
  store(values, v);
#pragma GCC unroll 4
  for (int half = kLanes / 2; half > 0; half /= 2)
#pragma GCC unroll 4
    for (int k = 0; k < half; ++k) values[k] += values[k + half];
  return values[0];
}

/// To be added up over lanes.
struct Value {
  Lanes value, slope_j, slope_k, slope_jk;
};

/// The spline and its derivatives: two axes are contracted with whole rows, the third at the end.
Value interpolate(const TripletTerm &term, const TripletFunction &function, const SplinePoint &j,
                  const SplinePoint &k, const SplinePoint &jk) {
  const std::size_t row = term.third.n_coefficients(), plane = row * term.radial.n_coefficients();
  const double *corner = &function.coefficients[j.first * plane + k.first * row + jk.first];
  Lanes value[kVectors] = {}, by_j[kVectors] = {}, by_k[kVectors] = {};
#pragma GCC unroll 6
  for (int n = 0; n < kSplineSize; ++n)
    for (int s = 0; s < kVectors; ++s) {
      Lanes sum = {}, slope = {};
#pragma GCC unroll 6
      for (int m = 0; m < kSplineSize; ++m) {
        const Lanes c = load(corner + m * plane + n * row + s * kLanes);
        sum += j.b[m] * c;
        slope += j.slope[m] * c;
      }
      value[s] += k.b[n] * sum;
      by_j[s] += k.b[n] * slope;
      by_k[s] += k.slope[n] * sum;
    }
  return {products(value, jk.b), products(by_j, jk.b), products(by_k, jk.b),
          products(value, jk.slope)};
}

/// Spline and processes.
Value evaluate(const TripletTerm &term, const TripletFunction &function, const TripletNeighbor &j,
               const TripletNeighbor &k, const ThirdSide &jk) {
  Value g{};
  if (!function.coefficients.empty()) g = interpolate(term, function, j.point, k.point, jk.point);
  for (const TripletProcess &process : function.processes) {
    const ProcessValue own = evaluate_process(process, {j.r, k.r, jk.r});
    g.value[0] += own.value;
    g.slope_j[0] += own.slope[0];
    g.slope_k[0] += own.slope[1];
    g.slope_jk[0] += own.slope[2];
  }
  return g;
}

/// Force along each side of a triplet, -∂U/∂r.
struct Along {
  double j, k, jk;
};

/// Hands a third of a triplet's energy to each neighbour, and the virials that make those of its
/// three atoms count from the mean of their positions.
void share(const TripletNeighbor &j, const TripletNeighbor &k, const ThirdSide &jk, double energy,
           const Along &f, Transfer *transfers) {
  Transfer &to_j = transfers[j.pair], &to_k = transfers[k.pair];
  to_j.energy += energy / 3;
  to_k.energy += energy / 3;
  for (int x = 0; x < 3; ++x)
    for (int y = 0; y < 3; ++y) {
      const double mean = (j.r_ij[y] + k.r_ij[y]) / 3;
      to_j.virial[3 * x + y] -= (f.j * j.unit[x] - f.jk * jk.unit[x]) * mean;
      to_k.virial[3 * x + y] -= (f.k * k.unit[x] + f.jk * jk.unit[x]) * mean;
    }
}

template <bool kForces>
void add_center(const TripletTerm &term, const std::vector<TripletNeighbor> &neighbors, int species,
                std::size_t n_species, std::vector<ThirdSide> &sides, double &energy,
                double (*f_ij)[3], Transfer *transfers) {
  Lanes energies = {};
  for (std::size_t first = 0; first < neighbors.size(); ++first) {
    const TripletNeighbor &j = neighbors[first];
    // ahead of the splines, because their addresses depend on square roots
    sides.clear();
    for (std::size_t second = first + 1; second < neighbors.size(); ++second)
      sides.emplace_back(term, j, neighbors[second]);
    Lanes along_j = {};
    double pull[3] = {};
    for (std::size_t second = first + 1; second < neighbors.size(); ++second) {
      const TripletNeighbor &k = neighbors[second];
      const TripletFunction &function =
          term.functions[triplet_index(species, j.species, k.species, n_species)];
      if (function.coefficients.empty() && function.processes.empty()) continue;
      const ThirdSide &jk = sides[second - first - 1];
      const Value g = evaluate(term, function, j, k, jk);
      const double factor = j.factor * k.factor * jk.factor;
      energies += factor * g.value;
      Along f{};
      if (kForces) {
        const Lanes own_j = j.factor_slope * k.factor * jk.factor * g.value + factor * g.slope_j;
        along_j += own_j;
        f.k = -total(j.factor * k.factor_slope * jk.factor * g.value + factor * g.slope_k);
        f.jk = -total(j.factor * k.factor * jk.factor_slope * g.value + factor * g.slope_jk);
        for (int x = 0; x < 3; ++x) {
          pull[x] -= f.jk * jk.unit[x];
          f_ij[k.pair][x] += f.k * k.unit[x] + f.jk * jk.unit[x];
        }
        if (transfers) f.j = -total(own_j);
      }
      if (transfers) share(j, k, jk, total(factor * g.value), f, transfers);
    }
    if (!kForces) continue;
    const double along = total(along_j);
    for (int x = 0; x < 3; ++x) f_ij[j.pair][x] += pull[x] - along * j.unit[x];
  }
  energy += total(energies);
}

}  // namespace

ThirdSide::ThirdSide(const TripletTerm &term, const TripletNeighbor &j, const TripletNeighbor &k) {
  double d[3];
  for (int x = 0; x < 3; ++x) d[x] = k.r_ij[x] - j.r_ij[x];
  r = direction(d, unit);
  point.locate(term.third, r);
  factor = 1;
  factor_slope = 0;
  if (!term.cluster) return;
  term.f_c(r, factor, factor_slope);
  factor = 1 - factor * (2.0 / 3);
  factor_slope *= -2.0 / 3;
}

void gather_triplets(const TripletTerm &term, const Environments &environments, std::size_t i,
                     std::vector<TripletNeighbor> &neighbors) {
  neighbors.clear();
  for (std::size_t pair = environments.offset[i]; pair < environments.offset[i + 1]; ++pair) {
    TripletNeighbor own;
    std::copy_n(environments.r_ij[pair], 3, own.r_ij);
    own.r = direction(own.r_ij, own.unit);
    if (own.r >= term.cutoff) continue;
    own.pair = pair;
    own.species = environments.neighbor_species[pair];
    term.f_c(own.r, own.factor, own.factor_slope);
    own.point.locate(term.radial, own.r);
    neighbors.push_back(own);
  }
  const auto lower = [](const TripletNeighbor &a, const TripletNeighbor &b) {
    return a.species < b.species;
  };
  if (!std::is_sorted(neighbors.begin(), neighbors.end(), lower))
    std::stable_sort(neighbors.begin(), neighbors.end(), lower);
}

void add_triplet_term(const TripletTerm &term, const Environments &environments,
                      std::size_t n_species, const std::size_t *centers, int n,
                      const Outputs &outputs) {
  std::vector<TripletNeighbor> neighbors;
  std::vector<ThirdSide> sides;
  Transfer *transfers = term.shared ? outputs.transfers : nullptr;
  for (int c = 0; c < n; ++c) {
    const std::size_t i = centers[c];
    gather_triplets(term, environments, i, neighbors);
    (outputs.f_ij ? add_center<true> : add_center<false>)(term, neighbors, environments.species[i],
                                                          n_species, sides, outputs.energies[i],
                                                          outputs.f_ij, transfers);
  }
}

}  // namespace soap_gpr
