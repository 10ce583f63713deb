// SPDX-License-Identifier: BSD-3-Clause
// Vectors and tensors: equivariant features, and gradients of values of structures.
#include "arrays.hpp"
#include "cpu_layout.hpp"
#include "environment_part.hpp"
#include "tensors/density_features.hpp"
#include "training/training.hpp"

namespace {

using Doubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Products = nb::ndarray<const std::int64_t, nb::shape<-1, 4>, nb::c_contig, nb::device::cpu>;

const SoapLayout &soap_layout(const Model &model, std::size_t term) {
  const SoapLayout *soap = term < n_terms(model) ? model.cpu().soap(term) : nullptr;
  if (!soap) throw Error("the model has no such term of the kind soap");
  return *soap;
}

/// Environments with one choice of features after the other: visit(choice, their places).
template <class Visit>
void for_choices(const SoapLayout &soap, const Ints &species, Visit visit) {
  for (std::size_t choice = 0; choice < soap.term.choices.size(); ++choice) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < species.size(); ++i)
      if (soap.term.choice_of(species.data()[i]) == choice) places.push_back(i);
    if (!places.empty()) visit(choice, places);
  }
}

void check(const Model &model, const Ints &species, const Rows &densities, std::size_t width) {
  bool fits = densities.shape(0) == species.size() && densities.shape(1) == width;
  for (std::size_t i = 0; fits && i < species.size(); ++i)
    fits = species.data()[i] >= 0 && species.data()[i] < int(model.species().size());
  if (!fits) throw Error("the arrays of densities are inconsistent");
}

TensorFeatures tensor_features(const SoapLayout &soap, int lambda, int sigma,
                               const Products &products) {
  TensorFeatures own{lambda, sigma, {}};
  own.products.assign(products.data(), products.data() + products.size());
  bool fits = lambda >= 0 && lambda <= kMaxLambda;
  for (std::size_t k = 0; fits && k < own.products.size(); k += 4) {
    const int *lq = &own.products[k];
    for (int c = 0; fits && c < 4; c += 2)
      fits = lq[c] >= 0 && lq[c] <= soap.density.l_max && lq[c + 1] >= 0 &&
             lq[c + 1] < soap.density.channels[lq[c]].size;
    fits = fits && std::abs(lq[0] - lq[2]) <= lambda && lambda <= lq[0] + lq[2];
  }
  if (!fits) throw Error("the products of channels do not couple to this λ");
  return own;
}

/// Rows of `visit(features of densities)`, put where their environments are.
template <class RowsOf>
std::vector<double> rows_of_densities(const SoapLayout &soap, const Ints &species,
                                      const double *densities, std::size_t row, RowsOf rows_of) {
  std::vector<double> out(species.size() * row, 0.0);
  const std::size_t width = n_density(soap.density);
  for_choices(soap, species, [&](std::size_t choice, const std::vector<std::size_t> &places) {
    std::vector<double> own;
    for (std::size_t i : places)
      own.insert(own.end(), densities + i * width, densities + (i + 1) * width);
    const DensityFeatures found(soap, choice, places.size(), own.data());
    const auto values = rows_of(found);
    const std::size_t n = values.size() / places.size();
    for (std::size_t k = 0; k < places.size(); ++k)
      std::copy_n(values.data() + k * n, n, &out[places[k] * row]);
  });
  return out;
}

Array equivariants_of_densities(const Model &model, std::size_t term, Ints species, Rows densities,
                                int lambda, int sigma, Products products) {
  const SoapLayout &soap = soap_layout(model, term);
  check(model, species, densities, n_density(soap.density));
  const Equivariants kept(tensor_features(soap, lambda, sigma, products), soap.density);
  const std::size_t row = std::size_t(kept.size()) * kept.n_components();
  std::vector<double> out;
  {
    nb::gil_scoped_release release;
    out = rows_of_densities(soap, species, densities.data(), row,
                            [&](const DensityFeatures &own) { return own.psi_hat(kept); });
  }
  return to_numpy(std::move(out),
                  {species.size(), std::size_t(kept.size()), std::size_t(kept.n_components())});
}

Array features_of_densities(const Model &model, std::size_t term, Ints species, Rows densities) {
  const SoapLayout &soap = soap_layout(model, term);
  check(model, species, densities, n_density(soap.density));
  const std::size_t row = n_features(model, term);
  std::vector<double> out;
  {
    nb::gil_scoped_release release;
    out = rows_of_densities(soap, species, densities.data(), row,
                            [](const DensityFeatures &own) { return own.p_hat(); });
  }
  return to_numpy(std::move(out), {species.size(), row});
}

