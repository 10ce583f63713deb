// SPDX-License-Identifier: BSD-3-Clause
#include "acsf/symmetry_gradients.hpp"

#include "base/voigt.hpp"

namespace soap_gpr {

void SymmetryGradients::compute(std::size_t center, const Environments &environments,
                                AlignedVector &packed) {
  const std::size_t *own = environments.neighbor + environments.offset[center];
  const auto &neighbors = block_.center(0).neighbors;
  const std::size_t width = block_.n_features();
  clear();
  add_atom(center);
  for (const SymmetryNeighbor &neighbor : neighbors) add_atom(own[neighbor.pair]);
  differentiate();
  packed.assign(n_rows() * width, 0.0);
  const auto add = [&](std::size_t row, double scale, const double *along) {
    for (std::size_t f = 0; f < width; ++f) packed[row * width + f] += scale * along[f];
  };
  for (std::size_t k = 0; k < neighbors.size(); ++k) {
    const std::size_t first = 3 * std::size_t(slot(own[neighbors[k].pair]));
    const double *along = &along_[3 * k * width];
    for (int x = 0; x < 3; ++x) {
      add(first + x, 1, along + x * width);
      add(x, -1, along + x * width);
    }
    for (int v = 0; v < 6; ++v)
      add(3 * atoms().size() + v, neighbors[k].r * neighbors[k].unit[kVoigt[v][1]],
          along + kVoigt[v][0] * width);
  }
}

void SymmetryGradients::differentiate() {
  const SymmetryBlock::Center &center = block_.center(0);
  const std::size_t width = block_.n_features();
  along_.assign(3 * width * center.neighbors.size(), 0.0);
  const auto add = [&](std::size_t neighbor, int feature, const double *gradient) {
    for (int x = 0; x < 3; ++x) along_[(3 * neighbor + x) * width + feature] += gradient[x];
  };
  for (std::size_t j = 0; j < center.neighbors.size(); ++j) {
    const SymmetryNeighbor &own = center.neighbors[j];
    for (const RadialUse &use : used_.radial[own.species]) {
      const double slope = use.scale * used_.functions[use.function](own.r, own.cutoff).slope;
      const double gradient[3] = {slope * own.unit[0], slope * own.unit[1], slope * own.unit[2]};
      add(j, use.feature, gradient);
    }
  }
  for_pairs(used_, center, pair_,
            [&](std::size_t j, std::size_t k, const std::vector<AngularUse> &uses) {
              for (const AngularUse &use : uses) {
                NeighborPair::Slopes slopes;
                pair_.add(use.distance, use.angle, use.scale, slopes);
                double along_j[3], along_k[3];
                pair_.gradients(slopes, along_j, along_k);
                add(j, use.feature, along_j);
                add(k, use.feature, along_k);
              }
            });
}

}  // namespace soap_gpr
