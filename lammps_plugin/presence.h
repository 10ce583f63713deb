// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "atom.h"
#include "pointers.h"

namespace LAMMPS_NS {

class NeighList;

/// Which atoms exist for the model: not those of types mapped to NULL, nor those that neigh_modify
/// excludes against all others. Warns of settings that take away some of an atom's neighbours only.
class Presence : protected Pointers {
 public:
  explicit Presence(LAMMPS *lmp) : Pointers(lmp) {}

  /// Settings may have changed: for init_style. species_of_type: [ntypes + 1], -1 for NULL.
  void set_up(std::vector<int> species_of_type);
  /// To be called by all ranks before each evaluation: looks again when LAMMPS has built its lists.
  void update(const NeighList &list);
  /// Species index of atom i, owned or ghost; -1 when it does not exist for the model.
  int species(int i) const {
    return absent_.empty() || !absent_[i] ? species_of_type_[atom->type[i]] : -1;
  }
  double memory_usage() const { return absent_.capacity(); }

 private:
  bool excluded_type(int type) const;
  void find_absent();
  std::string partial_exclusions(int groups) const;
  void warn_of_removed_neighbors(const NeighList &list);
  bool hides_special_neighbors(const NeighList &list) const;
  void warn_once(const std::string &text);

  std::vector<int> species_of_type_;
  std::vector<char> absent_;  // [owned + ghost atoms]; empty when nobody is
  bool looked_ = false;       // since set_up
  std::set<std::string> warned_;
};

}  // namespace LAMMPS_NS
