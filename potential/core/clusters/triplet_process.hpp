// SPDX-License-Identifier: BSD-3-Clause
// Gaussian processes of three numbers of a triplet that no spline follows, docs/theory.md
// eq. (22g): summed over their sparse points each time.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace soap_gpr {

struct TripletProcess {
  enum class Kernel { gaussian, polynomial };
  Kernel kernel = Kernel::gaussian;
  bool angle = false;          ///< numbers of an angle instead of the distances
  std::array<int, 3> order{};  ///< which distances the numbers are, unless an angle
  std::array<double, 3> inverse_scale{};
  std::vector<std::array<int, 3>> permutations;  ///< in the norm; none: no norm
  double constant = 0;                           ///< eV
  std::vector<double> points[3];                 ///< in length scales, permuted ones included
  std::vector<double> weights;                   ///< eV
};

/// Value in eV, and slopes along r_ij, r_ik and r_jk in eV/Å.
struct ProcessValue {
  double value = 0;
  std::array<double, 3> slope{};
};

/// The process at the distances r_ij, r_ik and r_jk.
ProcessValue evaluate_process(const TripletProcess &process,
                              const std::array<double, 3> &distances);

}  // namespace soap_gpr
