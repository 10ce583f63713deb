// SPDX-License-Identifier: BSD-3-Clause
// What evaluators and training on the CPU make of a model's data, term by term when somebody asks
// for it. Terms of pairs and triplets run as they are in the file.
#pragma once

#include "model_data.hpp"
#include "soap/soap_layout.hpp"

namespace soap_gpr {

class CpuLayout {
 public:
  /// The data outlive the object.
  explicit CpuLayout(const ModelData &data) : data_(data), soap_(data.terms.size()) {}

  /// Null when the term is of another kind. Throws std::out_of_range without such a term.
  const SoapLayout *soap(std::size_t term) const {
    const auto *own = std::get_if<SoapTerm>(&data_.terms.at(term));
    return own ? &soap_[term].get([own] { return SoapLayout(*own); }) : nullptr;
  }

 private:
  const ModelData &data_;
  std::vector<MadeOnce<SoapLayout>> soap_;  ///< [term]
};

}  // namespace soap_gpr