Array equivariants(const Model &model, std::size_t term, int lambda, int sigma, Products products,
                   const EnvironmentArrays &arrays) {
  const SoapLayout &soap = soap_layout(model, term);
  const Environments environments = arrays.environments(model);
  const Equivariants kept(tensor_features(soap, lambda, sigma, products), soap.density);
  const std::size_t row = std::size_t(kept.size()) * kept.n_components();
  const std::size_t width = n_density(soap.density);
  std::vector<double> out;
  {
    nb::gil_scoped_release release;
    std::vector<double> c(environments.n_atoms * width);
    density_coefficients(model, term, environments, c.data());
    out = rows_of_densities(soap, arrays.species, c.data(), row,
                            [&](const DensityFeatures &own) { return own.psi_hat(kept); });
  }
  return to_numpy(std::move(out), {environments.n_atoms, std::size_t(kept.size()),
                                   std::size_t(kept.n_components())});
}

/// ∂(Σ_i w_i T_i)/∂r_j (n_components, N, 3) and, by strain, Σ ∂/∂r_ij ⊗ r_ij (n_components, 3, 3).
struct TensorGradients {
  std::vector<double> positions, strain;

  TensorGradients(Evaluator &evaluator, const EnvironmentArrays &arrays, std::size_t target,
                  const double *w, std::size_t bytes)
      : n_atoms_(arrays.species.size()), target_(target), w_(w) {
    const auto &targets = evaluator.model().targets();
    n_components_ = target < targets.size() ? targets[target].n_components : 1;
    positions.resize(3 * n_atoms_ * n_components_);
    strain.resize(9 * n_components_);
    for_parts(arrays.environments(evaluator.model()), bytes / (3 * sizeof(double) * n_components_),
              [&](const Environments &part) { add(evaluator, part); });
  }

  std::size_t n_components() const { return n_components_; }

 private:
  void add(Evaluator &evaluator, const Environments &environments) {
    const std::size_t n_pairs = environments.offset[environments.n_atoms];
    rows_.resize(std::max(rows_.size(), 3 * n_components_ * n_pairs));
    rows_.reserve(1);
    Outputs outputs;
    outputs.tensor_gradients = reinterpret_cast<double(*)[3]>(rows_.data());
    outputs.gradients_of = target_;
    evaluator.evaluate(environments, outputs);
    for (std::size_t c = 0; c < n_components_; ++c)
      for (std::size_t k = 0; k < environments.n_atoms; ++k)
        for (std::size_t p = environments.offset[k]; p < environments.offset[k + 1]; ++p)
          add_pair(c, environments.center[k], environments.neighbor[p],
                   &rows_[3 * (c * n_pairs + p)], environments.r_ij[p]);
  }
  void add_pair(std::size_t c, std::size_t i, std::size_t j, const double *g, const double *r_ij) {
    for (int x = 0; x < 3; ++x) {
      const double own = w_[i] == 0 ? 0 : w_[i] * g[x];  // of atoms without a value: nan
      positions[3 * (c * n_atoms_ + j) + x] += own;
      positions[3 * (c * n_atoms_ + i) + x] -= own;
      for (int y = 0; y < 3; ++y) strain[9 * c + 3 * x + y] += own * r_ij[y];
    }
  }

  std::size_t n_atoms_, target_, n_components_ = 1;
  const double *w_;
  std::vector<double> rows_;
};

nb::tuple tensor_gradients(Evaluator &evaluator, const EnvironmentArrays &arrays,
                           std::size_t target, Doubles weights, std::size_t bytes) {
  if (weights.size() != arrays.species.size())
    throw Error("the weights of atoms are not one for each");
  TensorGradients found = [&] {
    nb::gil_scoped_release release;
    return TensorGradients(evaluator, arrays, target, weights.data(), bytes);
  }();
  const std::size_t n = found.n_components();
  return nb::make_tuple(to_numpy(std::move(found.positions), {n, weights.size(), std::size_t(3)}),
                        to_numpy(std::move(found.strain), {n, std::size_t(3), std::size_t(3)}));
}

}  // namespace

void bind_tensors(nb::module_ &m) {
  m.def("equivariants", &equivariants, "model"_a, "term"_a, "lam"_a, "sigma"_a, "features"_a,
        "environments"_a);
  m.def("equivariants_of_densities", &equivariants_of_densities, "model"_a, "term"_a, "species"_a,
        "densities"_a, "lam"_a, "sigma"_a, "features"_a);
  m.def("features_of_densities", &features_of_densities, "model"_a, "term"_a, "species"_a,
        "densities"_a);
  m.def("tensor_gradients", &tensor_gradients, "evaluator"_a, "environments"_a, "target"_a,
        "weights"_a, "bytes"_a = std::size_t(1) << 26);
}
