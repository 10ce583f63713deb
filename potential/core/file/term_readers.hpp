// SPDX-License-Identifier: BSD-3-Clause
// Terms from their entries in the metadata of a model file and their arrays. They throw Error, or
// what nlohmann::json throws for lists of the wrong form. Which keys and arrays stay unread is for
// the caller to refuse.
#pragma once

#include "file/file_values.hpp"
#include "model_data.hpp"

namespace soap_gpr {

/// prefix: of the names of the term's arrays.
SoapTerm read_soap_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                        std::size_t n_species);
/// The same without its sparse points.
SoapTerm read_soap_features(Arrays &arrays, Entry &entry, const std::string &prefix,
                            std::size_t n_species);
ProductTerm read_product_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                              std::size_t n_species);
SymmetryTerm read_symmetry_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                                std::size_t n_species);
PairTerm read_pair_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                        std::size_t n_species);
TripletTerm read_triplet_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                              std::size_t n_species);

/// The targets of the metadata, if there are any; their weights go to the terms that are there.
void read_targets(Arrays &arrays, const std::map<std::string, std::string> &metadata,
                  ModelData &data);

/// What vectors and tensors stand on, if there are any; their terms are there.
void read_tensor_bases(Arrays &arrays, const std::map<std::string, std::string> &metadata,
                       ModelData &data);
/// The vector or tensor of an entry of the targets, whose mean is there: a target and, among the
/// tensors of the data, its weights; known: species whose atoms have a value.
void read_tensor_target(Arrays &arrays, Entry &entry, std::size_t index,
                        const std::vector<bool> &known, ModelData &data, Target &target);

/// What the metadata say of uncertainty, and the members' parts of the terms that are there.
void read_uncertainty(Arrays &arrays, const std::map<std::string, std::string> &metadata,
                      ModelData &data);
/// What the variance takes beside the terms, which are there, and of energies if these have one.
void read_variance(Arrays &arrays, ModelData &data);
/// And beside that of target h.
void read_target_variance(Arrays &arrays, std::size_t h, ModelData &data);

// What terms of features share.

/// Features of one term before the selection. Evaluation has some numbers in memory for each,
/// whether or not an array of the file is as long.
constexpr double kMaxFeatures = 1e7;

Kernel read_kernel(Entry &entry);
/// Which of n_products are the features: those of the arrays, of all centres or of each species, or
/// all.
void read_selection(Arrays &arrays, const std::string &prefix, std::size_t n_species,
                    FeatureTerm &term);
/// R of eq. (5j), the array of this name, or empty where there is none; the choice gets G = Rᵀ R.
std::vector<double> read_recoupling(Arrays &arrays, const std::string &name, FeatureChoice &choice);
/// rows[n][size] R of a matrix R[size][size], in place.
void multiply_rows(std::size_t size, const std::vector<double> &R, std::vector<double> &rows);
void read_sparse_sets(Arrays &arrays, Entry &entry, const std::string &prefix,
                      std::size_t n_species, FeatureTerm &term);

}  // namespace soap_gpr
