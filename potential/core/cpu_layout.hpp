// SPDX-License-Identifier: BSD-3-Clause
// What evaluators and training on the CPU make of a model's data, term by term when somebody asks
// for it. Terms of pairs and triplets run as they are in the file.
#pragma once

#include "model_data.hpp"
#include "soap/product_layout.hpp"
#include "soap/soap_layout.hpp"
#include "tensors/tensor_layout.hpp"

namespace soap_gpr {

class CpuLayout {
 public:
  /// The data outlive the object.
  explicit CpuLayout(const ModelData &data)
      : data_(data),
        features_(data.terms.size()),
        products_(data.terms.size()),
        tensors_(data.tensor_bases.size()) {}

  /// Null when the term has no features. Throws std::out_of_range without such a term.
  const FeatureLayout *features(std::size_t term) const;
  /// Null when the term is of another kind.
  const SoapLayout *soap(std::size_t term) const {
    const bool own = std::holds_alternative<SoapTerm>(data_.terms.at(term));
    return own ? static_cast<const SoapLayout *>(features(term)) : nullptr;
  }
  const ProductLayout *product(std::size_t term) const {
    const auto *own = std::get_if<ProductTerm>(&data_.terms.at(term));
    return own ? &products_[term].get([own] { return ProductLayout(*own); }) : nullptr;
  }
  /// The bases of a term; none of most.
  std::vector<const TensorLayout *> tensors(std::size_t term) const;

 private:
  using Made = std::unique_ptr<const FeatureLayout>;

  const ModelData &data_;
  std::vector<MadeOnce<Made>> features_;           ///< [term]
  std::vector<MadeOnce<ProductLayout>> products_;  ///< [term]
  std::vector<MadeOnce<TensorLayout>> tensors_;    ///< [basis]
};

}  // namespace soap_gpr
