// SPDX-License-Identifier: BSD-3-Clause
#include "base/vector_width.hpp"

#include "base/simd.hpp"

namespace soap_gpr {

int vector_width() { return kLanes; }

}  // namespace soap_gpr
