// SPDX-License-Identifier: BSD-3-Clause
// Compiled with the options of the core: a constant only, no code.
#include "base/cpu.hpp"

namespace soap_gpr {

extern const unsigned kRequiredInstructions = 0
#ifdef __AVX__
                                              | kAvx
#endif
#ifdef __AVX2__
                                              | kAvx2
#endif
#ifdef __FMA__
                                              | kFma
#endif
#ifdef __AVX512F__
                                              | kAvx512
#endif
#if defined(__AVX512DQ__) && defined(__AVX512VL__)
                                              | kAvx512More
#endif
#ifdef __AVX512FP16__
                                              | kAvx512Fp16
#endif
    ;

}  // namespace soap_gpr
