// SPDX-License-Identifier: GPL-2.0-only
#include "mapped_model.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "atom.h"
#include "comm.h"
#include "elements.h"
#include "error.h"
#include "force.h"
#include "utils.h"

namespace LAMMPS_NS {

namespace {

// Bytes in one broadcast: MPI counts are int.
constexpr std::size_t BROADCAST_BYTES = std::size_t(1) << 30;

std::string short_number(double x) {
  char text[32];
  snprintf(text, sizeof(text), "%g", x);
  return text;
}

void broadcast(LAMMPS *lmp, std::string &text) {
  bigint size = text.size();
  MPI_Bcast(&size, 1, MPI_LMP_BIGINT, 0, lmp->world);
  text.resize(size);
  for (std::size_t at = 0; at < text.size(); at += BROADCAST_BYTES)
    MPI_Bcast(&text[at], static_cast<int>(std::min(BROADCAST_BYTES, text.size() - at)), MPI_BYTE, 0,
              lmp->world);
}

// The bytes of the model file, on every rank: rank 0 reads, the others receive.
std::string read_model_file(LAMMPS *lmp, const std::string &path) {
  std::string bytes;
  std::string problem;
  if (lmp->comm->me == 0) {
    const std::string found = utils::get_potential_file_path(path);
    FILE *file = found.empty() ? nullptr : fopen(found.c_str(), "rb");
    if (!file) {
      const char *folder = getenv("LAMMPS_POTENTIALS");
      problem =
          "no such readable file here" + (folder ? " or in LAMMPS_POTENTIALS=" + std::string(folder)
                                                 : std::string(" (LAMMPS_POTENTIALS is not set)"));
    } else {
      std::vector<char> buffer(std::size_t(1) << 20);
      std::size_t n;
      while ((n = fread(buffer.data(), 1, buffer.size(), file)) > 0) bytes.append(buffer.data(), n);
      if (ferror(file)) problem = strerror(errno);
      fclose(file);
    }
  }
  broadcast(lmp, problem);
  if (!problem.empty())
    lmp->error->all(FLERR,
                    "pair_style soap/gpr cannot read the model file '" + path + "': " + problem);
  broadcast(lmp, bytes);
  return bytes;
}

std::vector<int> map_types(LAMMPS *lmp, const MappedModel &mapped,
                           const std::vector<std::string> &names) {
  Error *const error = lmp->error;
  const int n = lmp->atom->ntypes;
  if (static_cast<int>(names.size()) != n)
    error->all(FLERR, "pair_coeff of pair_style soap/gpr names " + std::to_string(names.size()) +
                          " elements for " + std::to_string(n) +
                          " atom types: give one element symbol (or NULL) per type");
  const Force *const force = lmp->force;
  const bool hybrid = force->pair_style && utils::strmatch(force->pair_style, "^hybrid");
  std::vector<int> species(n + 1, -1);
  for (int type = 1; type <= n; ++type) {
    const std::string &name = names[type - 1];
    const std::string start =
        "pair_coeff of pair_style soap/gpr maps atom type " + std::to_string(type) + " to ";
    if (name == "NULL") {
      if (!hybrid)
        error->all(FLERR, start + "NULL, which only makes sense under pair_style hybrid");
      continue;
    }
    const int z = elements::species_number(name);
    species[type] = mapped.model->species_index(z);
    if (species[type] < 0 && !elements::is_element(z))
      error->all(FLERR, start + "'" + name + "', which is not an element symbol" + "; the model '" +
                            mapped.path +
                            "' knows: " + elements::list_names(mapped.model->species()));
    if (species[type] < 0)
      error->all(FLERR, start + name + ", but the model '" + mapped.path +
                            "' only knows: " + elements::list_names(mapped.model->species()));
  }
  if (*std::max_element(species.begin(), species.end()) < 0)
    error->all(FLERR, "pair_coeff of pair_style soap/gpr maps every atom type to NULL");
  return species;
}

}  // namespace

MappedModel read_mapped_model(LAMMPS *lmp, const std::string &path,
                              const std::vector<std::string> &names) {
  MappedModel mapped{path, nullptr, {}};
  const std::string bytes = read_model_file(lmp, path);
  try {
    mapped.model =
        std::make_unique<soap_gpr::Model>(soap_gpr::Model::from_bytes(bytes.data(), bytes.size()));
  } catch (const soap_gpr::Error &e) {
    lmp->error->all(FLERR,
                    "pair_style soap/gpr cannot use the model file '" + path + "': " + e.what());
  }
  mapped.species_of_type = map_types(lmp, mapped, names);
  return mapped;
}

void log_model(LAMMPS *lmp, const MappedModel &mapped) {
  if (lmp->comm->me != 0) return;
  const std::vector<int> &species = mapped.model->species();
  std::string types;
  for (int type = 1; type <= lmp->atom->ntypes; ++type) {
    const int a = mapped.species_of_type[type];
    types += (type > 1 ? ", " : "") + std::to_string(type) + " = " +
             (a < 0 ? "NULL" : elements::name_of(species[a]));
  }
  utils::logmesg(lmp, "soap/gpr: model " + mapped.path + " (" + elements::list_names(species) +
                          "), cutoff " + short_number(mapped.model->cutoff()) +
                          " Angstrom; atom types: " + types + "\n");
  std::string of_atoms, of_structures, of_kernels;
  for (const soap_gpr::Target &target : mapped.model->targets()) {
    const bool many = target.rank > 0;
    const std::string name =
        " " + target.name + (many ? "[" + std::to_string(target.n_components) + "]" : "");
    (target.of_kernel ? of_kernels : target.per_atom ? of_atoms : of_structures) += name;
    if (many && !target.per_atom) of_atoms += name;  // its parts
  }
  if (!of_atoms.empty())
    utils::logmesg(lmp, "soap/gpr: targets of atoms for fix pair:" + of_atoms + "\n");
  if (!of_structures.empty())
    utils::logmesg(lmp,
                   "soap/gpr: targets of the structure for compute pair:" + of_structures + "\n");
  if (!of_kernels.empty())
    lmp->error->warning(FLERR,
                        "soap/gpr: LAMMPS does not compute these targets of the model, "
                        "which are kernels between whole structures:" +
                            of_kernels);
}

void log_uncertainty(LAMMPS *lmp, const MappedModel &mapped, const std::string &measures) {
  std::string of_structures;
  if (mapped.model->has_potential() && mapped.model->uncertainty().n_members)
    of_structures = " energy largest_force";
  for (const soap_gpr::Target &target : mapped.model->targets()) {
    if (!target.per_atom && !target.of_kernel && !target.rank &&
        !mapped.model->uncertainty().target_scales.empty())
      of_structures += " " + target.name;
    if ((measures + " ").find(" " + target.name + " ") != std::string::npos)
      lmp->error->all(FLERR, "pair_coeff of pair_style soap/gpr: the model '" + mapped.path +
                                 "' has a target of the name " + target.name +
                                 ", which is that of an uncertainty: fit it under another");
  }
  if (lmp->comm->me != 0) return;
  if (!measures.empty())
    utils::logmesg(lmp, "soap/gpr: uncertainties of atoms for fix pair:" + measures + "\n");
  if (!of_structures.empty())
    utils::logmesg(
        lmp, "soap/gpr: uncertainties of the structure for compute pair:" + of_structures + "\n");
}

bool serves_targets(const MappedModel &mapped) {
  const auto &targets = mapped.model->targets();
  return std::any_of(targets.begin(), targets.end(),
                     [](const soap_gpr::Target &target) { return !target.of_kernel; });
}

// Masses grow with the atomic number, but for a few neighbours in the periodic table, by up to 2 %.
void warn_if_masses_are_in_another_order(LAMMPS *lmp, const MappedModel &mapped) {
  const Atom *const atom = lmp->atom;
  if (!atom->mass || lmp->comm->me != 0) return;
  const std::vector<int> &z = mapped.model->species();
  const std::vector<int> &species = mapped.species_of_type;
  const auto text = [&](int type) {
    return "type " + std::to_string(type) + " (mass " + short_number(atom->mass[type]) + ") to " +
           elements::name_of(z[species[type]]);
  };
  for (int i = 1; i <= atom->ntypes; ++i)
    for (int j = 1; j <= atom->ntypes; ++j) {
      const int a = species[i], b = species[j];
      if (a < 0 || b < 0 || !atom->mass_setflag[i] || !atom->mass_setflag[j]) continue;
      if (!elements::is_element(z[a]) || !elements::is_element(z[b])) continue;
      if (z[a] >= z[b] || atom->mass[i] <= 1.1 * atom->mass[j]) continue;
      lmp->error->warning(FLERR, "pair_coeff of pair_style soap/gpr maps atom " + text(i) +
                                     " and " + text(j) +
                                     ": are the elements in the order of the types?");
      return;
    }
}

}  // namespace LAMMPS_NS
