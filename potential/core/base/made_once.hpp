// SPDX-License-Identifier: BSD-3-Clause
// A value that the first thread to ask for it makes, for all of them.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

namespace soap_gpr {

/// Like std::call_once, but a process made by fork does not wait for a thread of its parent: it has
/// not got it, and makes the value itself.
template <class T>
class MadeOnce {
 public:
  MadeOnce() = default;
  ~MadeOnce() { delete value_.load(); }
  MadeOnce(const MadeOnce &) = delete;
  MadeOnce &operator=(const MadeOnce &) = delete;

  /// make() where nobody has made it yet; where that throws, the next caller tries again.
  template <class Make>
  const T &get(Make make) const {
    for (;;) {
      if (const T *made = value_.load(std::memory_order_acquire)) return *made;
      const pid_t here = getpid();
      pid_t maker = maker_.load();
      if (maker != here && maker_.compare_exchange_strong(maker, here)) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    try {
      if (!value_.load(std::memory_order_acquire))
        value_.store(new T(make()), std::memory_order_release);
    } catch (...) {
      maker_.store(0);
      throw;
    }
    return *value_.load();
  }

 private:
  mutable std::atomic<const T *> value_{nullptr};
  mutable std::atomic<pid_t> maker_{0};  ///< the process that makes it
};

}  // namespace soap_gpr
