// SPDX-License-Identifier: BSD-3-Clause
// Up to kLanes rows of numbers side by side, lanes[size][kLanes], and back.
#pragma once

#include "base/simd.hpp"

namespace soap_gpr {

/// lanes[k][i] = rows[i][k] of the n <= kLanes rows; the lanes beyond hold zeros.
inline void lanes_of_rows(int n, std::size_t size, const double *rows, double *lanes) {
  Lanes block[kLanes];
  std::size_t k = 0;
  for (; n == kLanes && k + kLanes <= size; k += kLanes) {
    for (int i = 0; i < kLanes; ++i) block[i] = load(rows + i * size + k);
    transpose(block);
    for (int i = 0; i < kLanes; ++i) store(lanes + (k + i) * kLanes, block[i]);
  }
  for (; k < size; ++k)
    for (int i = 0; i < kLanes; ++i) lanes[k * kLanes + i] = i < n ? rows[i * size + k] : 0;
}

/// rows[i][k] = lanes[k][i].
inline void rows_of_lanes(int n, std::size_t size, const double *lanes, double *rows) {
  Lanes block[kLanes];
  std::size_t k = 0;
  for (; n == kLanes && k + kLanes <= size; k += kLanes) {
    for (int i = 0; i < kLanes; ++i) block[i] = load(lanes + (k + i) * kLanes);
    transpose(block);
    for (int i = 0; i < kLanes; ++i) store(rows + i * size + k, block[i]);
  }
  for (; k < size; ++k)
    for (int i = 0; i < n; ++i) rows[i * size + k] = lanes[k * kLanes + i];
}

}  // namespace soap_gpr
