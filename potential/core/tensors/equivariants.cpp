// SPDX-License-Identifier: BSD-3-Clause
#include "tensors/equivariants.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "base/lanes_of_rows.hpp"

namespace soap_gpr {

namespace {

using Component = std::array<Lanes, 2 * kMaxL + 1>;

/// The components of a channel, side by side.
void collect(const Lanes *x, int place, int stride, int l, Lanes *out) {
  for (int m = 0; m <= 2 * l; ++m) out[m] = x[place + m * stride];
}

}  // namespace

Equivariants::Equivariants(const TensorFeatures &features, const Density &density)
    : size_(int(features.size())),
      n_components_(2 * features.lambda + 1),
      n_coefficients_(density.n_coefficients) {
  std::vector<int> order(size_);
  std::iota(order.begin(), order.end(), 0);
  const auto product = [&](int f) { return &features.products[4 * std::size_t(f)]; };
  // products of the same first channel and l' follow each other
  const auto key = [&](int f) {
    const int *own = product(f);
    return std::array<int, 4>{own[0], own[2], own[1], own[3]};
  };
  std::sort(order.begin(), order.end(), [&](int a, int b) { return key(a) < key(b); });
  std::map<std::array<int, 2>, int> coupling_of;
  for (int k = 0; k < size_; ++k) {
    const auto [l1, l2, q1, q2] = key(order[k]);
    const Channels &first = density.channels[l1], &second = density.channels[l2];
    const auto [found, is_new] = coupling_of.try_emplace({l1, l2}, int(couplings_.size()));
    if (is_new) couplings_.emplace_back(l1, l2, features.lambda, first.stride, 1);
    const int place = first.offset + q1;
    if (groups_.empty() || groups_.back().coupling != found->second ||
        groups_.back().place != place)
      groups_.push_back({found->second, l2, second.stride, place, k, k});
    const double scale = l1 == l2 && q1 == q2 ? 1 : std::sqrt(2.0);
    seconds_.push_back({second.offset + q2, order[k], scale});
    groups_.back().end = k + 1;
  }
}

void Equivariants::values(int n, const double *c, double *psi) const {
  AlignedVector lanes(n_coefficients_ * kLanes);
  const Lanes *x = reinterpret_cast<const Lanes *>(lanes.data());
  const std::size_t row = std::size_t(size_) * n_components_;
  for (int first = 0; first < n; first += kLanes) {
    const int own = std::min(kLanes, n - first);
    lanes_of_rows(own, n_coefficients_, c + first * n_coefficients_, lanes.data());
    for (const Group &group : groups_)
      for (int k = group.begin; k < group.end; ++k) {
        const Second &second = seconds_[k];
        Component b;
        Lanes y[2 * kMaxLambda + 1] = {};
        collect(x, second.place, group.stride, group.l, b.data());
        couplings_[group.coupling].add(x + group.place, b.data(), y);
        for (int i = 0; i < own; ++i)
          for (int mu = 0; mu < n_components_; ++mu)
            psi[(first + i) * row + std::size_t(second.feature) * n_components_ + mu] =
                second.scale * y[mu][i];
      }
  }
}

void Equivariants::sum_seconds(const Group &group, const Lanes *x, const double *u,
                               std::size_t stride, Lanes *sum) const {
  std::fill_n(sum, 2 * group.l + 1, broadcast(0.0));
  for (int k = group.begin; k < group.end; ++k) {
    const Second &second = seconds_[k];
    const Lanes own = second.scale * load(u + second.feature * stride);
    for (int m = 0; m <= 2 * group.l; ++m) sum[m] += own * x[second.place + m * group.stride];
  }
}

void Equivariants::contract(const Lanes *x, const double *u, std::size_t stride, Lanes *y) const {
  std::fill_n(y, n_components_, broadcast(0.0));
  for (const Group &group : groups_) {
    Component sum;
    sum_seconds(group, x, u, stride, sum.data());
    couplings_[group.coupling].add(x + group.place, sum.data(), y);
  }
}

void Equivariants::contract_adjoint(const Lanes *x, const double *u, std::size_t stride,
                                    const Lanes *g, Lanes *g_x, double *g_u) const {
  for (const Group &group : groups_) {
    Component sum, g_sum;
    sum_seconds(group, x, u, stride, sum.data());
    std::fill_n(g_sum.begin(), 2 * group.l + 1, broadcast(0.0));
    couplings_[group.coupling].add_adjoint(x + group.place, sum.data(), g, g_x + group.place,
                                           g_sum.data());
    for (int k = group.begin; k < group.end; ++k) {
      const Second &second = seconds_[k];
      const Lanes own = second.scale * load(u + second.feature * stride);
      Lanes along = broadcast(0.0);
      for (int m = 0; m <= 2 * group.l; ++m) {
        g_x[second.place + m * group.stride] += own * g_sum[m];
        along += x[second.place + m * group.stride] * g_sum[m];
      }
      store(g_u + second.feature * stride, second.scale * along);
    }
  }
}

}  // namespace soap_gpr
