// SPDX-License-Identifier: BSD-3-Clause
#include "gemm.hpp"

#define EIGEN_DONT_PARALLELIZE  // threads are spread over blocks of atoms, not inside a product
#define EIGEN_MPL2_ONLY
#include <Eigen/Core>

namespace soap_gpr {

namespace {
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const Matrix>;
using Map = Eigen::Map<Matrix>;
}  // namespace

void gemm_nt(int m, int n, int k, const double *A, const double *B, double *C) {
  Map(C, m, n).noalias() = ConstMap(A, m, k) * ConstMap(B, n, k).transpose();
}

}  // namespace soap_gpr
