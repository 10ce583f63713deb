// SPDX-License-Identifier: GPL-2.0-only
#include "target_values.h"

#include <algorithm>
#include <limits>

namespace LAMMPS_NS {

void TargetValues::set_up(const soap_gpr::Model &model) {
  *this = TargetValues();
  targets_ = model.targets();
  for (std::size_t h = 0; h < targets_.size(); ++h)
    if (targets_[h].of_kernel)
      continue;  // of whole structures, which no rank has
    else if (targets_[h].per_atom)
      atoms_.push_back({h, 0, std::vector<double>(1)});  // fix pair asks before there are atoms
    else
      structures_.push_back({h, 0});
}

bool TargetValues::begin(std::size_t n_atoms, bool of_structures) {
  bool wanted = of_structures && !structures_.empty();
  for (OfAtoms &own : atoms_) {
    const double start = own.flag ? 0 : std::numeric_limits<double>::quiet_NaN();
    own.values.assign(std::max<std::size_t>(1, n_atoms), start);
    wanted = wanted || own.flag;
  }
  for (OfStructure &own : structures_) own.sum = own.weight = 0;
  return wanted;
}

double *TargetValues::buffer(std::size_t n) {
  buffer_.resize(targets_.size() * n);
  return buffer_.data();
}

void TargetValues::add(const std::vector<std::size_t> &center, const int *species) {
  const std::size_t n = center.size();
  for (OfAtoms &own : atoms_)
    for (std::size_t c = 0; own.flag && c < n; ++c)
      own.values[center[c]] = buffer_[own.target * n + c];
  for (OfStructure &own : structures_)
    for (std::size_t c = 0; c < n; ++c) {
      const double weight = targets_[own.target].weight(species[c]);
      own.sum += weight * buffer_[own.target * n + c];
      own.weight += weight;
    }
}

void TargetValues::finish(MPI_Comm world, double *parts) const {
  if (structures_.empty()) return;
  std::vector<double> totals;
  for (const OfStructure &own : structures_) totals.push_back(own.weight);
  MPI_Allreduce(MPI_IN_PLACE, totals.data(), int(totals.size()), MPI_DOUBLE, MPI_SUM, world);
  for (std::size_t k = 0; k < structures_.size(); ++k)  // a mean over no atoms is nan
    parts[k] = structures_[k].sum / (targets_[structures_[k].target].extensive ? 1 : totals[k]);
}

int *TargetValues::flag(const std::string &name) {
  for (OfAtoms &own : atoms_)
    if (targets_[own.target].name + "_flag" == name) return &own.flag;
  return nullptr;
}

double *TargetValues::of_atoms(const std::string &name) {
  for (OfAtoms &own : atoms_)
    if (targets_[own.target].name == name) return own.values.data();
  return nullptr;
}

bool TargetValues::is_of_kernel(const std::string &name) const {
  return std::any_of(targets_.begin(), targets_.end(), [&name](const soap_gpr::Target &target) {
    return target.of_kernel && (name == target.name || name == target.name + "_flag");
  });
}

double TargetValues::memory_usage() const {
  std::size_t n = buffer_.capacity();
  for (const OfAtoms &own : atoms_) n += own.values.capacity();
  return sizeof(double) * double(n);
}

}  // namespace LAMMPS_NS
