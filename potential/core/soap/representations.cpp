// SPDX-License-Identifier: BSD-3-Clause
// All representations. A new one is a class in a file of its own and one line here.
#include "soap/bispectrum.hpp"
#include "soap/power_spectrum.hpp"
#include "soap/radial_spectrum.hpp"

namespace soap_gpr {

namespace {

template <class Own>
std::unique_ptr<const Representation> make(const SoapTerm &term, const Density &density) {
  return std::make_unique<Own>(term, density);
}

constexpr RepresentationKind kKinds[] = {
    {"radial_spectrum", RadialSpectrum::n_products, make<RadialSpectrum>},
    {"power_spectrum", PowerSpectrum::n_products, make<PowerSpectrum>},
    {"bispectrum", Bispectrum::n_products, make<Bispectrum>},
};

}  // namespace

const RepresentationKind *find_representation(const std::string &name) {
  for (const RepresentationKind &kind : kKinds)
    if (kind.name == name) return &kind;
  return nullptr;
}

std::unique_ptr<const Representation> make_representation(const SoapTerm &term,
                                                          const Density &density) {
  return find_representation(term.representation)->make(term, density);
}

}  // namespace soap_gpr
