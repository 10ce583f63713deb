// SPDX-License-Identifier: BSD-3-Clause
// Rows of numbers side by side, so that what is done with them runs over rows, and back.
#pragma once

#include <algorithm>

#include "base/simd.hpp"

namespace soap_gpr {

/// lanes[k][i] = rows[i][k] of the n <= kLanes rows, where lanes of k begin at k * stride; the
/// lanes beyond n hold zeros.
inline void lanes_of_rows(int n, std::size_t size, const double *rows, double *lanes,
                          std::size_t stride = kLanes) {
  Lanes block[kLanes];
  std::size_t k = 0;
  for (; n == kLanes && k + kLanes <= size; k += kLanes) {
    for (int i = 0; i < kLanes; ++i) block[i] = load(rows + i * size + k);
    transpose(block);
    for (int i = 0; i < kLanes; ++i) store(lanes + (k + i) * stride, block[i]);
  }
  for (; k < size; ++k)
    for (int i = 0; i < kLanes; ++i) lanes[k * stride + i] = i < n ? rows[i * size + k] : 0;
}

/// rows[i][k] = lanes[k][i].
inline void rows_of_lanes(int n, std::size_t size, const double *lanes, double *rows,
                          std::size_t stride = kLanes) {
  Lanes block[kLanes];
  std::size_t k = 0;
  for (; n == kLanes && k + kLanes <= size; k += kLanes) {
    for (int i = 0; i < kLanes; ++i) block[i] = load(lanes + (k + i) * stride);
    transpose(block);
    for (int i = 0; i < kLanes; ++i) store(rows + i * size + k, block[i]);
  }
  for (; k < size; ++k)
    for (int i = 0; i < n; ++i) rows[i * size + k] = lanes[k * stride + i];
}

/// panel[k][i] = rows[i][k] of n rows, [size][padded(n)]; what is padded holds zeros.
inline void panel_of_rows(int n, std::size_t size, const double *rows, double *panel) {
  for (int i = 0; i < n; i += kLanes)
    lanes_of_rows(std::min(kLanes, n - i), size, rows + i * size, panel + i, padded(n));
}

/// rows[i][k] = panel[k][i].
inline void rows_of_panel(int n, std::size_t size, const double *panel, double *rows) {
  for (int i = 0; i < n; i += kLanes)
    rows_of_lanes(std::min(kLanes, n - i), size, panel + i, rows + i * size, padded(n));
}

}  // namespace soap_gpr
