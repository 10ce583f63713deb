// SPDX-License-Identifier: BSD-3-Clause
#include "soap/bispectrum.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/lanes_of_rows.hpp"

namespace soap_gpr {

namespace {

/// Products of channels of l1 <= l2 <= l3. One of odd l1 + l2 + l3 changes its sign when two
/// channels change places, so that it vanishes for equal ones.
struct Triple {
  int l[3];
  int size[3];  ///< channels of each
  int odd;      ///< 1 where l1 + l2 + l3 is odd

  int first_q2(int q1) const { return l[1] == l[0] ? q1 + odd : 0; }
  int first_q3(int q2) const { return l[2] == l[1] ? q2 + odd : 0; }
  /// Products with q1 and with these q2 < end; those of all q2 where end is size[1].
  double count(int q1, int end) const {
    const double begin = first_q2(q1), n = std::max(0.0, end - begin);
    const double left_out = l[2] == l[1] ? n * (begin + end - 1) / 2 + n * odd : 0;
    return n * size[2] - left_out;
  }
  double count() const {
    double sum = 0;
    for (int q1 = 0; q1 < size[0]; ++q1) sum += std::max(0.0, count(q1, size[1]));
    return sum;
  }
};

std::vector<Triple> triples(const SoapTerm &term) {
  std::vector<Triple> all;
  const std::vector<int> &n = term.n_channels;
  for (int l1 = 0; l1 <= term.l_max; ++l1)
    for (int l2 = l1; l2 <= term.l_max; ++l2)
      for (int l3 = l2; l3 <= std::min(term.l_max, l1 + l2); ++l3)
        if (const int odd = (l1 + l2 + l3) % 2; !odd || term.odd_products)
          all.push_back({{l1, l2, l3}, {n[l1], n[l2], n[l3]}, odd});
  return all;
}

/// Three channels by their place in the order of the features.
struct Product {
  int triple;
  int q[3];

