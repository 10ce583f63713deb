// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace soap_gpr {

/// Components of symmetric tensors in the order xx, yy, zz, yz, xz, xy.
constexpr int kVoigt[6][2] = {{0, 0}, {1, 1}, {2, 2}, {1, 2}, {0, 2}, {0, 1}};

}  // namespace soap_gpr
