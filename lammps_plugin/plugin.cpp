// SPDX-License-Identifier: GPL-2.0-only
// soapgprplugin.so: tells LAMMPS about pair_style soap/gpr.
//
// C++ classes have another layout in another LAMMPS version, with other integer sizes or another
// MPI, and LAMMPS does not check this for plugins found through LAMMPS_PLUGIN_PATH. So this library
// touches LAMMPS through its C interface only. It compares the LAMMPS that loads it with the one it
// was compiled for, and opens the library with the pair style (soapgpr_pair.so, beside it) only
// when they agree. Otherwise pair_style soap/gpr exists, but says what is wrong.

#include <dlfcn.h>

#include <string>

#define MPICH_SKIP_MPICXX 1
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include "base/cpu.hpp"
#include "exceptions.h"

#if defined(OMPI_MAJOR_VERSION)
#define BUILT_FOR_MPI "Open MPI"
#elif defined(MPICH_VERSION) || defined(I_MPI_VERSION)
#define BUILT_FOR_MPI "MPICH"
#else
#define BUILT_FOR_MPI "no MPI"
#endif

namespace {

// LAMMPS' plugin interface (lammpsplugin.h, which binary packages of LAMMPS leave out).
extern "C" {
typedef void *(*PairFactory)(void *lmp);
typedef void (*RegisterPlugin)(void *plugin, void *lmp);
}
struct Plugin {
  const char *version;
  const char *style;
  const char *name;
  const char *info;
  const char *author;
  PairFactory creator;
  void *handle;
};

std::string why_refused;  // a property of the process: there is one LAMMPS library in it

template <typename Function>
Function host_function(const char *name) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

std::string host_mpi() {
  const auto has_mpi = host_function<int (*)()>("lammps_config_has_mpi_support");
  if (has_mpi && !has_mpi()) return "no MPI";
  if (host_function<void *>("ompi_mpi_comm_world")) return "Open MPI";
  return "MPICH";  // and its ABI twins, such as Intel MPI
}

// 20250722 -> "22 Jul 2025"
std::string version_name(int number) {
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const int month = number / 100 % 100;
  if (month < 1 || month > 12) return std::to_string(number);
  return std::to_string(number % 100) + " " + months[month - 1] + " " +
         std::to_string(number / 10000);
}

// Empty when this LAMMPS is the one the plugin was compiled for, else the difference in words.
std::string find_mismatch(void *lmp) {
  if (const char *reason = soap_gpr::why_cpu_cannot_run()) return reason;
  const auto version = host_function<int (*)(void *)>("lammps_version");
  const auto setting = host_function<int (*)(void *, const char *)>("lammps_extract_setting");
  if (!version || !setting)
    return "this LAMMPS does not export its C library interface, so it cannot be compared with "
           "LAMMPS " BUILT_FOR_LAMMPS ", which the plugin was compiled for";
  if (version(lmp) != BUILT_FOR_LAMMPS_NUMBER)
    return "the plugin was compiled for LAMMPS " BUILT_FOR_LAMMPS " and this is LAMMPS " +
           version_name(version(lmp));
#ifdef LAMMPS_BIGBIG
  const int tagint_bytes = 8;
#else
  const int tagint_bytes = 4;
#endif
  if (setting(lmp, "tagint") != tagint_bytes || setting(lmp, "imageint") != tagint_bytes ||
      setting(lmp, "bigint") != 8)
    return "the plugin was compiled for " + std::to_string(8 * tagint_bytes) +
           "-bit atom IDs and this LAMMPS has " + std::to_string(8 * setting(lmp, "tagint")) +
           "-bit ones (LAMMPS_SIZES)";
  if (host_mpi() != BUILT_FOR_MPI)
    return "the plugin was compiled with the headers of " BUILT_FOR_MPI
           " and this LAMMPS runs on " +
           host_mpi();
  return "";
}

// The factory in the build of soapgpr_pair.so for this processor, or null with the reason in
// `problem`.
PairFactory open_pair_library(std::string &problem) {
  void *library = soap_gpr::open_best_build(reinterpret_cast<void *>(&open_pair_library),
                                            "soapgpr_pair", problem);
  void *factory = library ? dlsym(library, "soap_gpr_create_pair") : nullptr;
  if (library && !factory) problem = dlerror();
  if (!factory) problem = "its second library cannot be used: " + problem;
  return reinterpret_cast<PairFactory>(factory);
}

// Stands in for the pair style when it must not be used. The sentence goes to screen and log file
// through LAMMPS; the exception ends the run, or reaches the program that uses LAMMPS as a library.
extern "C" void *refuse_pair(void *lmp) {
  const std::string message = "pair_style soap/gpr cannot be used: " + why_refused +
                              "; 'soap-gpr lammps-info' explains how to build it for this LAMMPS";
  const auto report = host_function<void (*)(void *, int, const char *)>("lammps_error");
  const auto setting = host_function<int (*)(void *, const char *)>("lammps_extract_setting");
  const bool first_rank = !setting || setting(lmp, "world_rank") <= 0;
  if (report && first_rank) report(lmp, 0, message.c_str());  // 0: as a warning
  throw LAMMPS_NS::LAMMPSException("ERROR: " + message);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const char *soap_gpr_plugin_info() {
#ifdef LAMMPS_BIGBIG
  return BUILT_FOR_LAMMPS "|bigbig|" BUILT_FOR_MPI;
#else
  return BUILT_FOR_LAMMPS "|smallbig|" BUILT_FOR_MPI;
#endif
}

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle,
                                                                         void *register_plugin) {
  why_refused = find_mismatch(lmp);
  PairFactory create = why_refused.empty() ? open_pair_library(why_refused) : nullptr;
  Plugin plugin{BUILT_FOR_LAMMPS,
                "pair",
                "soap/gpr",
                "SOAP Gaussian process regression potential",
                "The soap-gpr developers",
                create ? create : refuse_pair,
                handle};
  reinterpret_cast<RegisterPlugin>(register_plugin)(&plugin, lmp);
}
