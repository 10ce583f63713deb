// SPDX-License-Identifier: BSD-3-Clause
// All representations. A new one is a class in a file of its own and one line here.
#include "soap/bispectrum.hpp"
#include "soap/power_spectrum.hpp"
#include "soap/radial_spectrum.hpp"
#include "soap/selected_products.hpp"

namespace soap_gpr {

namespace {

template <class Own>
std::unique_ptr<const Representation> make(const SoapTerm &term, const FeatureChoice &choice,
                                           const Density &density) {
  return std::make_unique<Own>(term, choice, density);
}

/// Up to this part of the products it costs less to make them one by one.
constexpr double kFew = 0.5;

std::unique_ptr<const Representation> make_power_spectrum(const SoapTerm &term,
                                                          const FeatureChoice &choice,
                                                          const Density &density) {
  const bool few = !choice.products.empty() && choice.n_features <= kFew * term.n_products;
  return few ? make<SelectedProducts>(term, choice, density)
             : make<PowerSpectrum>(term, choice, density);
}

constexpr RepresentationKind kKinds[] = {
    {"radial_spectrum", RadialSpectrum::n_products, make<RadialSpectrum>},
    {"power_spectrum", PowerSpectrum::n_products, make_power_spectrum},
    {"bispectrum", Bispectrum::n_products, make<Bispectrum>},
};

}  // namespace

const RepresentationKind *find_representation(const std::string &name) {
  for (const RepresentationKind &kind : kKinds)
    if (kind.name == name) return &kind;
  return nullptr;
}

std::unique_ptr<const Representation> make_representation(const SoapTerm &term,
                                                          const FeatureChoice &choice,
                                                          const Density &density) {
  return find_representation(term.representation)->make(term, choice, density);
}

}  // namespace soap_gpr
