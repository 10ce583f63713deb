// SPDX-License-Identifier: BSD-3-Clause
// OpenMP where the compiler has it, one thread where not.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

namespace soap_gpr {

inline int thread_index() {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

}  // namespace soap_gpr
