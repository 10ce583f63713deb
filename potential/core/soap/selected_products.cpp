// SPDX-License-Identifier: BSD-3-Clause
#include "soap/selected_products.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/lanes_of_rows.hpp"

namespace soap_gpr {

SelectedProducts::SelectedProducts(const SoapTerm &, const FeatureChoice &choice,
                                   const Density &density)
    : density_(density) {
  std::vector<int> order(choice.n_features);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int f, int g) { return choice.products[f] < choice.products[g]; });
  int place = 0;  // of the product in eq. (5)
  auto next = order.begin();
  for (int l = 0; l <= density.l_max; ++l) {
    const Channels &channels = density.channels[l];
    for (int q = 0; q < channels.size && next != order.end(); ++q) {
      for (; next != order.end() && choice.products[*next] < place + channels.size - q; ++next) {
        const int q2 = q + choice.products[*next] - place;
        const double factor = choice.scales[*next] / std::sqrt(2.0 * l + 1.0);
        products_.push_back({l, q, q2, channels.offset + q, channels.offset + q2, *next,
                             q == q2 ? factor : factor * M_SQRT2});
      }
      place += channels.size - q;
    }
  }
}

std::size_t SelectedProducts::scratch_size() const {
  return std::size_t(kLanes) * (2 * density_.n_coefficients + size());
}

void SelectedProducts::values(int n, const double *c, double *scratch, double *p) const {
  double *p_lanes = scratch + std::size_t(kLanes) * density_.n_coefficients;
  for (int begin = 0; begin < n; begin += kLanes) {
    const int n_own = std::min(kLanes, n - begin);
    lanes_of_rows(n_own, density_.n_coefficients, c, scratch);
    for (const Product &own : products_) {
      const std::size_t stride = std::size_t(kLanes) * density_.channels[own.l].stride;
      const double *a = scratch + kLanes * own.first, *b = scratch + kLanes * own.second;
      Lanes sum = broadcast(0.0);
      for (int m = 0; m <= 2 * own.l; ++m) sum += load(a + m * stride) * load(b + m * stride);
      store(p_lanes + kLanes * own.feature, own.factor * sum);
    }
    rows_of_lanes(n_own, size(), p_lanes, p);
    c += std::size_t(n_own) * density_.n_coefficients;
    p += std::size_t(n_own) * size();
  }
}

void SelectedProducts::adjoint(int n, const double *c, const double *g_p, double *scratch,
                               double *g_c) const {
  const std::size_t n_c = density_.n_coefficients;
  double *g_lanes = scratch + kLanes * n_c, *g_p_lanes = g_lanes + kLanes * n_c;
  for (int begin = 0; begin < n; begin += kLanes) {
    const int n_own = std::min(kLanes, n - begin);
    lanes_of_rows(n_own, n_c, c, scratch);
    lanes_of_rows(n_own, size(), g_p, g_p_lanes);
    std::fill_n(g_lanes, kLanes * n_c, 0.0);
    for (const Product &own : products_) {
      const std::size_t stride = std::size_t(kLanes) * density_.channels[own.l].stride;
      const Lanes g = own.factor * load(g_p_lanes + kLanes * own.feature);
      std::size_t a = kLanes * own.first, b = kLanes * own.second;
      for (int m = 0; m <= 2 * own.l; ++m, a += stride, b += stride) {
        store(g_lanes + a, load(g_lanes + a) + g * load(scratch + b));
        store(g_lanes + b, load(g_lanes + b) + g * load(scratch + a));
      }
    }
    rows_of_lanes(n_own, n_c, g_lanes, g_c);
    c += n_own * n_c;
    g_c += n_own * n_c;
    g_p += std::size_t(n_own) * size();
  }
}

void SelectedProducts::derivatives(const double *c, int n, const double *dc,
                                   const std::vector<ChannelGroup> &groups, double *scratch,
                                   double *dp) const {
  const std::size_t n_c = density_.n_coefficients;
  double *dp_lanes = scratch + kLanes * n_c;
  const auto moves = [&](int l, int q) {
    return q >= groups[l].q_begin && q < groups[l].q_begin + groups[l].size;
  };
  for (int begin = 0; begin < n; begin += kLanes) {
    const int n_own = std::min(kLanes, n - begin);
    lanes_of_rows(n_own, n_c, dc, scratch);
    for (const Product &own : products_) {
      const int stride = density_.channels[own.l].stride;
      Lanes sum = broadcast(0.0);
      const auto add = [&](int moving, int other) {
        for (int m = 0; m <= 2 * own.l; ++m)
          sum += c[other + m * stride] * load(scratch + kLanes * (moving + m * stride));
      };
      if (moves(own.l, own.q)) add(own.first, own.second);
      if (moves(own.l, own.q2)) add(own.second, own.first);
      store(dp_lanes + kLanes * own.feature, own.factor * sum);
    }
    rows_of_lanes(n_own, size(), dp_lanes, dp);
    dc += n_own * n_c;
    dp += std::size_t(n_own) * size();
  }
}

}  // namespace soap_gpr
