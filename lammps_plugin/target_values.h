// SPDX-License-Identifier: GPL-2.0-only
// What a model says beside energies, and how large it says that its errors there are: values of
// atoms for fix pair, of the structure for compute pair.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <string>
#include <vector>

#include "soap_gpr.hpp"

namespace LAMMPS_NS {

class TargetValues {
 public:
  void set_up(const soap_gpr::Model &model);

  /// Numbers of all values of structures, each component of a tensor one.
  std::size_t n_of_structures() const;
  /// How many values have a standard deviation: all scalars or none.
  std::size_t n_of_errors() const;

  /// Before a step with so many atoms; whether the core has to compute anything, for an atom's
  /// flag that is set or for values of the structure, those that cost something, which are tensors
  /// and errors, only where these are wanted.
  bool begin(std::size_t n_atoms, bool of_structures, bool dear_of_structures);
  /// What the core is to write of n centres.
  void ask(std::size_t n, soap_gpr::Outputs &outputs);
  /// Takes it up; center[n]: which atoms these are, species[n]: of what species.
  void add(const std::vector<std::size_t> &center, const int *species);
  /// This rank's parts of the values of structures and of their errors, which all ranks add up,
  /// where they are wanted.
  void finish(MPI_Comm world, double *values, double *errors) const;

  /// The flag "<name>_flag" of what there is of atoms, or null.
  int *flag(const std::string &name);
  /// The values [n_atoms] of this name, or of a vector or tensor rows [n_atoms][n_columns], or
  /// null; nan at steps without its flag.
  void *of_atoms(const std::string &name, int &n_columns);
  /// Why LAMMPS cannot have this of a target, with or without "_flag"; empty when it can, and of
  /// what is no target.
  std::string missing(const std::string &name) const;
  /// The names of the errors of atoms that there are, each after a space.
  std::string served_errors() const;
  double memory_usage() const;

 private:
  // named as the target and after it
  enum Measure { kValue, kUncertainty, kRigidity, kGrade, kMeasures };
  struct OfAtoms {
    std::size_t target;
    Measure measure;
    std::string name;
    int n_columns = 1;
    int flag = 0;
    std::vector<double> values;  // [n_atoms][n_columns]
    std::vector<double *> rows;  // of a vector or tensor
  };
  struct OfStructure {
    std::size_t target;
    std::vector<double> sums;     // of each component
    double weight = 0;            // of all centres
    std::vector<double> members;  // sums of their deviations
  };

  bool has_members() const { return !uncertainty_.target_scales.empty(); }
  bool has_variance() const { return !uncertainty_.target_variance_scales.empty(); }
  bool has(Measure measure) const;
  bool takes_variance(Measure measure) const;
  bool has_error(const OfStructure &own) const;
  /// A component of what centre c of n has of a target.
  double component(std::size_t target, int k, std::size_t c, std::size_t n) const;
  double value(const OfAtoms &own, std::size_t c, std::size_t n, int species) const;
  /// Deviations of members from a target's values, [member][n].
  const double *members(std::size_t target, std::size_t n) const {
    return &members_[target * uncertainty_.n_members * n];
  }

  std::vector<soap_gpr::Target> targets_;
  soap_gpr::Uncertainty uncertainty_;
  std::vector<OfAtoms> atoms_;
  std::vector<OfStructure> structures_;
  bool structures_wanted_ = false, dear_wanted_ = false;                  // at this step
  bool wanted_[kMeasures] = {}, tensors_wanted_ = false;                  // of the core
  std::vector<double> buffer_, tensors_, members_, variance_, rigidity_;  // of a block, as Outputs
  std::size_t n_tensor_rows_ = 0;
};

}  // namespace LAMMPS_NS
