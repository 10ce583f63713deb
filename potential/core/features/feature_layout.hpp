// SPDX-License-Identifier: BSD-3-Clause
// A term of features as the CPU runs it: what evaluation and training share, and what is for
// evaluation alone.
#pragma once

#include <memory>

#include "base/made_once.hpp"
#include "features/feature_block.hpp"
#include "soap/kernel_sum.hpp"

namespace soap_gpr {

class FeatureLayout {
 public:
  /// The term outlives the object.
  explicit FeatureLayout(const FeatureTerm &own) : term(own) {}
  virtual ~FeatureLayout() = default;

  /// Of centres with one of the term's choices of features.
  virtual std::unique_ptr<FeatureBlock> make_block(int capacity, std::size_t choice) const = 0;
  /// Numbers that a block holds of each centre, beside its features.
  virtual std::size_t numbers_per_center() const = 0;

  /// Of every sparse set; made at the first call.
  const std::vector<KernelSum> &kernel_sums() const {
    return kernel_sums_.get([this] {
      std::vector<KernelSum> sums;
      for (std::size_t s = 0; s < term.sparse.size(); ++s)
        sums.emplace_back(term.kernel, term.sparse[s], term.choice(int(s)).n_features);
      return sums;
    });
  }

  const FeatureTerm &term;

 private:
  MadeOnce<std::vector<KernelSum>> kernel_sums_;
};

}  // namespace soap_gpr
