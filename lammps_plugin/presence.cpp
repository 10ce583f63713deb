// SPDX-License-Identifier: GPL-2.0-only
// An atom without neighbours may be alone, which has an energy, or excluded (a trial deletion of
// fix gcmc), which has none. The settings of LAMMPS tell which, the neighbour list cannot.

#include "presence.h"

#include "comm.h"
#include "error.h"
#include "group.h"
#include "neigh_list.h"
#include "neighbor.h"

namespace LAMMPS_NS {

namespace {

constexpr int GROUP_ALL = 0;

// comm_modify group, 0 if unset; LAMMPS has no public way to ask.
struct BorderGroup : Comm {
  static int of(const Comm &comm) { return comm.*&BorderGroup::bordergroup; }
};

}  // namespace

void Presence::set_up(std::vector<int> species_of_type) {
  species_of_type_ = std::move(species_of_type);
  looked_ = false;
}

// Between two builds of the lists masks may change, but not the lists.
void Presence::update(const NeighList &list) {
  if (looked_ && neighbor->ago > 0) return;
  find_absent();
  warn_of_removed_neighbors(list);
  if (!looked_ && hides_special_neighbors(list))
    warn_once(
        "pair_style soap/gpr does not see bonded pairs because special_bonds removes them: write "
        "'special_bonds lj/coul 1 1 1'");
  looked_ = true;
}

// Whether neigh_modify excludes the type against all types.
bool Presence::excluded_type(int type) const {
  if (!neighbor->nex_type) return false;
  for (int other = 1; other <= atom->ntypes; ++other)
    if (!neighbor->ex_type[type][other]) return false;
  return true;
}

void Presence::find_absent() {
  absent_.clear();
  if (!neighbor->exclude) return;
  int groups = 0;  // bits of those excluded against group all
  for (int m = 0; m < neighbor->nex_group; ++m) {
    if (neighbor->ex2_group[m] == GROUP_ALL) groups |= neighbor->ex1_bit[m];
    if (neighbor->ex1_group[m] == GROUP_ALL) groups |= neighbor->ex2_bit[m];
  }
  std::vector<char> types(atom->ntypes + 1);
  for (int type = 1; type <= atom->ntypes; ++type) types[type] = excluded_type(type);
  absent_.resize(atom->nlocal + atom->nghost);
  for (std::size_t i = 0; i < absent_.size(); ++i)
    absent_[i] = (atom->mask[i] & groups) || types[atom->type[i]];
}

// The exclusions between atoms that exist for the model. groups: bits of the groups they are in.
std::string Presence::partial_exclusions(int groups) const {
  std::string text;
  const auto add = [&](const std::string &what) {
    text += (text.empty() ? "'neigh_modify exclude " : ", 'neigh_modify exclude ") + what + "'";
  };
  const auto exists = [&](int type) { return species_of_type_[type] >= 0 && !excluded_type(type); };
  const auto name = [&](int number) { return std::string(group->names[number]); };
  for (int m = 0; m < neighbor->nex_type; ++m) {
    const int a = neighbor->ex1_type[m], b = neighbor->ex2_type[m];
    if (exists(a) && exists(b)) add("type " + std::to_string(a) + " " + std::to_string(b));
  }
  for (int m = 0; m < neighbor->nex_group; ++m)
    if ((groups & neighbor->ex1_bit[m]) && (groups & neighbor->ex2_bit[m]))
      add("group " + name(neighbor->ex1_group[m]) + " " + name(neighbor->ex2_group[m]));
  for (int m = 0; m < neighbor->nex_mol; ++m)
    if (groups & neighbor->ex_mol_bit[m])
      add((neighbor->ex_mol_intra[m] ? "molecule/intra " : "molecule/inter ") +
          name(neighbor->ex_mol_group[m]));
  return text;
}

void Presence::warn_of_removed_neighbors(const NeighList &list) {
  const int border = BorderGroup::of(*comm);
  if (!neighbor->exclude && !border) return;
  int bits[2] = {0, 0};  // groups that have such an atom, groups that lack one
  for (int k = 0; k < list.inum; ++k) {
    const int i = list.ilist[k];
    if (species(i) < 0) continue;
    bits[0] |= atom->mask[i];
    bits[1] |= ~atom->mask[i];
  }
  MPI_Allreduce(MPI_IN_PLACE, bits, 2, MPI_INT, MPI_BOR, world);
  const std::string exclusions = partial_exclusions(bits[0]);
  if (!exclusions.empty())
    warn_once("pair_style soap/gpr does not see all neighbours of an atom because of " +
              exclusions +
              ": energies and forces are those of other environments. Exclude atoms against all "
              "('group ... all') or not at all");
  if (border && (bits[1] & group->bitmask[border]))
    warn_once(
        "pair_style soap/gpr does not see all neighbours of an atom because of 'comm_modify "
        "group " +
        std::string(group->names[border]) + "': leave it out");
}

// Whether the list lacks bonded pairs, 1-3 or 1-4 neighbours of atoms that exist for the model.
bool Presence::hides_special_neighbors(const NeighList &list) const {
  if (atom->molecular == Atom::ATOMIC) return false;
  int found = 0;
  for (int k = 0; k < list.inum && !found; ++k) {
    const int i = list.ilist[k];
    if (species(i) < 0) continue;
    if (atom->molecular == Atom::TEMPLATE) {
      for (int order = 1; order <= 3; ++order)
        if (neighbor->special_flag[order] == 0 && atom->nbonds > 0) found = 1;
      continue;
    }
    for (int order = 1, s = 0; order <= 3; ++order)
      for (; s < atom->nspecial[i][order - 1]; ++s) {
        const int j = atom->map(atom->special[i][s]);
        if (neighbor->special_flag[order] == 0 && j >= 0 && species(j) >= 0) found = 1;
      }
  }
  MPI_Allreduce(MPI_IN_PLACE, &found, 1, MPI_INT, MPI_MAX, world);
  return found;
}

void Presence::warn_once(const std::string &text) {
  if (warned_.insert(text).second && comm->me == 0) error->warning(FLERR, text);
}

}  // namespace LAMMPS_NS
