// SPDX-License-Identifier: BSD-3-Clause
// Times of the phases of an evaluation.
#pragma once

#include <chrono>

#include "soap_gpr.hpp"

namespace soap_gpr {

/// Adds the time since the last call to a phase; does nothing without a profile.
class Stopwatch {
 public:
  explicit Stopwatch(Profile *profile) : profile_(profile) {
    if (profile_) last_ = Clock::now();
  }
  void lap(double Profile::*phase) {
    if (!profile_) return;
    const auto now = Clock::now();
    profile_->*phase += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Profile *profile_;
  Clock::time_point last_;
};

}  // namespace soap_gpr
