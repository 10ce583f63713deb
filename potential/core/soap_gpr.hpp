// SPDX-License-Identifier: BSD-3-Clause
// The one header for consumers of the core: load a model, evaluate blocks of environments.
//
// Conventions (docs/theory.md): eV and Å; r_ij = r_j - r_i (+ periodic image);
// f_ij = -∂ε_i/∂r_ij acts on j with + and on i with -; virial W = Σ_ij f_ij ⊗ r_ij = -dE/dε.
// Species are numbers outside, atomic ones up to 118 and those of beads beyond, and indices into
// Model::species() inside.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace soap_gpr {

/// Any failure the caller can explain to a user: one sentence, no trailing newline.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The number of a bead, a species of a coarse-grained model, by its name; 0 for what is no name.
int bead_number(const std::string &name);
/// Its name; empty for what is no bead.
std::string bead_name(int species);

/// Environments: centre i has the neighbours [offset[i], offset[i+1]), periodic images included,
/// itself excluded. Pairs beyond a term's cutoff are skipped, so lists may carry a skin. Neighbours
/// come in any order, but in that of eq. (22f) for a model with ordered_neighbors().
struct Environments {
  std::size_t n_atoms = 0;
  const int *species = nullptr;           ///< [n_atoms] species index of the centre
  const std::size_t *offset = nullptr;    ///< [n_atoms + 1]
  const int *neighbor_species = nullptr;  ///< [n_pairs] species index of the neighbour
  const double (*r_ij)[3] = nullptr;      ///< [n_pairs] Å

  // Which atoms these are: asked for by training and scatter.hpp, not by evaluation.
  const std::size_t *neighbor = nullptr;  ///< [n_pairs] atom that the neighbour is an image of
  const std::size_t *center = nullptr;    ///< [n_atoms] atom of a centre; null: centre i is atom i
};

/// What the centre of a pair hands on to its neighbour where clusters share their energy among
/// their atoms, docs/theory.md eq. (22e).
struct Transfer {
  double energy;     ///< eV
  double virial[9];  ///< eV, f ⊗ r, row-major
};

/// A property beside the energy, docs/theory.md eq. (23).
struct Target {
  std::string name, unit;
  bool per_atom = true;         ///< a value of each atom, or one of the structure
  bool extensive = true;        ///< the structure's is the sum over its atoms, or else their mean
  bool of_kernel = false;       ///< a kernel between whole structures, eq. (23k): nan here
  std::vector<double> mean;     ///< [species] unit; nan for species whose atoms have no value
  std::vector<double> weights;  ///< [species] of atoms in the sum or mean, eq. (23g); empty: 1
  std::string weight_column;    ///< or the numbers of atoms that say so; empty: none
  int rank = 0;                 ///< 1 of a vector, 2 or 3 of a tensor, eq. (26); 0 of a scalar
  int n_components = 1;         ///< 3^rank Cartesian ones, row-major
  std::size_t row = 0;          ///< of a vector or tensor: of its first in Outputs::tensors

  double weight(int species) const { return weights.empty() ? 1 : weights[species]; }
};

/// What a model says of its own errors, docs/theory.md eq. (25). Scales multiply standard
/// deviations and make them errors that were seen on data not fitted.
struct Uncertainty {
  std::size_t n_members = 0;                      ///< of the committee; 0: there is none
  double energy_scale = 1;                        ///< of the committee, for energies
  double force_scale = 1;                         ///< and for components of forces
  bool has_variance = false;                      ///< whether there are variances and rigidities
  double variance_scale = 1, rigidity_scale = 1;  ///< for energies
  std::vector<double> edges;  ///< [species] eV, largest deviation of environments in training
  /// [n_targets][species] of the committee's targets; empty: they have none. Of a kernel between
  /// structures, whose members are not evaluated here, there may be no numbers.
  std::vector<std::vector<double>> target_scales;
  /// The same of variances and rigidities, and [n_targets][species] the largest deviations of
  /// environments in training, in units of the targets; empty: they have none. Those of values of
  /// structures, which take all their atoms together, are not for this library.
  std::vector<std::vector<double>> target_variance_scales, target_rigidity_scales, target_edges;
};

