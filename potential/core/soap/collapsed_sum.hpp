// SPDX-License-Identifier: BSD-3-Clause
// What stands for a sum over sparse points with weights that are known, where that is cheaper: of
// ζ = 1 ∂ε/∂y itself, and of ζ = 2 the matrix that gives it.
#pragma once

#include "soap/kernel_panel.hpp"

namespace soap_gpr {

/// Whether sums with this kernel over the set collapse: not where it has no weights.
bool collapses(const Kernel &kernel, const SparseSet &sparse);

/// ζ = 1: ∂ε/∂y [rank], of every species of the centre where the set couples them; ζ = 2: the
/// matrix [rank]² that gives ∂ε/∂y. weights[size].
AlignedVector collapsed_sum(const Kernel &kernel, const SparseSet &sparse, const double *weights);

/// panel.h = ∂ε/∂y: a constant for ζ = 1, linear in y for ζ = 2.
void collapsed_gradient(int zeta, const SparseSet &sparse, const double *collapsed,
                        const KernelPanel &panel);

/// energy[i] += ε = h·y / ζ: the kernel sum is homogeneous of degree ζ in y.
void add_energies(double zeta, int rank, const KernelPanel &panel, double *energy);

/// The symmetric C[rank][rank] with its blocks above the diagonal doubled, so that what is below
/// need not be read.
AlignedVector upper_blocks(AlignedVector C, std::size_t rank);

/// sums[width] += ½ yᵀ C y, from the upper blocks of C.
void add_quadratic(const SparseSet &sparse, const double *C, const KernelPanel &panel,
                   double *sums);

}  // namespace soap_gpr
