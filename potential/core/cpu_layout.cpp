// SPDX-License-Identifier: BSD-3-Clause
#include "cpu_layout.hpp"

#include "acsf/symmetry_functions.hpp"

namespace soap_gpr {

namespace {

std::unique_ptr<const FeatureLayout> make(const SoapTerm &term) {
  return std::make_unique<SoapLayout>(term);
}
std::unique_ptr<const FeatureLayout> make(const ProductTerm &) { return nullptr; }
std::unique_ptr<const FeatureLayout> make(const SymmetryTerm &term) {
  return std::make_unique<SymmetryLayout>(term);
}
std::unique_ptr<const FeatureLayout> make(const PairTerm &) { return nullptr; }
std::unique_ptr<const FeatureLayout> make(const TripletTerm &) { return nullptr; }

}  // namespace

const FeatureLayout *CpuLayout::features(std::size_t index) const {
  const Term &term = data_.terms.at(index);
  const auto make_own = [&term] {
    return std::visit([](const auto &any) { return make(any); }, term);
  };
  return features_[index].get(make_own).get();
}

std::vector<const TensorLayout *> CpuLayout::tensors(std::size_t term) const {
  std::vector<const TensorLayout *> found;
  for (std::size_t b = 0; b < tensors_.size(); ++b)
    if (data_.tensor_bases[b].term == term)
      found.push_back(&tensors_[b].get([&] { return TensorLayout(data_, b, *soap(term)); }));
  return found;
}

}  // namespace soap_gpr
