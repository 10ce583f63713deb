// SPDX-License-Identifier: BSD-3-Clause
// OpenMP where the compiler has it, one thread where not.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#include <unistd.h>

#include <atomic>
#endif

namespace soap_gpr {

inline int thread_index() {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

/// The threads of a parallel region where so many are wanted: one in a process made by fork after
/// its parent had started more. OpenMP keeps threads from one region to the next, and such a child
/// would wait for ever for those that it has not got.
inline int team_size(int wanted) {
#ifdef _OPENMP
  static std::atomic<pid_t> owner{0};  // the process that has started threads
  if (wanted < 2) return 1;
  pid_t started = 0;
  const pid_t here = getpid();
  return owner.compare_exchange_strong(started, here) || started == here ? wanted : 1;
#else
  (void)wanted;
  return 1;
#endif
}

}  // namespace soap_gpr
