// SPDX-License-Identifier: GPL-2.0-only
#include "target_values.h"

#include <algorithm>
#include <limits>

namespace LAMMPS_NS {

void TargetValues::set_up(const soap_gpr::Model &model) {
  *this = TargetValues();
  targets_ = model.targets();
  for (std::size_t h = 0; h < targets_.size(); ++h)
    if (targets_[h].per_atom)
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
  for (OfStructure &own : structures_) own.sum = 0;
  n_centers_ = 0;
  return wanted;
}

double *TargetValues::buffer(std::size_t n) {
  buffer_.resize(targets_.size() * n);
  return buffer_.data();
}

void TargetValues::add(const std::vector<std::size_t> &center) {
  const std::size_t n = center.size();
  for (OfAtoms &own : atoms_)
    for (std::size_t c = 0; own.flag && c < n; ++c)
      own.values[center[c]] = buffer_[own.target * n + c];
  for (OfStructure &own : structures_)
    for (std::size_t c = 0; c < n; ++c) own.sum += buffer_[own.target * n + c];
  n_centers_ += double(n);
}

void TargetValues::finish(MPI_Comm world, double *parts) const {
  double n = 0;
  MPI_Allreduce(&n_centers_, &n, 1, MPI_DOUBLE, MPI_SUM, world);
  for (std::size_t k = 0; k < structures_.size(); ++k) {
    const bool extensive = targets_[structures_[k].target].extensive;
    parts[k] = extensive || n == 0 ? structures_[k].sum : structures_[k].sum / n;
  }
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

double TargetValues::memory_usage() const {
  std::size_t n = buffer_.capacity();
  for (const OfAtoms &own : atoms_) n += own.values.capacity();
  return sizeof(double) * double(n);
}

}  // namespace LAMMPS_NS
