// SPDX-License-Identifier: BSD-3-Clause
// Features and rows of the design matrix.
#include "training/training.hpp"

#include <cstdlib>

#include "arrays.hpp"
#include "soap/clebsch_gordan.hpp"
#include "soap/soap_term.hpp"

namespace {

/// A row of `width` numbers for each atom, of `fill(model, term, environments, rows)`.
template <class Fill>
Array rows_of_atoms(const Model &model, std::size_t term, const EnvironmentArrays &arrays,
                    std::size_t (*width)(const Model &, std::size_t), Fill fill) {
  if (term >= n_terms(model)) throw Error("the model has no such term");
  const Environments environments = arrays.environments(model);
  const std::size_t n_columns = width(model, term);
  std::vector<double> out(environments.n_atoms * n_columns);
  {
    nb::gil_scoped_release release;
    fill(model, term, environments, out.data());
  }
  return to_numpy(std::move(out), {environments.n_atoms, n_columns});
}

Array python_features(const Model &model, std::size_t term, const EnvironmentArrays &arrays) {
  return rows_of_atoms(model, term, arrays, n_features, features);
}

Array python_kernel_rows(const Model &model, std::size_t term, const EnvironmentArrays &arrays) {
  return rows_of_atoms(model, term, arrays, n_weights, kernel_rows);
}

Array python_density_coefficients(const Model &model, std::size_t term,
                                  const EnvironmentArrays &arrays) {
  return rows_of_atoms(model, term, arrays, n_density, density_coefficients);
}

/// p̂ (n, n_features), offset (n + 1,), atoms and gradients of the environments of these centres,
/// see FeatureRows.
nb::tuple python_feature_gradients(const Model &model, std::size_t term,
                                   const EnvironmentArrays &arrays, Indices centers) {
  if (term >= n_terms(model)) throw Error("the model has no such term");
  const Environments environments = arrays.environments(model);
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
Array rows_of(const Model &model, const EnvironmentArrays &arrays, bool gradients,
              std::size_t n_columns, Fill fill) {
  const Environments environments = arrays.environments(model);
  const std::size_t n_rows = gradients ? 3 * environments.n_atoms + 7 : 1;
  std::vector<double> out(n_rows * n_columns);
  {
    nb::gil_scoped_release release;
    fill(environments, out.data());
  }
  return to_numpy(std::move(out), {n_rows, n_columns});
}

Array python_soap_rows(const Model &model, std::size_t term, const EnvironmentArrays &arrays,
                       bool gradients) {
  if (term >= n_terms(model)) throw Error("the model has no such term");
  return rows_of(model, arrays, gradients, n_weights(model, term),
                 [&](const Environments &environments, double *rows) {
                   soap_rows(model, term, environments, gradients, rows);
                 });
}

Array python_function_rows(const Model &model, std::size_t term, std::size_t function,
                           const EnvironmentArrays &arrays, bool gradients) {
  if (term >= n_terms(model)) throw Error("the model has no such term");
  return rows_of(model, arrays, gradients, n_coefficients(model, term, function),
                 [&](const Environments &environments, double *rows) {
                   function_rows(model, term, function, environments, gradients, rows);
                 });
}

using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

Array python_triplet_rows(const Model &model, std::size_t term, std::size_t function,
                          const EnvironmentArrays &arrays, Matrix first, Matrix second,
                          Matrix third, bool gradients) {
  if (term >= n_terms(model)) throw Error("the model has no such term");
  const auto [n_radial, n_third] = triplet_coefficients(model, term);
  const std::size_t size = first.shape(1);
  if (first.shape(0) != n_radial || second.shape(0) != n_radial || third.shape(0) != n_third ||
      second.shape(1) != size || third.shape(1) != size)
    throw Error("the arrays of a triplet function's sparse points are inconsistent");
  const TripletPoints points{size, first.data(), second.data(), third.data()};
  return rows_of(model, arrays, gradients, size,
                 [&](const Environments &environments, double *rows) {
                   triplet_rows(model, term, function, points, environments, gradients, rows);
                 });
}

Array python_clebsch_gordan(int l1, int l2, int l3) {
  const bool in_range = 0 <= l1 && l1 <= kMaxL && 0 <= l2 && l2 <= kMaxL;
  if (!in_range || l3 < std::abs(l1 - l2) || l3 > l1 + l2)
    throw Error("there are no such Clebsch-Gordan coefficients");
  const std::size_t n1 = 2 * l1 + 1, n2 = 2 * l2 + 1, n3 = 2 * l3 + 1;
  std::vector<double> out(n1 * n2 * n3);
  const ClebschGordan coupling(l1, l2, l3);
  for (const auto &e : coupling.entries()) out[(e.m1 * n2 + e.m2) * n3 + e.m3] = e.value;
  return to_numpy(std::move(out), {n1, n2, n3});
}

}  // namespace

void bind_training(nb::module_ &m) {
  m.def("clebsch_gordan", &python_clebsch_gordan, "l1"_a, "l2"_a, "l3"_a);
  m.def("density_coefficients", &python_density_coefficients, "model"_a, "term"_a,
        "environments"_a);
  m.def("features", &python_features, "model"_a, "term"_a, "environments"_a);
  m.def("feature_gradients", &python_feature_gradients, "model"_a, "term"_a, "environments"_a,
        "centers"_a);
  m.def("kernel_rows", &python_kernel_rows, "model"_a, "term"_a, "environments"_a);
  m.def("soap_rows", &python_soap_rows, "model"_a, "term"_a, "environments"_a,
        "gradients"_a = true);
  m.def("function_rows", &python_function_rows, "model"_a, "term"_a, "function"_a, "environments"_a,
        "gradients"_a = true);
  m.def("triplet_rows", &python_triplet_rows, "model"_a, "term"_a, "function"_a, "environments"_a,
        "first"_a, "second"_a, "third"_a, "gradients"_a = true);
}
