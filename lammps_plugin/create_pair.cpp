// SPDX-License-Identifier: GPL-2.0-only
// The entry of soapgpr_pair.so: plugin.cpp opens that library once it knows that it fits.

#include "pair_soap_gpr.h"

extern "C" __attribute__((visibility("default"))) void *soap_gpr_create_pair(void *lmp) {
  // As a Pair*, because that is what LAMMPS turns the pointer back into.
  return static_cast<LAMMPS_NS::Pair *>(
      new LAMMPS_NS::PairSoapGpr(static_cast<LAMMPS_NS::LAMMPS *>(lmp)));
}
