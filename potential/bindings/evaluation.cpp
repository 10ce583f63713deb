// SPDX-License-Identifier: BSD-3-Clause
// Models, environments and their evaluation.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>

#include "arrays.hpp"
#include "environment_part.hpp"
#include "scatter.hpp"
#include "training/training.hpp"

namespace {

/// Pairs in both directions, sorted by the first atom, from a list that has every pair once:
/// offset[n_atoms + 1], neighbor[n_pairs], r_ij[n_pairs][3].
nb::tuple both_directions(Indices first, Indices second, Vectors r_ij, std::size_t n_atoms) {
  const std::size_t n_half = first.size();
  bool fits = second.size() == n_half && r_ij.shape(0) == n_half;
  std::vector<std::size_t> offset(n_atoms + 1, 0), neighbor(2 * n_half);
  std::vector<double> vector(6 * n_half);
  for (std::size_t k = 0; fits && k < n_half; ++k) {
    const std::size_t i = first.data()[k], j = second.data()[k];
    fits = i < n_atoms && j < n_atoms;
    if (!fits) break;
    ++offset[i + 1];
    ++offset[j + 1];
  }
  if (!fits) throw Error("the arrays of a neighbour list are inconsistent");
  for (std::size_t i = 0; i < n_atoms; ++i) offset[i + 1] += offset[i];
  std::vector<std::size_t> next(offset.begin(), offset.end() - 1);
  auto add = [&](std::size_t i, std::size_t j, const double *r, double sign) {
    const std::size_t at = next[i]++;
    neighbor[at] = j;
    for (int x = 0; x < 3; ++x) vector[3 * at + x] = sign * r[x];
  };
  for (std::size_t k = 0; k < n_half; ++k) {
    const std::size_t i = first.data()[k], j = second.data()[k];
    add(i, j, r_ij.data() + 3 * k, 1.0);
    add(j, i, r_ij.data() + 3 * k, -1.0);
  }
  return nb::make_tuple(to_numpy(std::move(offset), {n_atoms + 1}),
                        to_numpy(std::move(neighbor), {2 * n_half}),
                        to_numpy(std::move(vector), {2 * n_half, 3}));
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// What is wanted beside energies.
struct Wanted {
  bool forces = false, targets = false;
  bool members = false, variance = false, target_members = false;  ///< of the uncertainty
  bool target_variance = false;
  int term = -1;
};

/// Energies, and when wanted forces and virials, per atom; empty when not.
struct Result {
  std::vector<double> energy, force, virial, target, members, variance, rigidity, target_members;
  std::vector<double> target_variance, target_rigidity, tensors;

  Result(Evaluator &evaluator, const EnvironmentArrays &arrays, const Wanted &wanted,
         Profile *profile = nullptr)
      : energy(arrays.species.size()),
        force(wanted.forces ? 3 * energy.size() : 0),
        virial(wanted.forces ? 9 * energy.size() : 0),
        target(wanted.targets ? evaluator.model().targets().size() * energy.size() : 0),
        members(wanted.members ? n_members(evaluator) * energy.size() : 0),
        variance(wanted.variance ? energy.size() : 0),
        rigidity(variance.size()),
        target_members(wanted.target_members
                           ? n_members(evaluator) * n_targets(evaluator) * energy.size()
                           : 0),
        target_variance(wanted.target_variance ? n_targets(evaluator) * energy.size() : 0),
        target_rigidity(target_variance.size()),
        tensors(wanted.targets ? evaluator.model().n_tensor_rows() * energy.size() : 0) {
    const bool forces = wanted.forces;
    const Environments environments = arrays.environments(evaluator.model());
    const std::size_t n_pairs = arrays.neighbor.size();
    std::vector<double> energies(energy.size()), f_ij(forces ? 3 * n_pairs : 0);
    std::vector<Transfer> transfers(evaluator.model().shares_energy() ? n_pairs : 0);
    Outputs outputs;
    outputs.energies = energies.data();
    outputs.profile = profile;
    outputs.term = wanted.term;
    if (!target.empty()) outputs.targets = target.data();
    if (!tensors.empty()) outputs.tensors = tensors.data();
    members.reserve(wanted.members);  // not null where there are no members, but an error
    if (wanted.members) outputs.members = members.data();
    target_members.reserve(wanted.target_members);
    if (wanted.target_members) outputs.target_members = target_members.data();
    if (wanted.variance) {
      outputs.variance = variance.data();
      outputs.rigidity = rigidity.data();
    }
    target_variance.reserve(wanted.target_variance);
    if (wanted.target_variance) {
      outputs.target_variance = target_variance.data();
      outputs.target_rigidity = target_rigidity.data();
    }
    if (!f_ij.empty()) outputs.f_ij = reinterpret_cast<double(*)[3]>(f_ij.data());
    if (!transfers.empty()) outputs.transfers = transfers.data();
    evaluator.evaluate(environments, outputs);
    const auto start = std::chrono::steady_clock::now();
    AtomArrays atoms;
    atoms.energies = energy.data();
    if (forces) {
      atoms.forces = reinterpret_cast<double(*)[3]>(force.data());
      atoms.virials = reinterpret_cast<double(*)[9]>(virial.data());
    }
    scatter_to_arrays(environments, outputs, atoms);
    if (profile) profile->scatter += seconds_since(start);
  }

  static std::size_t n_targets(const Evaluator &evaluator) {
    return evaluator.model().targets().size();
  }
  static std::size_t n_members(const Evaluator &evaluator) {
    return evaluator.model().uncertainty().n_members;
  }
};

/// Forces of all members, δF of eq. (25c), and their virials, made symmetric.
class MemberForces {
 public:
  std::vector<double> force, virial;

  /// Of some centres at a time, so that the forces of all members between their pairs take about so
  /// many bytes.
  MemberForces(Evaluator &evaluator, const EnvironmentArrays &arrays, std::size_t bytes)
      : n_members_(Result::n_members(evaluator)),
        n_atoms_(arrays.species.size()),
        virials_(9 * n_atoms_) {
    const std::size_t most = bytes / (3 * sizeof(double) * std::max<std::size_t>(1, n_members_));
    force.resize(3 * n_members_ * n_atoms_);
    virial.resize(9 * n_members_);
    for_parts(arrays.environments(evaluator.model()), most,
              [&](const Environments &part) { add(evaluator, part); });
  }

 private:
  void add(Evaluator &evaluator, const Environments &environments) {
    const std::size_t n_pairs = environments.offset[environments.n_atoms];
    f_ij_.resize(std::max(f_ij_.size(), 3 * n_members_ * n_pairs));
    f_ij_.reserve(1);  // not null where there are no members, but an error
    Outputs outputs;
    outputs.member_f_ij = reinterpret_cast<double(*)[3]>(f_ij_.data());
    evaluator.evaluate(environments, outputs);
    for (std::size_t c = 0; c < n_members_; ++c) {
      Outputs own;
      own.f_ij = outputs.member_f_ij + c * n_pairs;
      std::fill(virials_.begin(), virials_.end(), 0.0);
      AtomArrays atoms;
      atoms.forces = reinterpret_cast<double(*)[3]>(&force[3 * c * n_atoms_]);
      atoms.virials = reinterpret_cast<double(*)[9]>(virials_.data());
      scatter_to_arrays(environments, own, atoms);
      for (std::size_t i = 0; i < virials_.size(); ++i) {
        const std::size_t x = i % 9 / 3, y = i % 3;
        virial[9 * c + 3 * x + y] += 0.5 * virials_[i];
        virial[9 * c + 3 * y + x] += 0.5 * virials_[i];
      }
    }
  }

  std::size_t n_members_, n_atoms_;
  std::vector<double> virials_, f_ij_;
};

nb::tuple member_forces(Evaluator &evaluator, const EnvironmentArrays &arrays, std::size_t bytes) {
  MemberForces found = [&] {
    nb::gil_scoped_release release;
    return MemberForces(evaluator, arrays, bytes);
  }();
  const std::size_t n_members = Result::n_members(evaluator);
  return nb::make_tuple(
      to_numpy(std::move(found.force), {n_members, arrays.species.size(), std::size_t(3)}),
      to_numpy(std::move(found.virial), {n_members, std::size_t(3), std::size_t(3)}));
}

nb::tuple evaluate(Evaluator &evaluator, const EnvironmentArrays &arrays, bool forces, int term,
                   bool targets, bool members, bool variance, bool target_members,
                   bool target_variance) {
  Result result = [&] {
    nb::gil_scoped_release release;
    return Result(evaluator, arrays,
                  {forces, targets, members, variance, target_members, target_variance, term});
  }();
  const std::size_t n = arrays.species.size();
  const std::size_t n_targets = targets ? evaluator.model().targets().size() : 0;
  Array energy = to_numpy(std::move(result.energy), {n});
  Array target = to_numpy(std::move(result.target), {n_targets, n});
  const std::size_t n_rows = n ? result.tensors.size() / n : 0;
  Array tensor = to_numpy(std::move(result.tensors), {n_rows, n});
  nb::object force = nb::none(), virial = nb::none(), member = nb::none();
  nb::object variances = nb::none(), rigidity = nb::none(), of_target_members = nb::none();
  if (forces) {
    force = nb::cast(to_numpy(std::move(result.force), {n, 3}));
    virial = nb::cast(to_numpy(std::move(result.virial), {n, 3, 3}));
  }
  if (members)
    member = nb::cast(to_numpy(std::move(result.members), {Result::n_members(evaluator), n}));
  if (variance) {
    variances = nb::cast(to_numpy(std::move(result.variance), {n}));
    rigidity = nb::cast(to_numpy(std::move(result.rigidity), {n}));
  }
  if (target_members)
    of_target_members =
        nb::cast(to_numpy(std::move(result.target_members),
                          {Result::n_targets(evaluator), Result::n_members(evaluator), n}));
  nb::object target_variances = nb::none(), target_rigidity = nb::none();
  if (target_variance) {
    const std::size_t n_all = Result::n_targets(evaluator);
    target_variances = nb::cast(to_numpy(std::move(result.target_variance), {n_all, n}));
    target_rigidity = nb::cast(to_numpy(std::move(result.target_rigidity), {n_all, n}));
  }
  return nb::make_tuple(energy, force, virial, target, member, variances, rigidity,
                        of_target_members, target_variances, target_rigidity, tensor);
}

/// Seconds of one evaluation by phase, in the order of the work and added up over threads, and the
/// time that passed: with one thread the two differ by checks and memory.
nb::dict profile(Evaluator &evaluator, const EnvironmentArrays &arrays, bool forces) {
  Profile profile;
  double elapsed;
  {
    nb::gil_scoped_release release;
    const auto start = std::chrono::steady_clock::now();
    Result(evaluator, arrays, {forces, false}, &profile);
    elapsed = seconds_since(start);
  }
  nb::dict seconds;
  seconds["gather"] = profile.gather;
  seconds["expansion"] = profile.expansion;
  seconds["power_spectrum"] = profile.power_spectrum;
  seconds["kernel"] = profile.kernel;
  seconds["clusters"] = profile.clusters;
  seconds["power_spectrum_adjoint"] = profile.power_adjoint;
  seconds["expansion_adjoint"] = profile.expansion_adjoint;
  seconds["scatter"] = profile.scatter;
  seconds["elapsed"] = elapsed;
  return seconds;
}

}  // namespace

void bind_evaluation(nb::module_ &m) {
  nb::class_<Model>(m, "Model")
      .def_static("from_bytes",
                  [](const nb::bytes &b) { return Model::from_bytes(b.c_str(), b.size()); })
      .def_prop_ro("cutoff", &Model::cutoff)
      .def_prop_ro("species", &Model::species)
      .def_prop_ro("ordered_neighbors", &Model::ordered_neighbors)
      .def_prop_ro("n_terms", &n_terms)
      .def_prop_ro("n_weights", [](const Model &model) { return n_weights(model); })
      .def("n_features", &n_features, "term"_a)
      .def("recoupled", &recoupled, "term"_a);

  nb::class_<EnvironmentArrays>(m, "Environments")
      .def(
          "__init__",
          [](EnvironmentArrays *self, Ints species, Indices offset, Indices neighbor,
             Ints neighbor_species, Vectors r_ij) {
            new (self) EnvironmentArrays{species, offset, neighbor, neighbor_species, r_ij};
          },
          "species"_a, "offset"_a, "neighbor"_a, "neighbor_species"_a, "r_ij"_a)
      .def_prop_ro("n_pairs", [](const EnvironmentArrays &self) { return self.neighbor.size(); });

  nb::class_<Evaluator>(m, "Evaluator")
      .def(nb::init<Model, int>(), "model"_a, "n_threads"_a = 1,
           nb::call_guard<nb::gil_scoped_release>())
      .def("evaluate", &evaluate, "environments"_a, "forces"_a = true, "term"_a = -1,
           "targets"_a = false, "members"_a = false, "variance"_a = false,
           "target_members"_a = false, "target_variance"_a = false)
      .def("member_forces", &member_forces, "environments"_a, "bytes"_a = std::size_t(1) << 28)
      .def("profile", &profile, "environments"_a, "forces"_a = true);

  m.def("bead_number", &bead_number, "name"_a);
  m.def("bead_name", &bead_name, "species"_a);
  m.def("both_directions", &both_directions, "first"_a, "second"_a, "r_ij"_a, "n_atoms"_a);
}
