// SPDX-License-Identifier: BSD-3-Clause
// A lower triangle without the zeros above it, in the order in which block products read it.
#pragma once

#include <algorithm>

#include "base/simd.hpp"

namespace soap_gpr {

/// Rows in groups, each as long as the last of the group.
class LowerTriangle {
 public:
  LowerTriangle() = default;
  /// matrix[size][size], of which what is above the diagonal is not read.
  LowerTriangle(int size, const double *matrix) : size_(size) {
    values_.reserve(begin(size / kGroup) + std::size_t(size % kGroup) * size);
    for (int first = 0; first < size; first += kGroup) {
      const int depth = std::min(first + kGroup, size);
      for (int row = first; row < depth; ++row) {
        const double *own = matrix + std::size_t(row) * size;
        values_.insert(values_.end(), own, own + row + 1);
        values_.resize(values_.size() + depth - row - 1, 0.0);
      }
    }
  }
  int size() const { return size_; }

  static constexpr int kGroup = 8;  ///< rows
  /// A group of n rows: values[n][depth].
  struct Rows {
    int n, depth;
    const double *values;
  };
  /// That with this first row, a multiple of kGroup.
  Rows rows(int first) const {
    const int depth = std::min(first + kGroup, size_);
    return {depth - first, depth, &values_[begin(first / kGroup)]};
  }

 private:
  /// Where a group begins.
  static std::size_t begin(std::size_t group) { return kGroup * kGroup * group * (group + 1) / 2; }

  int size_ = 0;
  AlignedVector values_;
};

}  // namespace soap_gpr
