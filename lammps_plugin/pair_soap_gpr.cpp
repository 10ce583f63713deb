// SPDX-License-Identifier: GPL-2.0-only

#include "pair_soap_gpr.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <thread>

#include "atom.h"
#include "comm.h"
#include "compute.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "modify.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "scatter.hpp"
#include "update.h"
#include "utils.h"

using namespace LAMMPS_NS;

namespace {

// Centres given to the core at once by each thread: enough for its blocks, and it bounds memory.
constexpr int CENTERS_PER_THREAD = 1024;

// Places in f_x r_y, row-major, of LAMMPS' xx yy zz xy xz yz yx zx zy; its "xy" is r_x f_y.
constexpr int CENTROID_ORDER[9] = {0, 4, 8, 3, 6, 7, 1, 2, 5};

// xx yy zz xy xz yz of f_x r_y, row-major.
struct Symmetric {
  double w[6];
  explicit Symmetric(const double *W)
      : w{W[0], W[4], W[8], 0.5 * (W[1] + W[3]), 0.5 * (W[2] + W[6]), 0.5 * (W[5] + W[7])} {}
  double operator[](int k) const { return w[k]; }
};

}  // namespace

PairSoapGpr::PairSoapGpr(LAMMPS *lmp) : Pair(lmp), presence_(lmp) {
  single_enable = 0;
  restartinfo = 0;
  respa_enable = 0;
  one_coeff = 1;
  manybody_flag = 1;
  centroidstressflag = CENTROID_AVAIL;
  unit_convert_flag = utils::get_supported_conversions(utils::ENERGY);
  // The virial is summed pair by pair: global, per-atom and centroid come from the same numbers.
  no_virial_fdotr_compute = 1;
}

PairSoapGpr::~PairSoapGpr() {
  pvector = nullptr;  // global_parts_ owns it
  if (copymode || !allocated) return;
  memory->destroy(setflag);
  memory->destroy(cutsq);
  memory->destroy(scale_);
}

void PairSoapGpr::compute(int eflag, int vflag) {
  ev_init(eflag, vflag);
  if (!evaluator_)
    error->all(FLERR,
               "pair_coeff of pair_style soap/gpr was given after the set-up of the run: "
               "leave out 'pre no'");
  check_scale();
  presence_.update(*list);
  const bool with_globals = eflag_global && globals_wanted();
  const bool with_targets = targets_.begin(atom->nlocal, eflag_global, with_globals);
  uncertainty_.begin(atom->nlocal, atom->nlocal + atom->nghost, with_globals);
  const int block_size = CENTERS_PER_THREAD * n_threads_;
  for (int begin = 0; begin < list->inum; begin += block_size) {
    gather(begin, std::min(begin + block_size, list->inum));
    const soap_gpr::Environments environments = block_.environments();
    soap_gpr::Outputs outputs = block_.outputs();
    if (with_targets) targets_.ask(environments.n_atoms, outputs);
    if (!mapped_.model->has_potential()) outputs.f_ij = nullptr;
    const bool with_uncertainty = uncertainty_.ask(environments, outputs);
    try {
      evaluator_->evaluate(environments, outputs);
    } catch (const soap_gpr::Error &e) {
      fail(e.what());
    }
    soap_gpr::scatter(environments, outputs, Tally{this});
    if (with_targets) targets_.add(block_.center, environments.species);
    if (!with_uncertainty) continue;
    scale_of_center_.clear();
    for (std::size_t i : block_.center) scale_of_center_.push_back(Tally{this}.scale(i));
    uncertainty_.add(environments, scale_of_center_);
  }
  double *const values = global_parts_.data();
  double *const errors = values + targets_.n_of_structures();
  if (with_targets) targets_.finish(world, values, errors + uncertainty_.n_of_structures());
  if (uncertainty_.has_ghost_forces()) comm->reverse_comm(this, uncertainty_.comm_reverse());
  uncertainty_.finish(world, errors);
}

// LAMMPS tallies energies for others too, and members are dear.
bool PairSoapGpr::globals_wanted() const {
  for (Compute *own : modify->get_compute_by_style("^pair$"))
    if (own->matchstep(update->ntimestep)) return true;
  return false;
}

soap_gpr::Environments PairSoapGpr::Block::environments() const {
  soap_gpr::Environments environments;
  environments.n_atoms = center.size();
  environments.center = center.data();
  environments.species = species.data();
  environments.offset = offset.data();
  environments.neighbor = neighbor.data();
  environments.neighbor_species = neighbor_species.data();
  environments.r_ij = reinterpret_cast<const double(*)[3]>(r_ij.data());
  return environments;
}

