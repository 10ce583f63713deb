// SPDX-License-Identifier: BSD-3-Clause
// Python's view of the core: arrays in, arrays out, the GIL released while the core works.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cstring>

#include "base/cpu.hpp"
#include "file/tensor_file.hpp"
#include "scatter.hpp"
#include "soap_gpr.hpp"
#include "training/training.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace soap_gpr;

namespace {

using Ints = nb::ndarray<const int, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<const std::size_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Vectors = nb::ndarray<const double, nb::shape<-1, 3>, nb::c_contig, nb::device::cpu>;
using Array = nb::ndarray<nb::numpy, double>;

/// A numpy array that owns the memory of `values`.
template <class T>
nb::ndarray<nb::numpy, T> to_numpy(std::vector<T> &&values,
                                   std::initializer_list<std::size_t> shape) {
  auto *owned = new std::vector<T>(std::move(values));
  nb::capsule owner(owned, [](void *p) noexcept { delete static_cast<std::vector<T> *>(p); });
  return nb::ndarray<nb::numpy, T>(owned->data(), shape, owner);
}

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

/// Checked view of the arrays that describe a structure's environments.
struct Structure {
  Ints species;
  Indices offset, neighbor;
  Ints neighbor_species;
  Vectors r_ij;

  Environments environments(const Model &model) const {
    const std::size_t n_atoms = species.size(), n_pairs = neighbor.size();
    bool fits = offset.size() == n_atoms + 1 && neighbor_species.size() == n_pairs &&
                r_ij.shape(0) == n_pairs && offset.data()[0] == 0 &&
                offset.data()[n_atoms] == n_pairs;
    const int n_species = int(model.species().size());
    for (std::size_t i = 0; fits && i < n_atoms; ++i)
      fits = offset.data()[i] <= offset.data()[i + 1] && species.data()[i] >= 0 &&
             species.data()[i] < n_species;
    for (std::size_t k = 0; fits && k < n_pairs; ++k)
      fits = neighbor.data()[k] < n_atoms && neighbor_species.data()[k] >= 0 &&
             neighbor_species.data()[k] < n_species;
    if (!fits) throw Error("the arrays of a structure's environments are inconsistent");
    Environments environments;
    environments.n_atoms = n_atoms;
    environments.species = species.data();
    environments.offset = offset.data();
    environments.neighbor = neighbor.data();
    environments.neighbor_species = neighbor_species.data();
    environments.r_ij = reinterpret_cast<const double(*)[3]>(r_ij.data());
    return environments;
  }
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Energies, and when wanted forces and virials, per atom; empty when not.
struct Result {
  std::vector<double> energy, force, virial;

