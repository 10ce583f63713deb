// SPDX-License-Identifier: BSD-3-Clause
// For code that is compiled with other options than the core.
#pragma once

namespace soap_gpr {

/// kLanes of the core.
int vector_width();

}  // namespace soap_gpr
