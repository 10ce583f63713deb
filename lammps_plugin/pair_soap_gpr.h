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

#include "pair.h"
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
  std::string read_model_file(const std::string &path);
  void map_types(int n_names, char **names, const std::string &path);
  void log_model(const std::string &path);
  void warn_if_bonded_pairs_are_missing();
  void warn_if_masses_are_in_another_order();

  void gather(int begin, int end);
  void sort_neighbors(std::size_t first);
  void scatter();
  [[noreturn]] void fail(const std::string &what);
  void tally_pair(int j, const double *r, const double *f);
  void hand_on(int i, int j, const soap_gpr::Transfer &transfer, double unit);

  std::unique_ptr<soap_gpr::Model> model_;
  std::unique_ptr<soap_gpr::Evaluator> evaluator_;
  int n_threads_ = 0;                 // of evaluator_
  double energy_unit_ = 1.0;          // LAMMPS energy units per eV
  std::vector<int> type_to_species_;  // [ntypes + 1]; -1 for NULL
  double **scale_ = nullptr;          // [type][type]; the diagonal scales a centre's energy
  Block block_;
};

}  // namespace LAMMPS_NS

#endif
