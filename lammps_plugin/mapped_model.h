// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lammps.h"
#include "soap_gpr.hpp"

namespace LAMMPS_NS {

/// What pair_coeff gives: a model, and the species that each atom type is.
struct MappedModel {
  std::string path;
  std::unique_ptr<soap_gpr::Model> model;
  std::vector<int> species_of_type;  // [ntypes + 1] index into model->species(); -1 for NULL
};

/// Reads the model file and the element symbols (or NULL) of all atom types. All ranks call it;
/// what is wrong is an error on all of them.
MappedModel read_mapped_model(LAMMPS *lmp, const std::string &path,
                              const std::vector<std::string> &names);

/// Which type became what, to screen and log file.
void log_model(LAMMPS *lmp, const MappedModel &mapped);

/// The measures of errors that the model has for fix pair, each after a space, and those for
/// compute pair. Targets of the same names are an error.
void log_uncertainty(LAMMPS *lmp, const MappedModel &mapped, const std::string &measures);

/// Whether the model has targets that LAMMPS can compute.
bool serves_targets(const MappedModel &mapped);

/// Elements in the wrong order run as well as in the right one.
void warn_if_masses_are_in_another_order(LAMMPS *lmp, const MappedModel &mapped);

}  // namespace LAMMPS_NS
