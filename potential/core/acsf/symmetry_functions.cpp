// SPDX-License-Identifier: BSD-3-Clause
#include "acsf/symmetry_functions.hpp"

#include <algorithm>
#include <cmath>

namespace soap_gpr {

namespace {

/// x^n for an integer n >= 0, by squares; other powers by std::pow.
double power(double x, double n) {
  if (n != std::floor(n) || n > 1024) return std::pow(x, n);
  double result = 1;
  for (int k = int(n); k > 0; k /= 2, x *= x)
    if (k % 2) result *= x;
  return result;
}

/// The place of the first item that is the same, which is added where there is none.
template <class Item, class Same>
int place_of(std::vector<Item> &items, const Item &item, Same same) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const Item &own) { return same(own, item); });
  if (found != items.end()) return int(found - items.begin());
  items.push_back(item);
  return int(items.size()) - 1;
}

}  // namespace

Jet cosine_cutoff(double r, double cutoff) {
  if (r >= cutoff) return {0, 0};
  const double x = M_PI / cutoff;
  return {0.5 * (std::cos(x * r) + 1), -0.5 * x * std::sin(x * r)};
}

Jet RadialFunction::operator()(double r, const Jet &f) const {
  const double d = r - shift_, e = std::exp(-eta_ * d * d) * std::cos(kappa_ * r);
  const double along = -2 * eta_ * d * e -
                       (kappa_ != 0 ? kappa_ * std::exp(-eta_ * d * d) * std::sin(kappa_ * r) : 0);
  return {e * f.value, along * f.value + e * f.slope};
}

Jet AngularFactor::operator()(double cosine) const {
  const double base = std::max(0.0, 0.5 * (1 + lambda * cosine));
  const double below = power(base, zeta - 1);
  return {2 * below * base, zeta * lambda * below};
}

SymmetryFunctions::SymmetryFunctions(const SymmetryTerm &term, const FeatureChoice &choice)
    : cutoff(term.cutoff),
      radial(term.n_species),
      angular(term.n_species * (term.n_species + 1) / 2) {
  if (term.g1) functions.push_back(RadialFunction::gaussian(0, 0));
  for (const auto &[eta, shift] : term.g2)
    functions.push_back(RadialFunction::gaussian(eta, shift));
  for (double kappa : term.g3) functions.push_back(RadialFunction::cosine(kappa));
  for (int f = 0; f < choice.n_features; ++f) use(term, choice.product(f), f, choice.scale(f));
}

void SymmetryFunctions::use(const SymmetryTerm &term, std::size_t product, int feature,
                            double scale) {
  const std::size_t n_radial = term.n_radial(), all_radial = radial.size() * n_radial;
  if (product < all_radial) {
    radial[product / n_radial].push_back({int(product % n_radial), feature, scale});
    return;
  }
  const std::size_t k = (product - all_radial) % term.n_angular();
  const std::size_t pair = (product - all_radial) / term.n_angular();
  const bool third = k < term.g4.size();
  use_angular(third ? term.g4[k] : term.g5[k - term.g4.size()], third, pair, feature, scale);
}

void SymmetryFunctions::use_angular(const std::array<double, 3> &parameters, bool third,
                                    std::size_t pair, int feature, double scale) {
  const auto [eta, zeta, lambda] = parameters;
  const int own = place_of(etas, eta, std::equal_to<double>());
  const int distance = place_of(distances, {own, third}, [](const auto &a, const auto &b) {
    return a.eta == b.eta && a.third == b.third;
  });
  const int angle = place_of(angles, {zeta, lambda}, [](const auto &a, const auto &b) {
    return a.zeta == b.zeta && a.lambda == b.lambda;
  });
  PairUses &uses = angular[pair];
  uses.features.push_back({distance, angle, feature, scale});
  place_of(uses.distances, distance, std::equal_to<int>());
  place_of(uses.angles, angle, std::equal_to<int>());
  uses.third = uses.third || third;
}

SymmetryLayout::SymmetryLayout(const SymmetryTerm &own) : FeatureLayout(own) {
  for (const FeatureChoice &choice : own.choices) functions.emplace_back(own, choice);
}

}  // namespace soap_gpr
