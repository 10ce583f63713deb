// SPDX-License-Identifier: BSD-3-Clause
// A soap term as the CPU runs it: what evaluation and training share, and what is for evaluation
// alone.
#pragma once

#include "base/made_once.hpp"
#include "soap/kernel_sum.hpp"
#include "soap/representation.hpp"

namespace soap_gpr {

struct SoapLayout {
  /// The term outlives the object.
  explicit SoapLayout(const SoapTerm &own)
      : term(own), density(own), representation(make_representation(own, density)) {}

  int n_features() const { return term.n_features; }
  /// Of every sparse set; made at the first call.
  const std::vector<KernelSum> &kernel_sums() const {
    return kernel_sums_.get([this] {
      std::vector<KernelSum> sums;
      for (const SparseSet &sparse : term.sparse)
        sums.emplace_back(term.kernel, sparse, term.n_features);
      return sums;
    });
  }

  const SoapTerm &term;
  const Density density;
  const std::unique_ptr<const Representation> representation;

 private:
  MadeOnce<std::vector<KernelSum>> kernel_sums_;
};

}  // namespace soap_gpr
