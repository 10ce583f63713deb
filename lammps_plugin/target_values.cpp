// SPDX-License-Identifier: GPL-2.0-only
#include "target_values.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "spread.h"

namespace LAMMPS_NS {

namespace {

const char *const kEndings[] = {"", "_uncertainty", "_rigidity", "_grade"};

}  // namespace

void TargetValues::set_up(const soap_gpr::Model &model) {
  *this = TargetValues();
  targets_ = model.targets();
  uncertainty_ = model.uncertainty();
  for (std::size_t h = 0; h < targets_.size(); ++h) {
    if (targets_[h].of_kernel) continue;  // of whole structures, which no rank has
    if (!targets_[h].per_atom) structures_.push_back({h});
    for (int m = 0; m < kMeasures && targets_[h].per_atom; ++m)
      if (has(Measure(m))) atoms_.push_back({h, Measure(m), targets_[h].name + kEndings[m]});
  }
  begin(0, false, false);  // fix pair asks before there are atoms
}

bool TargetValues::has(Measure measure) const {
  if (measure == kValue) return true;
  return has_variance() || (measure == kUncertainty && has_members());
}

/// The committee goes before.
bool TargetValues::takes_variance(Measure measure) const {
  return measure == kRigidity || measure == kGrade || (measure == kUncertainty && !has_members());
}

bool TargetValues::begin(std::size_t n_atoms, bool of_structures, bool errors_of_structures) {
  structures_wanted_ = of_structures && !structures_.empty();
  errors_wanted_ = errors_of_structures && n_of_errors();
  std::fill_n(wanted_, int(kMeasures), false);
  wanted_[kValue] = structures_wanted_;
  wanted_[kUncertainty] = errors_wanted_;
  for (OfAtoms &own : atoms_) {
    const bool is_there = own.flag && own.measure == kValue;  // else of centres alone
    own.values.assign(std::max<std::size_t>(1, n_atoms),
                      is_there ? 0 : std::numeric_limits<double>::quiet_NaN());
    if (own.flag) wanted_[own.measure] = true;
  }
  for (OfStructure &own : structures_) {
    own.sum = own.weight = 0;
    own.members.assign(errors_wanted_ ? uncertainty_.n_members : 0, 0.0);
  }
  return std::any_of(wanted_, wanted_ + kMeasures, [](bool own) { return own; });
}

void TargetValues::ask(std::size_t n, soap_gpr::Outputs &outputs) {
  if (wanted_[kValue]) {
    buffer_.resize(targets_.size() * n);
    outputs.targets = buffer_.data();
  }
  if (wanted_[kUncertainty] && has_members()) {
    members_.resize(targets_.size() * uncertainty_.n_members * n);
    outputs.target_members = members_.data();
  }
  for (int m = 0; m < kMeasures; ++m)
    if (wanted_[m] && takes_variance(Measure(m))) {
      variance_.resize(targets_.size() * n);
      rigidity_.resize(targets_.size() * n);
      outputs.target_variance = variance_.data();
      outputs.target_rigidity = rigidity_.data();
    }
}

double TargetValues::value(const OfAtoms &own, std::size_t c, std::size_t n, int species) const {
  const std::size_t k = own.target * n + c;
  if (own.measure == kValue) return buffer_[k];
  if (own.measure == kRigidity) return rigidity_[k];
  if (own.measure == kGrade)
    return std::sqrt(variance_[k]) / uncertainty_.target_edges[own.target][species];
  if (!has_members())
    return uncertainty_.target_variance_scales[own.target][species] * std::sqrt(variance_[k]);
  return uncertainty_.target_scales[own.target][species] *
         spread(members(own.target, n) + c, n, uncertainty_.n_members);
}

void TargetValues::add(const std::vector<std::size_t> &center, const int *species) {
  const std::size_t n = center.size();
  for (OfAtoms &own : atoms_)
    for (std::size_t c = 0; own.flag && c < n; ++c)
      own.values[center[c]] = value(own, c, n, species[c]);
  if (!structures_wanted_ && !errors_wanted_) return;
  for (OfStructure &own : structures_)
    for (std::size_t c = 0; c < n; ++c) {
      const double weight = targets_[own.target].weight(species[c]);
      own.weight += weight;
      if (structures_wanted_) own.sum += weight * buffer_[own.target * n + c];
      for (std::size_t m = 0; m < own.members.size(); ++m)
        own.members[m] += weight * members(own.target, n)[m * n + c];
    }
}

void TargetValues::finish(MPI_Comm world, double *values, double *errors) const {
  if (!structures_wanted_ && !errors_wanted_) return;
  std::vector<double> totals;
  for (const OfStructure &own : structures_) {
    totals.push_back(own.weight);
    totals.insert(totals.end(), own.members.begin(), own.members.end());
  }
  MPI_Allreduce(MPI_IN_PLACE, totals.data(), int(totals.size()), MPI_DOUBLE, MPI_SUM, world);
  int rank;
  MPI_Comm_rank(world, &rank);
  const double *own = totals.data();
  for (std::size_t k = 0; k < structures_.size(); ++k) {
    const std::size_t h = structures_[k].target, n_members = structures_[k].members.size();
    const double divisor = targets_[h].extensive ? 1 : *own;  // a mean over no atoms is nan
    if (structures_wanted_) values[k] = structures_[k].sum / divisor;
    if (errors_wanted_)
      errors[k] = rank == 0
                      ? uncertainty_.target_scales[h][0] * spread(own + 1, 1, n_members) / divisor
                      : 0;
    own += 1 + n_members;
  }
}

int *TargetValues::flag(const std::string &name) {
  for (OfAtoms &own : atoms_)
    if (own.name + "_flag" == name) return &own.flag;
  return nullptr;
}

double *TargetValues::of_atoms(const std::string &name) {
  for (OfAtoms &own : atoms_)
    if (own.name == name) return own.values.data();
  return nullptr;
}

std::string TargetValues::missing(const std::string &name) const {
  for (const soap_gpr::Target &target : targets_)
    for (int m = 0; m < kMeasures; ++m) {
      const std::string own = target.name + kEndings[m];
      if (name != own && name != own + "_flag") continue;
      if (target.of_kernel)
        return "it is a target of kernels between whole structures, which LAMMPS does not "
               "compute; soap-gpr evaluate does";
      if (target.per_atom)
        return m == kUncertainty
                   ? "the model has no errors of targets: fit it with [uncertainty] committee or "
                     "variance"
                   : "the model has no variance of targets: fit it with [uncertainty] variance = "
                     "true";
      if (m > kUncertainty) return "LAMMPS has it of targets of atoms alone; Python has it";
      return m == kValue || has_members()
                 ? "it is of the structure: compute pair has it"
                 : "the model has no committee of targets: fit it with [uncertainty] committee";
    }
  return "";
}

std::string TargetValues::served_errors() const {
  std::string names;
  for (const OfAtoms &own : atoms_)
    if (own.measure != kValue) names += " " + own.name;
  return names;
}

double TargetValues::memory_usage() const {
  std::size_t n =
      buffer_.capacity() + members_.capacity() + variance_.capacity() + rigidity_.capacity();
  for (const OfAtoms &own : atoms_) n += own.values.capacity();
  return sizeof(double) * double(n);
}

}  // namespace LAMMPS_NS
