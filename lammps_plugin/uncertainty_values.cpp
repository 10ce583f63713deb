// SPDX-License-Identifier: GPL-2.0-only
#include "uncertainty_values.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "spread.h"

namespace LAMMPS_NS {

namespace {

const char *const kNames[] = {"energy_uncertainty", "force_uncertainty", "variance", "rigidity",
                              "grade"};

}  // namespace

void UncertaintyValues::set_up(const soap_gpr::Model &model) {
  *this = UncertaintyValues();
  of_model_ = model.uncertainty();
  n_members_ = model.has_potential() ? of_model_.n_members : 0;  // else of targets alone
  begin(0, 0, false);  // fix pair asks before there are atoms
}

bool UncertaintyValues::serves(Measure measure) const {
  if (measure == kEnergy) return n_members_ || of_model_.has_variance;
  return measure == kForce ? n_members_ > 0 : of_model_.has_variance;
}

void UncertaintyValues::begin(std::size_t n_local, std::size_t n_all, bool of_structures) {
  n_local_ = n_local;
  for (int m = 0; m < kMeasures; ++m) {
    if (!serves(Measure(m))) continue;
    OfAtoms &own = of_atoms_[m];
    const std::size_t n = std::max<std::size_t>(1, n_local), width = m == kForce ? 3 : 1;
    own.values.assign(n * width, std::numeric_limits<double>::quiet_NaN());
    own.rows.resize(m == kForce ? n : 0);
    for (std::size_t i = 0; i < own.rows.size(); ++i) own.rows[i] = &own.values[3 * i];
  }
  structure_wanted_ = of_structures && n_members_;
  forces_wanted_ = wants(kForce) || structure_wanted_;
  energies_wanted_ = n_members_ && (wants(kEnergy) || structure_wanted_);
  variance_wanted_ =
      wants(kVariance) || wants(kRigidity) || wants(kGrade) || (wants(kEnergy) && n_members_ == 0);
  member_energies_.assign(n_members_, 0.0);
  if (forces_wanted_) member_forces_.assign(3 * n_members_ * n_all, 0.0);
}

bool UncertaintyValues::ask(const soap_gpr::Environments &environments,
                            soap_gpr::Outputs &outputs) {
  const std::size_t n = environments.n_atoms;
  if (energies_wanted_) {
    members_.resize(n_members_ * n);
    outputs.members = members_.data();
  }
  if (forces_wanted_) {
    f_ij_.resize(3 * n_members_ * environments.offset[n]);
    outputs.member_f_ij = reinterpret_cast<double(*)[3]>(f_ij_.data());
  }
  if (variance_wanted_) {
    variance_.resize(n);
    rigidity_.resize(n);
    outputs.variance = variance_.data();
    outputs.rigidity = rigidity_.data();
  }
  return energies_wanted_ || forces_wanted_ || variance_wanted_;
}

void UncertaintyValues::set(Measure measure, std::size_t atom, double value) {
  if (wants(measure)) of_atoms_[measure].values[atom] = value;
}

void UncertaintyValues::add(const soap_gpr::Environments &environments,
                            const std::vector<double> &scale) {
  const std::size_t n = environments.n_atoms;
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t i = environments.center[k];
    if (energies_wanted_) {
      set(kEnergy, i, of_model_.energy_scale * scale[k] * spread(&members_[k], n, n_members_));
      for (std::size_t c = 0; c < n_members_; ++c)
        member_energies_[c] += scale[k] * members_[c * n + k];
    }
    if (!variance_wanted_) continue;
    const double deviation = std::sqrt(variance_[k]);
    const double sigma = of_model_.variance_scale * scale[k] * deviation;
    if (n_members_ == 0) set(kEnergy, i, sigma);
    set(kVariance, i, sigma * sigma);
    set(kRigidity, i, rigidity_[k] / (scale[k] * scale[k]));
    set(kGrade, i, deviation / of_model_.edges[environments.species[k]]);
  }
  if (forces_wanted_) add_pair_forces(environments, scale);
}

