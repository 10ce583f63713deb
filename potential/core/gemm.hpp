// SPDX-License-Identifier: BSD-3-Clause
// Dense products of row-major matrices; the only door to Eigen.
#pragma once

namespace soap_gpr {

/// C[m][n] = A[m][k] B[n][k]ᵀ
void gemm_nt(int m, int n, int k, const double *A, const double *B, double *C);

}  // namespace soap_gpr
