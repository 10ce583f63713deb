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
PairTerm read_pair_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                        std::size_t n_species);
TripletTerm read_triplet_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                              std::size_t n_species);

}  // namespace soap_gpr
