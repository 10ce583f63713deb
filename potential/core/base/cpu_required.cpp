// SPDX-License-Identifier: BSD-3-Clause
// Compiled with the options of the core: a constant only, no code.
#include "base/cpu.hpp"

namespace soap_gpr {

extern const unsigned kRequiredInstructions = 0
#ifdef __AVX__
                                              | 1u
#endif
#ifdef __AVX2__
                                              | 2u
#endif
#ifdef __FMA__
                                              | 4u
#endif
#ifdef __AVX512F__
                                              | 8u
#endif
#if defined(__AVX512DQ__) && defined(__AVX512VL__)
                                              | 16u
#endif
#ifdef __AVX512FP16__
                                              | 32u
#endif
    ;

}  // namespace soap_gpr