soap_gpr::Outputs PairSoapGpr::Block::outputs() {
  soap_gpr::Outputs outputs;
  outputs.energies = energy.data();
  outputs.f_ij = reinterpret_cast<double(*)[3]>(f_ij.data());
  if (!transfer.empty()) outputs.transfers = transfer.data();
  return outputs;
}

// Ends all ranks. MPI may drop the last words of a rank that aborts, so that with several ranks the
// message goes out once more before, with time to travel.
void PairSoapGpr::fail(const std::string &what) {
  const std::string message =
      "pair_style soap/gpr at step " + std::to_string(update->ntimestep) + ": " + what;
  if (comm->nprocs > 1) {
    std::fprintf(stderr, "ERROR: %s\n", message.c_str());
    std::fflush(stderr);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  error->one(FLERR, message);
}

// Fills block_ with the centres [begin, end) of the neighbour list and their neighbours within the
// cutoff; atoms that do not exist for the model are neither.
void PairSoapGpr::gather(int begin, int end) {
  const double *const *const x = atom->x;
  const double cutoff_sq = mapped_.model->cutoff() * mapped_.model->cutoff();
  const bool ordered = mapped_.model->ordered_neighbors();
  Block &b = block_;
  b.center.clear();
  b.species.clear();
  b.offset.assign(1, 0);
  b.neighbor.clear();
  b.neighbor_species.clear();
  b.r_ij.clear();
  for (int ii = begin; ii < end; ++ii) {
    const int i = list->ilist[ii];
    const int species = presence_.species(i);
    if (species < 0) continue;
    for (int jj = 0; jj < list->numneigh[i]; ++jj) {
      const int j = list->firstneigh[i][jj] & NEIGHMASK;
      const int neighbor_species = presence_.species(j);
      if (neighbor_species < 0) continue;
      const std::array<double, 3> r{x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
      if (r[0] * r[0] + r[1] * r[1] + r[2] * r[2] >= cutoff_sq) continue;
      b.neighbor.push_back(j);
      b.neighbor_species.push_back(neighbor_species);
      b.r_ij.push_back(r);
    }
    if (ordered) sort_neighbors(b.offset.back());
    b.center.push_back(i);
    b.species.push_back(species);
    b.offset.push_back(b.neighbor.size());
  }
  b.energy.resize(b.center.size());
  b.f_ij.resize(b.neighbor.size());
  const bool by_atom = eflag_atom || vflag_atom || cvflag_atom;
  b.transfer.resize(by_atom && mapped_.model->shares_energy() ? b.neighbor.size() : 0);
}

// Images of one atom are whole cell vectors apart.
bool PairSoapGpr::Neighbor::operator<(const Neighbor &other) const {
  if (tag != other.tag) return tag < other.tag;
  for (int k = 0; k < 3; ++k)
    if (std::abs(lambda[k] - other.lambda[k]) > 0.5) return lambda[k] < other.lambda[k];
  return false;
}

// Neighbours of the last centre, from `first` on, in the order of docs/theory.md eq. (22f): by atom
// ID, then by lattice translation. It is the same for any number of ranks.
void PairSoapGpr::sort_neighbors(std::size_t first) {
  Block &b = block_;
  const double *const h = domain->h_inv;  // xx yy zz yz xz xy
  b.found.clear();
  for (std::size_t p = first; p < b.neighbor.size(); ++p) {
    const auto &[x, y, z] = b.r_ij[p];
    b.found.push_back({atom->tag[b.neighbor[p]],
                       {h[0] * x + h[5] * y + h[4] * z, h[1] * y + h[3] * z, h[2] * z},
                       b.neighbor[p],
                       b.neighbor_species[p],
                       b.r_ij[p]});
  }
  std::sort(b.found.begin(), b.found.end());
  for (std::size_t k = 0; k < b.found.size(); ++k) {
    b.neighbor[first + k] = b.found[k].index;
    b.neighbor_species[first + k] = b.found[k].species;
    b.r_ij[first + k] = b.found[k].r_ij;
  }
}

// To LAMMPS' units, and with the scale of the centre's type.
double PairSoapGpr::Tally::scale(std::size_t i) const {
  const int type = pair->atom->type[i];
  return pair->energy_unit_ * pair->scale_[type][type];
}

void PairSoapGpr::Tally::add_energy(std::size_t i, double energy) {
  if (!std::isfinite(energy)) pair->fail("the energy of an atom is not finite");
  if (pair->eflag_global) pair->eng_vdwl += energy;
  if (pair->eflag_atom) pair->eatom[i] += energy;
}

// Forces on ghosts travel home by LAMMPS' reverse communication.
void PairSoapGpr::Tally::add_force(std::size_t i, const double *f) {
  double *const own = pair->atom->f[i];
  for (int k = 0; k < 3; ++k) own[k] += f[k];
}

void PairSoapGpr::Tally::add_virial(std::size_t i, const double *W) {
  if (pair->vflag_global) {
    const Symmetric w(W);
    for (int k = 0; k < 6; ++k) pair->virial[k] += w[k];
  }
  add_atom_virial(i, W);
}

void PairSoapGpr::Tally::add_transfer(std::size_t i, double energy, const double *W) {
  if (pair->eflag_atom) pair->eatom[i] += energy;
  add_atom_virial(i, W);
}

void PairSoapGpr::Tally::add_atom_virial(std::size_t i, const double *W) {
  if (pair->vflag_atom) {
    const Symmetric w(W);
    for (int k = 0; k < 6; ++k) pair->vatom[i][k] += w[k];
  }
  if (pair->cvflag_atom)
    for (int k = 0; k < 9; ++k) pair->cvatom[i][k] += W[CENTROID_ORDER[k]];
}

void PairSoapGpr::settings(int narg, char ** /*arg*/) {
  if (narg != 0)
    error->all(FLERR,
               "pair_style soap/gpr takes no arguments: the model file and the elements go "
               "into 'pair_coeff * * model.sgpr O H'");
}

void PairSoapGpr::allocate() {
  const int n = atom->ntypes + 1;
  memory->create(setflag, n, n, "pair:setflag");
  memory->create(cutsq, n, n, "pair:cutsq");
  memory->create(scale_, n, n, "pair:scale");
  allocated = 1;
}

void PairSoapGpr::coeff(int narg, char **arg) {
  if (narg < 4)  // LAMMPS itself checks the two stars: one_coeff
    error->all(FLERR,
               "pair_coeff of pair_style soap/gpr must read '* * model.sgpr' followed by one "
               "element symbol (or NULL) per atom type");
  // Everything that can be refused comes before the first change.
  MappedModel mapped = read_mapped_model(lmp, arg[2], {arg + 3, arg + narg});
  require_use_for(mapped);
  if (!allocated) allocate();
  mapped_ = std::move(mapped);
  evaluator_.reset();
  targets_.set_up(*mapped_.model);
  uncertainty_.set_up(*mapped_.model);
  comm_reverse = uncertainty_.comm_reverse();
  nextra = static_cast<int>(targets_.n_of_structures() + uncertainty_.n_of_structures() +
                            targets_.n_of_errors());
  global_parts_.assign(nextra + 1, 0.0);
  pvector = global_parts_.data();
  const std::vector<int> &species = mapped_.species_of_type;
  for (int i = 1; i <= atom->ntypes; ++i)
    for (int j = 1; j <= atom->ntypes; ++j) {
      setflag[i][j] = species[i] >= 0 && species[j] >= 0;
      scale_[i][j] = 1.0;
    }
  log_model(lmp, mapped_);
  log_uncertainty(lmp, mapped_, uncertainty_.served() + targets_.served_errors());
}

// Without a potential there are no forces, and atoms that nothing else moves would fly apart.
void PairSoapGpr::require_use_for(const MappedModel &mapped) {
  const bool hybrid = force->pair_style && utils::strmatch(force->pair_style, "^hybrid");
  if (!mapped.model->has_potential() && !hybrid)
    error->all(FLERR, "pair_coeff of pair_style soap/gpr: the model '" + mapped.path +
                          "' has targets and no potential: use it beside one, in pair_style "
                          "hybrid/overlay");
  for (const soap_gpr::Target &target : mapped.model->targets())
    if (!target.of_kernel && !target.weight_column.empty())
      error->all(FLERR, "pair_coeff of pair_style soap/gpr: the model '" + mapped.path +
                            "' weighs atoms in the target " + target.name + " by the column '" +
                            target.weight_column +
                            "', which LAMMPS does not have: fit it with weights by species");
  if (!mapped.model->has_potential() && !serves_targets(mapped))
    error->all(FLERR, "pair_coeff of pair_style soap/gpr: the model '" + mapped.path +
                          "' has kernels between structures alone, which LAMMPS does not compute");
}

void PairSoapGpr::init_style() {
  const std::string units = update->unit_style;
  energy_unit_ = 1.0;
  if (units == "real")
    energy_unit_ = utils::get_conversion_factor(utils::ENERGY, utils::METAL2REAL);
  else if (units != "metal")
    error->all(FLERR, "pair_style soap/gpr works in units metal or real, not in units " + units);
  if (!force->newton_pair)
    error->all(FLERR,
               "pair_style soap/gpr needs newton pair on: write 'newton on' before the "
               "simulation box is made");
  if (mapped_.model->ordered_neighbors() && !atom->tag_enable)
    error->all(FLERR,
               "pair_style soap/gpr needs atom IDs for this model: leave out 'atom_modify id no', "
               "or import it with --clusters corrected");
  warn_if_masses_are_in_another_order(lmp, mapped_);
  presence_.set_up(mapped_.species_of_type);
  const int n_threads = std::max(1, comm->nthreads);
  if (!evaluator_ || n_threads != n_threads_) {
    evaluator_ = std::make_unique<soap_gpr::Evaluator>(*mapped_.model, n_threads);
    n_threads_ = n_threads;
  }
  neighbor->add_request(this, NeighConst::REQ_FULL);
  // LAMMPS' buffers are of this size; pair_style hybrid asked before there was a model.
  force->pair->comm_reverse = std::max(force->pair->comm_reverse, comm_reverse);
}

double PairSoapGpr::init_one(int i, int j) {
  scale_[j][i] = scale_[i][j];
  return mapped_.model->cutoff();
}

// A many-body energy belongs to a centre and not to a pair: an element off the diagonal may only
// be what "* *" or a diagonal one alone make of it.
void PairSoapGpr::check_scale() {
  for (int i = 1; i <= atom->ntypes; ++i)
    for (int j = i + 1; j <= atom->ntypes; ++j) {
      const double s = scale_[i][j];
      if (s == 1.0 || (s == scale_[i][i] && s == scale_[j][j])) continue;
      const std::string a = std::to_string(i), b = std::to_string(j);
      error->all(FLERR, "pair_style soap/gpr cannot scale the pair of atom types " + a + " " + b +
                            ": its energies belong to atoms, so write 'scale * *', or 'scale " + a +
                            " " + a + "' for those of one type");
    }
}

// "scale" is for fix adapt (thermodynamic integration): the diagonal element of a type multiplies
// the energies of its atoms and the forces derived from them.
void *PairSoapGpr::extract(const char *name, int &dim) {
  dim = 2;
  if (strcmp(name, "scale") == 0) return scale_;
  dim = 0;
  if (!utils::strmatch(name, "_flag$")) return nullptr;  // what others ask of any pair style
  require_served(name);
  if (int *of_target = targets_.flag(name)) return of_target;
  return uncertainty_.flag(name);
}

// Targets and uncertainties of atoms by their names, for fix pair.
void *PairSoapGpr::extract_peratom(const char *name, int &n_columns) {
  n_columns = 0;
  require_served(name);
  void *const of_target = targets_.of_atoms(name, n_columns);
  return of_target ? of_target : uncertainty_.of_atoms(name, n_columns);
}

void PairSoapGpr::require_served(const char *name) {
  int n_columns;
  if (targets_.flag(name) || targets_.of_atoms(name, n_columns)) return;
  std::string missing = targets_.missing(name);
  if (missing.empty()) missing = uncertainty_.missing(name);
  if (!missing.empty())
    error->all(FLERR, std::string("pair_style soap/gpr has no ") + name + ": " + missing);
}

double PairSoapGpr::memory_usage() {
  const Block &b = block_;
  double bytes = Pair::memory_usage() + presence_.memory_usage() + targets_.memory_usage() +
                 uncertainty_.memory_usage();
  const std::size_t n_indices = b.center.capacity() + b.offset.capacity() + b.neighbor.capacity();
  bytes += sizeof(int) * (b.species.capacity() + b.neighbor_species.capacity());
  bytes += sizeof(std::size_t) * n_indices;
  bytes += sizeof(double) * (b.energy.capacity() + 3 * (b.r_ij.capacity() + b.f_ij.capacity()));
  bytes += sizeof(soap_gpr::Transfer) * b.transfer.capacity();
  bytes += sizeof(Neighbor) * b.found.capacity();
  return bytes;
}