  Product(const std::vector<Triple> &triples, double place) : triple(0), q{0, 0, 0} {
    for (double n; place >= (n = triples[triple].count()); place -= n) ++triple;
    const Triple &own = triples[triple];
    for (double n; place >= (n = own.count(q[0], own.size[1])); place -= n) ++q[0];
    for (q[1] = own.first_q2(q[0]);; ++q[1]) {
      const int n = own.size[2] - own.first_q3(q[1]);
      if (place < n) break;
      place -= n;
    }
    q[2] = own.first_q3(q[1]) + int(place);
  }
  bool shares_pair(const Product &other) const {
    return triple == other.triple && q[0] == other.q[0] && q[1] == other.q[1];
  }
  /// How many different orders the three channels have.
  int n_orders(const Triple &own) const {
    const bool first = own.l[0] == own.l[1] && q[0] == q[1];
    const bool second = own.l[1] == own.l[2] && q[1] == q[2];
    return first && second ? 1 : first || second ? 3 : 6;
  }
};

/// lanes[n_coefficients] of up to kLanes environments c[n][n_coefficients].
Lanes *side_by_side(int n, std::size_t n_coefficients, const double *c, double *lanes) {
  lanes_of_rows(n, n_coefficients, c, lanes);
  return reinterpret_cast<Lanes *>(lanes);
}

}  // namespace

double Bispectrum::n_products(const SoapTerm &term) {
  double n = 0;
  for (const Triple &triple : triples(term)) n += triple.count();
  return n;
}

Bispectrum::Bispectrum(const SoapTerm &term, const FeatureChoice &choice, const Density &density)
    : size_(choice.n_features), density_(density) {
  const std::vector<Triple> all = triples(term);
  std::vector<int> coupling_of(all.size(), -1);
  std::vector<std::pair<int, int>> kept;  // places of products, features
  for (int f = 0; f < size_; ++f) kept.push_back({choice.product(f), f});
  std::sort(kept.begin(), kept.end());
  const auto place = [&](int l, int q) { return density.channels[l].offset + q; };
  const auto stride = [&](int l) { return density.channels[l].stride; };
  std::optional<Product> previous;
  for (const auto &[index, feature] : kept) {
    const Product own(all, index);
    const Triple &triple = all[own.triple];
    const int l1 = triple.l[0], l2 = triple.l[1], l3 = triple.l[2];
    int &coupling = coupling_of[own.triple];
    if (coupling < 0) {
      coupling = int(couplings_.size());
      couplings_.emplace_back(l1, l2, l3, stride(l1), stride(l2));
    }
    if (!previous || !own.shares_pair(*previous)) {
      const int begin = int(thirds_.size());
      pairs_.push_back(
          {coupling, l1, l2, l3, stride(l3), place(l1, own.q[0]), place(l2, own.q[1]), begin, 0});
    }
    const double scale = choice.scale(feature);
    thirds_.push_back(
        {place(l3, own.q[2]), feature, scale * std::sqrt(own.n_orders(triple) / (2.0 * l3 + 1))});
    pairs_.back().end = int(thirds_.size());
    previous = own;
  }
}

std::size_t Bispectrum::scratch_size() const {
  return std::size_t(2) * kLanes * density_.n_coefficients;
}

void Bispectrum::values(int n, const double *c, double *scratch, double *p) const {
  const std::size_t width = density_.n_coefficients;
  for (int first = 0; first < n; first += kLanes) {
    const int own = std::min(kLanes, n - first);
    const Lanes *x = side_by_side(own, width, c + first * width, scratch);
    for (const Pair &pair : pairs_) {
      Lanes t[2 * kMaxL + 1] = {};
      couplings_[pair.coupling].add(x + pair.a, x + pair.b, t);
      for (int k = pair.begin; k < pair.end; ++k) {
        const Third &third = thirds_[k];
        Lanes value = broadcast(0.0);
        for (int m = 0; m <= 2 * pair.l3; ++m) value += t[m] * x[third.c + m * pair.stride];
        value *= third.scale;
        for (int i = 0; i < own; ++i) p[std::size_t(first + i) * size() + third.feature] = value[i];
      }
    }
  }
}

void Bispectrum::adjoint(int n, const double *c, const double *g_p, double *scratch,
                         double *g_c) const {
  const std::size_t width = density_.n_coefficients;
  Lanes *g_x = reinterpret_cast<Lanes *>(scratch + kLanes * width);
  for (int first = 0; first < n; first += kLanes) {
    const int own = std::min(kLanes, n - first);
    const Lanes *x = side_by_side(own, width, c + first * width, scratch);
    std::fill_n(g_x, width, broadcast(0.0));
    for (const Pair &pair : pairs_) {
      const ClebschGordan &coupling = couplings_[pair.coupling];
      Lanes t[2 * kMaxL + 1] = {}, g_t[2 * kMaxL + 1] = {};
      coupling.add(x + pair.a, x + pair.b, t);
      for (int k = pair.begin; k < pair.end; ++k) {
        const Third &third = thirds_[k];
        Lanes g = broadcast(0.0);
        for (int i = 0; i < own; ++i) g[i] = g_p[std::size_t(first + i) * size() + third.feature];
        g *= third.scale;
        for (int m = 0, at = third.c; m <= 2 * pair.l3; ++m, at += pair.stride) {
          g_t[m] += g * x[at];
          g_x[at] += g * t[m];
        }
      }
      coupling.add_adjoint(x + pair.a, x + pair.b, g_t, g_x + pair.a, g_x + pair.b);
    }
    rows_of_lanes(own, width, scratch + kLanes * width, g_c + first * width);
  }
}

void Bispectrum::derivatives(const double *c, int n, const double *dc,
                             const std::vector<ChannelGroup> &groups, double *scratch,
                             double *dp) const {
  const std::size_t width = density_.n_coefficients;
  Lanes *x = reinterpret_cast<Lanes *>(scratch);
  for (std::size_t at = 0; at < width; ++at) x[at] = broadcast(c[at]);
  const auto moves = [&](int l, int place) {
    const int q = place - density_.channels[l].offset - groups[l].q_begin;
    return q >= 0 && q < groups[l].size;
  };
  for (int first = 0; first < n; first += kLanes) {
    const int own = std::min(kLanes, n - first);
    const Lanes *dx = side_by_side(own, width, dc + first * width, scratch + kLanes * width);
    for (const Pair &pair : pairs_) {
      const ClebschGordan &coupling = couplings_[pair.coupling];
      Lanes t[2 * kMaxL + 1] = {}, dt[2 * kMaxL + 1] = {};
      coupling.add(x + pair.a, x + pair.b, t);
      if (moves(pair.l1, pair.a)) coupling.add(dx + pair.a, x + pair.b, dt);
      if (moves(pair.l2, pair.b)) coupling.add(x + pair.a, dx + pair.b, dt);
      for (int k = pair.begin; k < pair.end; ++k) {
        const Third &third = thirds_[k];
        Lanes value = broadcast(0.0);
        for (int m = 0, at = third.c; m <= 2 * pair.l3; ++m, at += pair.stride)
          value += dt[m] * x[at] + t[m] * dx[at];
        value *= third.scale;
        for (int i = 0; i < own; ++i)
          dp[std::size_t(first + i) * size() + third.feature] = value[i];
      }
    }
  }
}

}  // namespace soap_gpr