/// Those on ghosts travel home by reverse communication.
void UncertaintyValues::add_pair_forces(const soap_gpr::Environments &environments,
                                        const std::vector<double> &scale) {
  const std::size_t n_pairs = environments.offset[environments.n_atoms];
  for (std::size_t k = 0; k < environments.n_atoms; ++k) {
    double *const own = member_forces(environments.center[k]);
    for (std::size_t p = environments.offset[k]; p < environments.offset[k + 1]; ++p) {
      double *const other = member_forces(environments.neighbor[p]);
      for (std::size_t c = 0; c < n_members_; ++c)
        for (int x = 0; x < 3; ++x) {
          const double f = scale[k] * f_ij_[3 * (c * n_pairs + p) + x];
          other[3 * c + x] += f;
          own[3 * c + x] -= f;
        }
    }
  }
}

int UncertaintyValues::pack_forces(int n, int first, double *buffer) {
  const int size = comm_reverse();
  std::copy_n(member_forces(first), n * size, buffer);
  return n * size;
}

void UncertaintyValues::add_forces(int n, const int *list, const double *buffer) {
  const int size = comm_reverse();
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < size; ++k) member_forces(list[i])[k] += buffer[i * size + k];
}

void UncertaintyValues::finish(MPI_Comm world, double *parts) {
  double largest = 0;
  for (std::size_t i = 0; forces_wanted_ && i < n_local_; ++i) {
    double squared = 0;
    for (int x = 0; x < 3; ++x) {
      const double sigma = of_model_.force_scale * spread(member_forces(i) + x, 3, n_members_);
      if (wants(kForce)) of_atoms_[kForce].values[3 * i + x] = sigma;
      squared += sigma * sigma;
    }
    largest = std::max(largest, std::sqrt(squared));
  }
  if (!structure_wanted_) return;
  int rank;
  MPI_Comm_rank(world, &rank);
  MPI_Allreduce(MPI_IN_PLACE, member_energies_.data(), int(n_members_), MPI_DOUBLE, MPI_SUM, world);
  MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, world);
  parts[0] =
      rank == 0 ? of_model_.energy_scale * spread(member_energies_.data(), 1, n_members_) : 0;
  parts[1] = rank == 0 ? largest : 0;
}

int *UncertaintyValues::flag(const std::string &name) {
  for (int m = 0; m < kMeasures; ++m)
    if (name == std::string(kNames[m]) + "_flag" && serves(Measure(m))) return &of_atoms_[m].flag;
  return nullptr;
}

void *UncertaintyValues::of_atoms(const std::string &name, int &n_columns) {
  for (int m = 0; m < kMeasures; ++m)
    if (name == kNames[m] && serves(Measure(m))) {
      n_columns = m == kForce ? 3 : 0;
      if (m == kForce) return of_atoms_[m].rows.data();
      return of_atoms_[m].values.data();
    }
  return nullptr;
}

std::string UncertaintyValues::missing(const std::string &name) const {
  for (int m = 0; m < kMeasures; ++m) {
    if ((name != kNames[m] && name != std::string(kNames[m]) + "_flag") || serves(Measure(m)))
      continue;
    const std::string setting = m == kForce    ? "committee"
                                : m == kEnergy ? "committee or variance"
                                               : "variance";
    return "the model was fitted without [uncertainty] " + setting;
  }
  return "";
}

std::string UncertaintyValues::served() const {
  std::string own;
  for (int m = 0; m < kMeasures; ++m)
    if (serves(Measure(m))) own += std::string(" ") + kNames[m];
  return own;
}

double UncertaintyValues::memory_usage() const {
  std::size_t n = member_forces_.capacity() + members_.capacity() + f_ij_.capacity() +
                  variance_.capacity() + rigidity_.capacity();
  for (const OfAtoms &own : of_atoms_) n += own.values.capacity() + own.rows.capacity();
  return sizeof(double) * double(n);
}

}  // namespace LAMMPS_NS
