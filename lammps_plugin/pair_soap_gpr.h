/* -*- c++ -*- */
// SPDX-License-Identifier: GPL-2.0-only
// pair_style soap/gpr: gathers LAMMPS' neighbours, lets the core evaluate them, scatters and
// tallies what comes back. All of the physics is in potential/core.

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
    std::vector<int> center;   // LAMMPS index of each centre
    std::vector<int> species;  // species index of each centre
    std::vector<std::size_t> offset;
    std::vector<int> neighbor;  // LAMMPS index of each neighbour, ghosts included
    std::vector<int> neighbor_species;
    std::vector<std::array<double, 3>> r_ij;
    std::vector<double> energy;
    std::vector<std::array<double, 3>> f_ij;
    std::vector<Neighbor> found;               // neighbours of one centre, to be sorted
    std::vector<soap_gpr::Transfer> transfer;  // empty unless the model shares energies
  };

  void allocate();
  void check_scale();

  void gather(int begin, int end);
  void sort_neighbors(std::size_t first);
  void scatter();
  [[noreturn]] void fail(const std::string &what);
  void tally_pair(int j, const double *r, const double *f);
  void hand_on(int i, int j, const soap_gpr::Transfer &transfer, double unit);

  MappedModel mapped_;
  Presence presence_;
  std::unique_ptr<soap_gpr::Evaluator> evaluator_;
  int n_threads_ = 0;         // of evaluator_
  double energy_unit_ = 1.0;  // LAMMPS energy units per eV
  double **scale_ = nullptr;  // [type][type]; the diagonal scales a centre's energy
  Block block_;
};

}  // namespace LAMMPS_NS

#endif
