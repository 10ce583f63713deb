// SPDX-License-Identifier: BSD-3-Clause
// Compiled for any processor of this architecture.
#include <dlfcn.h>
#include <unistd.h>

#include "base/cpu.hpp"

namespace soap_gpr {

namespace {

struct Build {
  const char *suffix;
  unsigned required;
};
/// The best comes first.
constexpr Build kBuilds[] = {{"-avx512", kAvx | kAvx2 | kFma | kAvx512 | kAvx512More},
                             {"-avx2", kAvx | kAvx2 | kFma},
                             {"", 0}};

}  // namespace

void *open_best_build(void *self, const std::string &name, std::string &problem) {
  Dl_info own;
  if (!dladdr(self, &own) || !own.dli_fname) {
    problem = "the folder of " + name + ".so cannot be determined";
    return nullptr;
  }
  const std::string beside = own.dli_fname;
  const std::string path = beside.substr(0, beside.rfind('/') + 1) + name;
  std::string file;
  for (const Build &build : kBuilds) {
    file = path + build.suffix + ".so";
    if (!why_cpu_cannot_run(build.required) && access(file.c_str(), F_OK) == 0) break;
  }
  void *library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *text = dlerror();
    problem = text ? text : "unknown error of dlopen";
  }
  return library;
}

}  // namespace soap_gpr