  Result(Evaluator &evaluator, const Structure &structure, bool forces, Profile *profile)
      : energy(structure.species.size()),
        force(forces ? 3 * energy.size() : 0),
        virial(forces ? 9 * energy.size() : 0) {
    const Environments environments = structure.environments(evaluator.model());
    const std::size_t n_pairs = structure.neighbor.size();
    std::vector<double> energies(energy.size()), f_ij(forces ? 3 * n_pairs : 0);
    std::vector<Transfer> transfers(evaluator.model().shares_energy() ? n_pairs : 0);
    Outputs outputs;
    outputs.energies = energies.data();
    outputs.profile = profile;
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
    scatter(environments, outputs, atoms);
    if (profile) profile->scatter += seconds_since(start);
  }
};

nb::tuple evaluate(Evaluator &evaluator, const Structure &structure, bool forces) {
  Result result = [&] {
    nb::gil_scoped_release release;
    return Result(evaluator, structure, forces, nullptr);
  }();
  const std::size_t n = structure.species.size();
  Array energy = to_numpy(std::move(result.energy), {n});
  if (!forces) return nb::make_tuple(energy, nb::none(), nb::none());
  return nb::make_tuple(energy, to_numpy(std::move(result.force), {n, 3}),
                        to_numpy(std::move(result.virial), {n, 3, 3}));
}

/// Seconds of one evaluation by phase, in the order of the work and added up over threads, and the
/// time that passed: with one thread the two differ by checks and memory.
nb::dict profile(Evaluator &evaluator, const Structure &structure, bool forces) {
  Profile profile;
  double elapsed;
  {
    nb::gil_scoped_release release;
    const auto start = std::chrono::steady_clock::now();
    Result(evaluator, structure, forces, &profile);
    elapsed = seconds_since(start);
  }
  nb::dict seconds;
  seconds["gather"] = profile.gather;
  seconds["expansion"] = profile.expansion;
  seconds["power_spectrum"] = profile.power_spectrum;
  seconds["kernel"] = profile.kernel;
  seconds["body_order"] = profile.body_order;
  seconds["power_spectrum_adjoint"] = profile.power_adjoint;
  seconds["expansion_adjoint"] = profile.expansion_adjoint;
  seconds["scatter"] = profile.scatter;
  seconds["elapsed"] = elapsed;
  return seconds;
}

Array python_features(const Model &model, std::size_t term, const Structure &structure) {
  if (term >= n_terms(model)) throw Error("the model has no such term");
  const Environments environments = structure.environments(model);
  const std::size_t width = n_features(model, term);
  std::vector<double> out(environments.n_atoms * width);
  {
    nb::gil_scoped_release release;
    features(model, term, environments, out.data());
  }
  return to_numpy(std::move(out), {environments.n_atoms, width});
}

/// p̂ (n, n_features), offset (n + 1,), atoms and gradients of the environments of these centres,
/// see FeatureRows.
nb::tuple python_feature_gradients(const Model &model, std::size_t term, const Structure &structure,
                                   Indices centers) {
  if (term >= n_terms(model)) throw Error("the model has no such term");
  const Environments environments = structure.environments(model);
  const std::vector<std::size_t> own(centers.data(), centers.data() + centers.size());
  for (std::size_t i : own)
    if (i >= environments.n_atoms) throw Error("the structure has no such atom");
  FeatureRows rows = [&] {
    nb::gil_scoped_release release;
    return feature_gradients(model, term, environments, own);
  }();
  const std::size_t width = n_features(model, term), n = own.size(), n_atoms = rows.atoms.size();
  return nb::make_tuple(to_numpy(std::move(rows.p_hat), {n, width}),
                        to_numpy(std::move(rows.offset), {n + 1}),
                        to_numpy(std::move(rows.atoms), {n_atoms}),
                        to_numpy(std::move(rows.gradients), {3 * n_atoms + 6 * n, width}));
}

/// The rows of one structure, `fill(environments, rows)`; only the energy's without
/// gradients.
template <class Fill>
Array rows_of(const Model &model, const Structure &structure, bool gradients, std::size_t n_columns,
              Fill fill) {
  const Environments environments = structure.environments(model);
  const std::size_t n_rows = gradients ? 3 * environments.n_atoms + 7 : 1;
  std::vector<double> out(n_rows * n_columns);
  {
    nb::gil_scoped_release release;
    fill(environments, out.data());
  }
  return to_numpy(std::move(out), {n_rows, n_columns});
}

Array python_soap_rows(const Model &model, std::size_t term, const Structure &structure,
                       bool gradients) {
  if (term >= n_terms(model)) throw Error("the model has no such term");
  return rows_of(model, structure, gradients, n_weights(model, term),
                 [&](const Environments &environments, double *rows) {
                   soap_rows(model, term, environments, gradients, rows);
                 });
}

Array python_function_rows(const Model &model, std::size_t term, std::size_t function,
                           const Structure &structure, bool gradients) {
  if (term >= n_terms(model)) throw Error("the model has no such term");
  return rows_of(model, structure, gradients, n_coefficients(model, term, function),
                 [&](const Environments &environments, double *rows) {
                   function_rows(model, term, function, environments, gradients, rows);
                 });
}

using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

Array python_triplet_rows(const Model &model, std::size_t term, std::size_t function,
                          const Structure &structure, Matrix first, Matrix second, Matrix third,
                          bool gradients) {
  if (term >= n_terms(model)) throw Error("the model has no such term");
  const auto [n_radial, n_third] = triplet_coefficients(model, term);
  const std::size_t size = first.shape(1);
  if (first.shape(0) != n_radial || second.shape(0) != n_radial || third.shape(0) != n_third ||
      second.shape(1) != size || third.shape(1) != size)
    throw Error("the arrays of a triplet function's sparse points are inconsistent");
  const TripletBasis basis{size, first.data(), second.data(), third.data()};
  return rows_of(model, structure, gradients, size,
                 [&](const Environments &environments, double *rows) {
                   triplet_rows(model, term, function, basis, environments, gradients, rows);
                 });
}

using AnyArray = nb::ndarray<nb::numpy, nb::ro, nb::c_contig, nb::device::cpu>;

nb::bytes pack(const std::map<std::string, std::string> &metadata,
               const std::map<std::string, AnyArray> &arrays) {
  TensorFile file;
  file.metadata = metadata;
  for (const auto &[name, array] : arrays) {
    Tensor &tensor = file.tensors[name];
    if (array.dtype() == nb::dtype<double>())
      tensor.type = Tensor::Type::f64;
    else if (array.dtype() == nb::dtype<std::int64_t>())
      tensor.type = Tensor::Type::i64;
    else
      throw Error("array '" + name + "' is neither float64 nor int64");
    for (std::size_t k = 0; k < array.ndim(); ++k) tensor.shape.push_back(array.shape(k));
    tensor.data = static_cast<const char *>(array.data());
  }
  const std::string bytes = write_tensor_file(file);
  return nb::bytes(bytes.data(), bytes.size());
}

nb::tuple unpack(const nb::bytes &bytes) {
  const TensorFile file = parse_tensor_file(bytes.c_str(), bytes.size());
  nb::dict arrays;
  for (const auto &[name, tensor] : file.tensors) {
    auto *owned = new std::vector<char>(tensor.data, tensor.data + 8 * tensor.size());
    nb::capsule owner(owned, [](void *p) noexcept { delete static_cast<std::vector<char> *>(p); });
    const auto type =
        tensor.type == Tensor::Type::f64 ? nb::dtype<double>() : nb::dtype<std::int64_t>();
    arrays[name.c_str()] = nb::ndarray<nb::numpy>(owned->data(), tensor.shape.size(),
                                                  tensor.shape.data(), owner, nullptr, type);
  }
  return nb::make_tuple(file.metadata, arrays);
}

}  // namespace

NB_MODULE(_core, m) {
  if (const char *reason = why_cpu_cannot_run()) throw nb::import_error(reason);
  m.doc() = "The compiled core of soap-gpr.";
  nb::exception<Error>(m, "CoreError");

  nb::class_<Model>(m, "Model")
      .def_static("from_bytes",
                  [](const nb::bytes &b) { return Model::from_bytes(b.c_str(), b.size()); })
      .def_prop_ro("cutoff", &Model::cutoff)
      .def_prop_ro("species", &Model::species)
      .def_prop_ro("ordered_neighbors", &Model::ordered_neighbors)
      .def_prop_ro("n_terms", &n_terms)
      .def_prop_ro("n_weights", [](const Model &model) { return n_weights(model); })
      .def("n_features", &n_features, "term"_a);

  nb::class_<Structure>(m, "Structure")
      .def(
          "__init__",
          [](Structure *self, Ints species, Indices offset, Indices neighbor, Ints neighbor_species,
             Vectors r_ij) {
            new (self) Structure{species, offset, neighbor, neighbor_species, r_ij};
          },
          "species"_a, "offset"_a, "neighbor"_a, "neighbor_species"_a, "r_ij"_a)
      .def_prop_ro("n_pairs", [](const Structure &self) { return self.neighbor.size(); });

  nb::class_<Evaluator>(m, "Evaluator")
      .def(nb::init<Model, int>(), "model"_a, "n_threads"_a = 1)
      .def("evaluate", &evaluate, "structure"_a, "forces"_a = true)
      .def("profile", &profile, "structure"_a, "forces"_a = true);

  m.def("both_directions", &both_directions, "first"_a, "second"_a, "r_ij"_a, "n_atoms"_a);
  m.def("features", &python_features, "model"_a, "term"_a, "structure"_a);
  m.def("feature_gradients", &python_feature_gradients, "model"_a, "term"_a, "structure"_a,
        "centers"_a);
  m.def("soap_rows", &python_soap_rows, "model"_a, "term"_a, "structure"_a, "gradients"_a = true);
  m.def("function_rows", &python_function_rows, "model"_a, "term"_a, "function"_a, "structure"_a,
        "gradients"_a = true);
  m.def("triplet_rows", &python_triplet_rows, "model"_a, "term"_a, "function"_a, "structure"_a,
        "first"_a, "second"_a, "third"_a, "gradients"_a = true);
  m.def("pack", &pack, "metadata"_a, "arrays"_a);
  m.def("unpack", &unpack, "bytes"_a);
}
