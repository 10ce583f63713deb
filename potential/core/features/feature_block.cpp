// SPDX-License-Identifier: BSD-3-Clause
#include "features/feature_block.hpp"

namespace soap_gpr {

FeatureBlock::FeatureBlock(const FeatureTerm &term, std::size_t choice, int capacity)
    : term_(term),
      choice_(term.choices[choice]),
      unit_length_(n_features(), choice_.metric),
      p_hat_(std::size_t(capacity) * n_features()),
      norm_(capacity, 1.0) {}

void FeatureBlock::represent() {
  values(p_hat_.data());
  dual_ = p_hat_.data();
  if (term_.kernel.normalized) dual_ = unit_length_.apply(n_, p_hat_.data(), norm_.data());
}

}  // namespace soap_gpr
