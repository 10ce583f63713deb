// SPDX-License-Identifier: BSD-3-Clause
#include "scatter.hpp"

namespace soap_gpr {

void scatter_to_arrays(const Environments &environments, const Outputs &outputs,
                       AtomArrays arrays) {
  scatter(environments, outputs, arrays);
}

}  // namespace soap_gpr
