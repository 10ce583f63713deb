// SPDX-License-Identifier: BSD-3-Clause
// Was the core compiled for this processor? Asked before any of its code runs, because code for a
// newer processor (a login node's, say) ends the process without a word.
#pragma once

namespace soap_gpr {

/// Bits of the instruction sets below that the core's code may use.
extern const unsigned kRequiredInstructions;

/// Null when this processor has them all, else one sentence that names the first it lacks.
const char *why_cpu_cannot_run();

}  // namespace soap_gpr