/// Where the time of evaluations went, seconds added up over threads, blocks and terms.
struct Profile {
  double gather = 0;             ///< neighbours within the cutoff, their distances and directions
  double expansion = 0;          ///< splines, spherical harmonics, density coefficients
  double power_spectrum = 0;     ///< and its normalisation
  double tensors = 0;            ///< vectors and tensors, and their gradients
  double kernel = 0;             ///< energies and ∂ε/∂p
  double clusters = 0;           ///< pair and triplet terms, all stages
  double power_adjoint = 0;      ///< ∂ε/∂c
  double expansion_adjoint = 0;  ///< ∂ε/∂r_ij
  double scatter = 0;            ///< pair forces to atoms: for the caller to fill, who does it
};

/// What an evaluation is asked for: null is not computed.
struct Outputs {
  double *energies = nullptr;   ///< [n_atoms] ε_i + e0, eV
  double (*f_ij)[3] = nullptr;  ///< [n_pairs] -∂ε_i/∂r_ij, eV/Å
  Transfer *transfers =
      nullptr;                 ///< [n_pairs] for energies and virials of atoms; virials: with f_ij
  Profile *profile = nullptr;  ///< times are added to it
  int term = -1;  ///< the only term that counts, without e0 and means; -1: all of them, and these
  /// [n_targets][n_atoms] τ_i of eq. (23), in units of the targets; of vectors and tensors nan.
  double *targets = nullptr;
  /// [n_tensor_rows][n_atoms] of eq. (26d); nan for atoms that have none.
  double *tensors = nullptr;
  /// [n_components][n_pairs] ∂T_i/∂r_ij of one vector or tensor, eq. (26f), in its unit per Å.
  double (*tensor_gradients)[3] = nullptr;
  std::size_t gradients_of = 0;  ///< its place among the targets

  // Of models that have them, else an Error; none of them is multiplied by a scale.
  double *members = nullptr;           ///< [n_members][n_atoms] δε_c,i of eq. (25c), eV
  double (*member_f_ij)[3] = nullptr;  ///< [n_members][n_pairs] -∂δε_c,i/∂r_ij, eV/Å
  double *variance = nullptr;          ///< [n_atoms] σ²_i of eq. (25h), eV²
  double *rigidity = nullptr;          ///< [n_atoms] of eq. (25k), 1/eV²
  /// [n_targets][n_members][n_atoms] δτ_c,i of eq. (25n), in units of the targets.
  double *target_members = nullptr;
  /// [n_targets][n_atoms] of eq. (25p), in units² of the targets and 1/units²; nan for atoms and
  /// targets that have none.
  double *target_variance = nullptr, *target_rigidity = nullptr;
};

struct ModelData;
class CpuLayout;

/// An immutable model: may be shared by any number of threads.
class Model {
 public:
  /// Reads the bytes of a *.sgpr file. Throws Error when anything about them is wrong.
  static Model from_bytes(const char *bytes, std::size_t size);
  static Model from_file(const std::string &path);

  double cutoff() const;                       ///< largest cutoff of all terms, Å
  const std::vector<int> &species() const;     ///< numbers of species, ascending
  int species_index(int species) const;        ///< -1 when the model does not know it
  const std::vector<Target> &targets() const;  ///< properties beside the energy
  std::size_t n_tensor_rows() const;           ///< components of all vectors and tensors
  const Uncertainty &uncertainty() const;      ///< committee and variance, if there are any
  bool has_potential() const;                  ///< whether energies are more than zeros
  bool shares_energy() const;                  ///< whether it has terms of eq. (22e)
  bool ordered_neighbors() const;              ///< whether it has terms of eq. (22f)

  // For evaluators, and for training.
  const ModelData &data() const;  ///< as in the file
  const CpuLayout &cpu() const;   ///< as the CPU runs it

 private:
  struct Contents;
  std::shared_ptr<const Contents> contents_;
};

/// Evaluates a model; owns one workspace per thread. One Evaluator serves one caller at a time.
/// A process made by fork evaluates with one thread if its parent had started more.
class Evaluator {
 public:
  explicit Evaluator(Model model, int n_threads = 1);  ///< Throws Error for n_threads < 1
  ~Evaluator();
  Evaluator(Evaluator &&) noexcept;

  /// Throws Error when a distance or a result is not finite.
  void evaluate(const Environments &environments, const Outputs &outputs);

  const Model &model() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace soap_gpr
