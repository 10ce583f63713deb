/* -*- c++ -*- */
// SPDX-License-Identifier: GPL-2.0-only
// pair_style soap/gpr: gathers LAMMPS' neighbours, lets the core evaluate them and tallies
// what comes back. All of the physics is in potential/core.

#ifndef LMP_PAIR_SOAP_GPR_H
#define LMP_PAIR_SOAP_GPR_H

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "mapped_model.h"
#include "pair.h"
#include "presence.h"
#include "soap_gpr.hpp"
#include "target_values.h"
#include "uncertainty_values.h"

namespace LAMMPS_NS {

class PairSoapGpr : public Pair {
 public:
  explicit PairSoapGpr(class LAMMPS *lmp);
  ~PairSoapGpr() override;
  PairSoapGpr(const PairSoapGpr &) = delete;
  PairSoapGpr &operator=(const PairSoapGpr &) = delete;

  void compute(int eflag, int vflag) override;
  void settings(int narg, char **arg) override;
  void coeff(int narg, char **arg) override;
  void init_style() override;
  double init_one(int i, int j) override;
  void *extract(const char *name, int &dim) override;
  void *extract_peratom(const char *name, int &n_columns) override;
  // Forces of members on ghosts, on their way home.
  int pack_reverse_comm(int n, int first, double *buffer) override {
    return uncertainty_.pack_forces(n, first, buffer);
  }
  void unpack_reverse_comm(int n, int *list, double *buffer) override {
    uncertainty_.add_forces(n, list, buffer);
  }
  double memory_usage() override;

 private:
  /// One neighbour as it is sorted.
  struct Neighbor {
    tagint tag;
    double lambda[3];  // r_ij in cell vectors
    int index, species;
    std::array<double, 3> r_ij;

    bool operator<(const Neighbor &other) const;
  };

  /// Environments of the centres [begin, end) of the neighbour list, and what the core made of
  /// them.
  struct Block {
    std::vector<std::size_t> center;  // LAMMPS index of each centre
    std::vector<int> species;         // species index of each centre
    std::vector<std::size_t> offset;
    std::vector<std::size_t> neighbor;  // LAMMPS index of each neighbour, ghosts included
    std::vector<int> neighbor_species;
    std::vector<std::array<double, 3>> r_ij;
    std::vector<double> energy;
    std::vector<std::array<double, 3>> f_ij;
    std::vector<Neighbor> found;               // neighbours of one centre, to be sorted
    std::vector<soap_gpr::Transfer> transfer;  // empty unless the model shares energies

    soap_gpr::Environments environments() const;
    soap_gpr::Outputs outputs();
  };

  /// Sink of soap_gpr::scatter: LAMMPS' arrays.
  struct Tally {
    PairSoapGpr *pair;

    double scale(std::size_t i) const;
    bool wants_virials() const { return pair->vflag_either; }
    void add_energy(std::size_t i, double energy);
    void add_force(std::size_t i, const double *f);
    void add_virial(std::size_t i, const double *W);
    void add_transfer(std::size_t i, double energy, const double *W);
    void add_atom_virial(std::size_t i, const double *W);
  };

  void allocate();
  void require_use_for(const MappedModel &mapped);
  void require_served(const char *name);  // of what fix pair asks for
  bool globals_wanted() const;            // by a compute pair at this step
  void check_scale();

  void gather(int begin, int end);
  void sort_neighbors(std::size_t first);
  [[noreturn]] void fail(const std::string &what);

  MappedModel mapped_;
  Presence presence_;
  std::unique_ptr<soap_gpr::Evaluator> evaluator_;
  int n_threads_ = 0;         // of evaluator_
  double energy_unit_ = 1.0;  // LAMMPS energy units per eV
  double **scale_ = nullptr;  // [type][type]; the diagonal scales a centre's energy
  Block block_;
  TargetValues targets_;
  UncertaintyValues uncertainty_;
  std::vector<double> scale_of_center_;  // of a block, energy units per eV
  // pvector, for compute pair: targets, uncertainties of the potential, those of the targets.
  std::vector<double> global_parts_;
};

}  // namespace LAMMPS_NS

#endif
