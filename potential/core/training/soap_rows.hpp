// SPDX-License-Identifier: BSD-3-Clause
// Rows of the regression's design matrix of one soap term, docs/theory.md eq. (10) to (12).
#pragma once

#include <cstddef>
#include <vector>

#include "soap/product_layout.hpp"
#include "soap_gpr.hpp"

namespace soap_gpr {

/// Adds the rows of one structure, rows[1 + 3 n_atoms + 6][n_columns], where the points of sparse
/// set s begin at columns[s]; without gradients only the energy's.
void add_soap_rows(const FeatureLayout &layout, const std::vector<std::size_t> &columns,
                   const Environments &environments, bool with_gradients, std::size_t n_columns,
                   double *rows);

/// Kernels k(i, m) of every atom with all sparse points of its sparse set, eq. (23d), with zeros
/// for those of others: rows[n_atoms][n_columns], which begin with zeros.
void fill_kernel_rows(const FeatureLayout &layout, const std::vector<std::size_t> &columns,
                      const Environments &environments, std::size_t n_columns, double *rows);

/// The same of a product of kernels.
void fill_kernel_rows(const ProductLayout &product, const std::vector<std::size_t> &columns,
                      const Environments &environments, std::size_t n_columns, double *rows);

/// What add_soap_rows does, of a product of kernels, eq. (7i).
void add_product_rows(const ProductLayout &product, const std::vector<std::size_t> &columns,
                      const Environments &environments, bool with_gradients, std::size_t n_columns,
                      double *rows);

}  // namespace soap_gpr
