// SPDX-License-Identifier: BSD-3-Clause
// Compiled for any processor of this architecture.
#include "base/cpu.hpp"

namespace soap_gpr {

#define SOAP_GPR_LACKS(name)                                                             \
  "soap-gpr was compiled for a processor with " name                                     \
  " and this one lacks it: install it again on this machine, or build it portable with " \
  "-DSOAP_GPR_NATIVE=OFF (pip: -C cmake.define.SOAP_GPR_NATIVE=OFF)"

const char *why_cpu_cannot_run(unsigned required) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const auto needs = [required](unsigned bit) { return (required & bit) != 0; };
  if (needs(kAvx) && !__builtin_cpu_supports("avx")) return SOAP_GPR_LACKS("AVX");
  if (needs(kAvx2) && !__builtin_cpu_supports("avx2")) return SOAP_GPR_LACKS("AVX2");
  if (needs(kFma) && !__builtin_cpu_supports("fma")) return SOAP_GPR_LACKS("FMA");
  if (needs(kAvx512) && !__builtin_cpu_supports("avx512f")) return SOAP_GPR_LACKS("AVX-512");
  if (needs(kAvx512More) &&
      !(__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")))
    return SOAP_GPR_LACKS("AVX-512 DQ and VL");
  if (needs(kAvx512Fp16) && !__builtin_cpu_supports("avx512fp16"))
    return SOAP_GPR_LACKS("AVX-512 FP16");
#endif
  (void)required;
  return nullptr;
}

}  // namespace soap_gpr
