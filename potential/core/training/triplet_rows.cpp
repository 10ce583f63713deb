// SPDX-License-Identifier: BSD-3-Clause
// Rows of triplet terms: the kernel of a sparse point is a product of splines of one distance each,
// so that the rows are those of the spline that runs, docs/theory.md eq. (22c).
#include <array>

#include "base/simd.hpp"
#include "clusters/triplet_term.hpp"
#include "training/design_rows.hpp"

namespace soap_gpr {

namespace {

/// sum[m] = Σ_s b_s c[first + s][m]
void contract(const double *b, const double *coefficients, std::size_t size, double *sum) {
  for (std::size_t m = 0; m < size; ++m) {
    double total = 0;
    for (int s = 0; s < kSplineSize; ++s) total += b[s] * coefficients[s * size + m];
    sum[m] = total;
  }
}

class TripletRows {
 public:
  TripletRows(const TripletTerm &term, const TripletPoints &points, bool symmetric, bool gradients)
      : term_(term),
        points_(points),
        symmetric_(symmetric),
        gradients_(gradients),
        c_(points.size),
        c_slope_(points.size) {}

  /// Splines in r_ij of all neighbours: first, its slope, second, its slope.
  void prepare(const std::vector<TripletNeighbor> &neighbors) {
    const std::size_t size = points_.size;
    splines_.resize(4 * size * neighbors.size());
    for (std::size_t k = 0; k < neighbors.size(); ++k) {
      const SplinePoint &point = neighbors[k].point;
      double *own = &splines_[4 * size * k];
      for (const double *table : {points_.first, points_.second}) {
        contract(point.b, table + point.first * size, size, own);
        if (gradients_) contract(point.slope, table + point.first * size, size, own + size);
        own += 2 * size;
      }
    }
    gradient_.assign(3 * size * neighbors.size(), 0.0);
  }

  /// All triplets with neighbours of the species b and c.
  void add(const std::vector<TripletNeighbor> &neighbors, int b, int c, double *energy) {
    for (std::size_t j = 0; j < neighbors.size(); ++j)
      for (std::size_t k = j + 1; k < neighbors.size(); ++k)
        if (neighbors[j].species == b && neighbors[k].species == c)
          add_triplet(neighbors, j, k, energy);
  }

  /// ∂/∂r_ij of a neighbour, [3][size].
  const double *gradient(std::size_t k) const { return &gradient_[3 * points_.size * k]; }

 private:
  void add_triplet(const std::vector<TripletNeighbor> &neighbors, std::size_t j, std::size_t k,
                   double *energy) {
    const ThirdSide jk(term_, neighbors[j], neighbors[k]);
    const double *table = points_.third + jk.point.first * points_.size;
    contract(jk.point.b, table, points_.size, c_.data());
    if (gradients_) contract(jk.point.slope, table, points_.size, c_slope_.data());
    const double f_j = neighbors[j].factor, f_k = neighbors[k].factor, h = jk.factor;
    const double f = f_j * f_k * h, by_j = neighbors[j].factor_slope * f_k * h;
    const double by_k = f_j * neighbors[k].factor_slope * h, by_jk = f_j * f_k * jk.factor_slope;
    const std::size_t size = points_.size;
    const double *a = &splines_[4 * size * j], *b = &splines_[4 * size * k];
    double *g_j = &gradient_[3 * size * j], *g_k = &gradient_[3 * size * k];
    const double *u_j = neighbors[j].unit, *u_k = neighbors[k].unit, *u = jk.unit;
    const double mirror = symmetric_ ? 1 : 0;
#pragma omp simd
    for (std::size_t m = 0; m < size; ++m) {
      const double a1 = a[m], a2 = mirror * a[2 * size + m], b1 = b[m], b2 = b[2 * size + m];
      const double p = a1 * b2 + a2 * b1;
      energy[m] += f * p * c_[m];
      if (!gradients_) continue;
      const double p_j = a[size + m] * b2 + mirror * a[3 * size + m] * b1;
      const double p_k = a1 * b[3 * size + m] + a2 * b[size + m];
      const double along_j = (by_j * p + f * p_j) * c_[m], along_k = (by_k * p + f * p_k) * c_[m];
      const double along_jk = p * (by_jk * c_[m] + f * c_slope_[m]);
      for (int x = 0; x < 3; ++x) {
        g_j[x * size + m] += along_j * u_j[x] - along_jk * u[x];
        g_k[x * size + m] += along_k * u_k[x] + along_jk * u[x];
      }
    }
  }

  const TripletTerm &term_;
  const TripletPoints &points_;
  bool symmetric_, gradients_;
  AlignedVector splines_, gradient_, c_, c_slope_;
};

/// The species of centre and neighbours of a function.
std::array<std::size_t, 3> species_of(std::size_t function, std::size_t n_species) {
  for (std::size_t a = 0; a < n_species; ++a)
    for (std::size_t b = 0; b < n_species; ++b)
      for (std::size_t c = b; c < n_species; ++c)
        if (triplet_index(a, b, c, n_species) == function) return {a, b, c};
  throw Error("the model has no such function");
}

}  // namespace

void add_point_energies(const TripletTerm &term, const TripletPoints &points,
                        const std::vector<TripletNeighbor> &neighbors, int b, int c,
                        double *energy) {
  TripletRows sums(term, points, b == c, false);
  sums.prepare(neighbors);
  sums.add(neighbors, b, c, energy);
}

void triplet_design(const TripletTerm &term, std::size_t function, const TripletPoints &points,
                    const Environments &environments, std::size_t n_species, bool gradients,
                    double *rows) {
  const auto [center, first, second] = species_of(function, n_species);
  DesignRows design(environments.n_atoms, points.size, rows);
  TripletRows sums(term, points, first == second, gradients);
  std::vector<TripletNeighbor> neighbors;
  for (std::size_t i = 0; i < environments.n_atoms; ++i) {
    if (environments.species[i] != int(center)) continue;
    gather_triplets(term, environments, i, neighbors);
    sums.prepare(neighbors);
    sums.add(neighbors, int(first), int(second), &design.energy(0));
    for (std::size_t k = 0; gradients && k < neighbors.size(); ++k)
      design.add_gradients(i, environments.neighbor[neighbors[k].pair], neighbors[k].r_ij,
                           sums.gradient(k));
  }
}

}  // namespace soap_gpr
