// SPDX-License-Identifier: BSD-3-Clause
// Triplet terms of the members of a committee: their splines side by side, so that what is read for
// one of them serves a whole vector.
#include <algorithm>
#include <tuple>

#include "clusters/triplet_term.hpp"

namespace soap_gpr {

namespace {

/// The spline and its derivatives, of members side by side.
struct Values {
  Lanes value, slope_j, slope_k, slope_jk;
};

/// Two axes are contracted with whole rows, the third at the end.
template <bool kForces>
Values interpolate(const double *corner, std::size_t plane, std::size_t row, const SplinePoint &j,
                   const SplinePoint &k, const SplinePoint &jk) {
  Lanes value[kSplineSize] = {}, by_j[kSplineSize] = {}, by_k[kSplineSize] = {};
  for (int n = 0; n < kSplineSize; ++n) {
    Lanes sum[kSplineSize] = {}, slope[kSplineSize] = {};
#pragma GCC unroll 6
    for (int m = 0; m < kSplineSize; ++m)
#pragma GCC unroll 6
      for (int s = 0; s < kSplineSize; ++s) {
        const Lanes c = load(corner + (m * plane + n * row + s) * kLanes);
        sum[s] += j.b[m] * c;
        if (kForces) slope[s] += j.slope[m] * c;
      }
#pragma GCC unroll 6
    for (int s = 0; s < kSplineSize; ++s) {
      value[s] += k.b[n] * sum[s];
      if (!kForces) continue;
      by_j[s] += k.b[n] * slope[s];
      by_k[s] += k.slope[n] * sum[s];
    }
  }
  Values result{};
  for (int s = 0; s < kSplineSize; ++s) {
    result.value += jk.b[s] * value[s];
    result.slope_j += jk.b[s] * by_j[s];
    result.slope_k += jk.b[s] * by_k[s];
    result.slope_jk += jk.slope[s] * value[s];
  }
  return result;
}

using Vectors = std::vector<Lanes, AlignedAllocator<Lanes>>;

/// The triplets of some centres. Splines of all members are more than a cache holds: first
/// neighbours at about the same distance, of any centre, follow each other.
class Triplets {
 public:
  Triplets(const TripletTerm &term, const Environments &environments, std::size_t n_species,
           const std::size_t *centers, int n)
      : energies(n), term_(term), n_species_(n_species) {
    std::vector<TripletNeighbor> found;
    for (int c = 0; c < n; ++c) {
      gather_triplets(term, environments, centers[c], found);
      const std::size_t end = neighbors.size() + found.size();
      for (TripletNeighbor &own : found) {
        order_.push_back({environments.species[centers[c]], c, neighbors.size(), end});
        neighbors.push_back(std::move(own));
      }
    }
    forces.resize(3 * neighbors.size());
    std::sort(order_.begin(), order_.end(),
              [this](const First &a, const First &b) { return key(a) < key(b); });
  }

  /// Energies of the members whose splines are the given vector of those side by side; with
  /// forces, these too.
  template <bool kForces>
  void add(std::size_t vector) {
    std::fill(energies.begin(), energies.end(), Lanes{});
    std::fill(forces.begin(), forces.end(), Lanes{});
    for (const First &first : order_)
      for (std::size_t k = first.neighbor + 1; k < first.end; ++k)
        add_triplet<kForces>(first, k, vector);
  }

  std::vector<TripletNeighbor> neighbors;  ///< of all centres
  Vectors energies;                        ///< [centres]
  Vectors forces;                          ///< [neighbours][3]

 private:
  /// A neighbour of a centre; with those up to `end` it makes triplets.
  struct First {
    int species, center;
    std::size_t neighbor, end;
  };

  std::tuple<int, int, int, std::size_t> key(const First &own) const {
    const TripletNeighbor &j = neighbors[own.neighbor];
    return {own.species, j.species, j.point.first, own.neighbor};
  }

  template <bool kForces>
  void add_triplet(const First &own, std::size_t second, std::size_t vector) {
    const TripletNeighbor &j = neighbors[own.neighbor], &k = neighbors[second];
    const TripletFunction &function =
        term_.functions[triplet_index(own.species, j.species, k.species, n_species_)];
    if (function.members.empty()) return;
    const ThirdSide jk(term_, j, k);
    const std::size_t row = term_.third.n_coefficients(), radial = term_.radial.n_coefficients();
    const std::size_t at =
        ((vector * radial + j.point.first) * radial + k.point.first) * row + jk.point.first;
    const Values g = interpolate<kForces>(&function.members[at * kLanes], radial * row, row,
                                          j.point, k.point, jk.point);
    const double factor = j.factor * k.factor * jk.factor;
    energies[own.center] += factor * g.value;
    if (!kForces) return;
    const Lanes by_j = j.factor_slope * k.factor * jk.factor * g.value + factor * g.slope_j;
    const Lanes by_k = j.factor * k.factor_slope * jk.factor * g.value + factor * g.slope_k;
    const Lanes by_jk = j.factor * k.factor * jk.factor_slope * g.value + factor * g.slope_jk;
    for (int x = 0; x < 3; ++x) {
      forces[3 * own.neighbor + x] += by_jk * jk.unit[x] - by_j * j.unit[x];
      forces[3 * second + x] -= by_k * k.unit[x] + by_jk * jk.unit[x];
    }
  }

  const TripletTerm &term_;
  std::size_t n_species_;
  std::vector<First> order_;
};

}  // namespace

void add_triplet_members(const TripletTerm &term, const Environments &environments,
                         std::size_t n_species, std::size_t n_members, const std::size_t *centers,
                         int n, const Outputs &outputs) {
  const std::size_t n_atoms = environments.n_atoms, n_pairs = environments.offset[n_atoms];
  Triplets own(term, environments, n_species, centers, n);
  for (std::size_t c = 0; c < n_members; ++c) {
    const std::size_t vector = c / kLanes, lane = c % kLanes;
    if (lane == 0) outputs.member_f_ij ? own.add<true>(vector) : own.add<false>(vector);
    for (int i = 0; outputs.members && i < n; ++i)
      outputs.members[c * n_atoms + centers[i]] += own.energies[i][lane];
    for (std::size_t j = 0; outputs.member_f_ij && j < own.neighbors.size(); ++j)
      for (int x = 0; x < 3; ++x)
        outputs.member_f_ij[c * n_pairs + own.neighbors[j].pair][x] += own.forces[3 * j + x][lane];
  }
}

}  // namespace soap_gpr
