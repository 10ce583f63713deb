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
  n_tensor_rows_ = model.n_tensor_rows();
  for (std::size_t h = 0; h < targets_.size(); ++h) {
    const soap_gpr::Target &target = targets_[h];
    if (target.of_kernel) continue;  // of whole structures, which no rank has
    if (!target.per_atom) {
      structures_.push_back({h, {}, 0, {}});
      structures_.back().sums.resize(target.n_components);
    }
    if (target.rank)  // of structures as well: what atoms have of it
      atoms_.push_back({h, kValue, target.name, target.n_components, 0, {}, {}});
    for (int m = 0; m < kMeasures && target.per_atom && !target.rank; ++m)
      if (has(Measure(m))) atoms_.push_back({h, Measure(m), target.name + kEndings[m]});
  }
  begin(0, false, false);  // fix pair asks before there are atoms
}

std::size_t TargetValues::n_of_structures() const {
  std::size_t n = 0;
  for (const OfStructure &own : structures_) n += own.sums.size();
  return n;
}

std::size_t TargetValues::n_of_errors() const {
  return std::count_if(structures_.begin(), structures_.end(),
                       [this](const OfStructure &own) { return has_error(own); });
}

bool TargetValues::has_error(const OfStructure &own) const {
  return has_members() && !targets_[own.target].rank;
}

bool TargetValues::has(Measure measure) const {
  if (measure == kValue) return true;
  return has_variance() || (measure == kUncertainty && has_members());
}

/// The committee goes before.
bool TargetValues::takes_variance(Measure measure) const {
  return measure == kRigidity || measure == kGrade || (measure == kUncertainty && !has_members());
}

bool TargetValues::begin(std::size_t n_atoms, bool of_structures, bool dear_of_structures) {
  structures_wanted_ = of_structures && !structures_.empty();
  dear_wanted_ = dear_of_structures && !structures_.empty();
  std::fill_n(wanted_, int(kMeasures), false);
  wanted_[kValue] = structures_wanted_;
  wanted_[kUncertainty] = dear_wanted_ && n_of_errors();
  tensors_wanted_ = dear_wanted_ && n_tensor_rows_;
  for (OfAtoms &own : atoms_) {
    const bool is_there = own.flag && own.measure == kValue;  // else of centres alone
    own.values.assign(std::max<std::size_t>(1, n_atoms) * own.n_columns,
                      is_there ? 0 : std::numeric_limits<double>::quiet_NaN());
    own.rows.clear();
    for (std::size_t i = 0; own.n_columns > 1 && i < own.values.size(); i += own.n_columns)
      own.rows.push_back(&own.values[i]);
    if (!own.flag) continue;
    (targets_[own.target].rank ? tensors_wanted_ : wanted_[own.measure]) = true;
  }
  for (OfStructure &own : structures_) {
    own.weight = 0;
    std::fill(own.sums.begin(), own.sums.end(), 0.0);
    own.members.assign(dear_wanted_ && has_error(own) ? uncertainty_.n_members : 0, 0.0);
  }
  return tensors_wanted_ || std::any_of(wanted_, wanted_ + kMeasures, [](bool own) { return own; });
}

void TargetValues::ask(std::size_t n, soap_gpr::Outputs &outputs) {
  if (wanted_[kValue]) {
    buffer_.resize(targets_.size() * n);
    outputs.targets = buffer_.data();
  }
  if (tensors_wanted_) {
    tensors_.resize(n_tensor_rows_ * n);
    outputs.tensors = tensors_.data();
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

double TargetValues::component(std::size_t target, int k, std::size_t c, std::size_t n) const {
  const soap_gpr::Target &own = targets_[target];
  return own.rank ? tensors_[(own.row + k) * n + c] : buffer_[target * n + c];
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
      for (int k = 0; k < own.n_columns; ++k)
        own.values[center[c] * own.n_columns + k] =
            own.n_columns > 1 ? component(own.target, k, c, n) : value(own, c, n, species[c]);
  for (OfStructure &own : structures_) {
    if (!(targets_[own.target].rank ? dear_wanted_ : structures_wanted_ || dear_wanted_)) continue;
    const bool with_value = targets_[own.target].rank ? dear_wanted_ : structures_wanted_;
    for (std::size_t c = 0; c < n; ++c) {
      const double weight = targets_[own.target].weight(species[c]);
      own.weight += weight;
      for (std::size_t k = 0; with_value && k < own.sums.size(); ++k)
        own.sums[k] += weight * component(own.target, int(k), c, n);
      for (std::size_t m = 0; m < own.members.size(); ++m)
        own.members[m] += weight * members(own.target, n)[m * n + c];
    }
  }
}

void TargetValues::finish(MPI_Comm world, double *values, double *errors) const {
  if (!structures_wanted_ && !dear_wanted_) return;
  std::vector<double> totals;
  for (const OfStructure &own : structures_) {
    totals.push_back(own.weight);
    totals.insert(totals.end(), own.members.begin(), own.members.end());
  }
  MPI_Allreduce(MPI_IN_PLACE, totals.data(), int(totals.size()), MPI_DOUBLE, MPI_SUM, world);
  int rank;
  MPI_Comm_rank(world, &rank);
  const double *own = totals.data();
  for (const OfStructure &structure : structures_) {
    const std::size_t h = structure.target, n_members = structure.members.size();
    const double divisor = targets_[h].extensive ? 1 : *own;  // a mean over no atoms is nan
    const bool with_value = targets_[h].rank ? dear_wanted_ : structures_wanted_;
    for (std::size_t k = 0; with_value && k < structure.sums.size(); ++k)
      values[k] = structure.sums[k] / divisor;
    values += structure.sums.size();
    if (n_members)
      *errors++ = rank == 0
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

void *TargetValues::of_atoms(const std::string &name, int &n_columns) {
  for (OfAtoms &own : atoms_)
    if (own.name == name) {
      n_columns = own.n_columns > 1 ? own.n_columns : 0;
      return own.n_columns > 1 ? static_cast<void *>(own.rows.data()) : own.values.data();
    }
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
      if (target.rank) return "the model has no errors of vectors and tensors";
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
  std::size_t n = buffer_.capacity() + tensors_.capacity() + members_.capacity() +
                  variance_.capacity() + rigidity_.capacity();
  for (const OfAtoms &own : atoms_) n += own.values.capacity() + own.rows.capacity();
  return sizeof(double) * double(n);
}

}  // namespace LAMMPS_NS
