// SPDX-License-Identifier: BSD-3-Clause
// Arrays of Python in and out.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <vector>

#include "soap_gpr.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace soap_gpr;

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

/// The arrays of environments as Python hands them over.
struct EnvironmentArrays {
  Ints species;
  Indices offset, neighbor;
  Ints neighbor_species;
  Vectors r_ij;

  /// The core's view of them, checked.
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
    if (!fits) throw Error("the arrays of environments are inconsistent");
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

// What each file of the bindings adds to the module.
void bind_evaluation(nb::module_ &m);
void bind_tensors(nb::module_ &m);
void bind_training(nb::module_ &m);
void bind_files(nb::module_ &m);
