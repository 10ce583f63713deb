// SPDX-License-Identifier: BSD-3-Clause
// Which of the core's code may run on this processor? Asked before any of it runs, because code for
// a newer processor (a login node's, say) ends the process without a word.
#pragma once

#include <string>

namespace soap_gpr {

/// Bits of instruction sets.
enum Instructions : unsigned {
  kAvx = 1,
  kAvx2 = 2,
  kFma = 4,
  kAvx512 = 8,       ///< F
  kAvx512More = 16,  ///< DQ and VL
  kAvx512Fp16 = 32
};
/// Those that the core's code may use.
extern const unsigned kRequiredInstructions;

/// Null when this processor has them all, else one sentence that names the first it lacks.
const char *why_cpu_cannot_run(unsigned required = kRequiredInstructions);

/// Opens the best build for this processor of a library that lies beside the one that has the
/// address `self`: NAME-avx512.so, NAME-avx2.so or NAME.so, those that exist. CMakeLists.txt says
/// which options they are compiled with. Null when there is none, with the reason in `problem`.
void *open_best_build(void *self, const std::string &name, std::string &problem);

}  // namespace soap_gpr
