// SPDX-License-Identifier: BSD-3-Clause
// From the bytes of a model file to ModelData: every shape and value is checked before use.
#include <algorithm>

#include "term_readers.hpp"

namespace soap_gpr {

namespace {

Term read_term(const TensorFile &file, const json &entry, std::size_t index,
               std::size_t n_species) {
  const std::string prefix = "term" + std::to_string(index) + ".";
  const auto kind = entry.at("kind").get<std::string>();
  if (kind == "soap") return read_soap_term(file, entry, prefix, n_species);
  if (kind == "pair") return read_pair_term(file, entry, prefix, n_species);
  if (kind == "triplet") return read_triplet_term(file, entry, prefix, n_species);
  throw Error("the model file has a term of the unknown kind '" + kind +
              "'; a newer soap-gpr may read it");
}

ModelData read_model(const TensorFile &file) {
  const auto version = file.metadata.find("format_version");
  if (version == file.metadata.end() || version->second != "1")
    throw Error("the model file has the format version " +
                (version == file.metadata.end() ? "(none)" : version->second) +
                ", this soap-gpr reads version 1");
  ModelData data;
  for (std::int64_t z : find(file, "species").integers()) {
    if (z < 1 || z > 118 || (!data.species.empty() && z <= data.species.back()))
      throw Error("the model file's species are not ascending atomic numbers");
    data.species.push_back(int(z));
  }
  if (data.species.empty()) throw Error("the model file has no species");
  const auto e0 = read(file, "e0", {data.species.size()});
  data.e0.assign(e0.begin(), e0.end());
  const json terms = json::parse(file.metadata.at("terms"));
  if (!terms.is_array() || terms.empty()) throw Error("the model file has no terms");
  for (std::size_t t = 0; t < terms.size(); ++t) {
    data.terms.push_back(read_term(file, terms[t], t, data.species.size()));
    data.cutoff = std::max(data.cutoff, cutoff(data.terms.back()));
  }
  return data;
}

bool has_triplets(const ModelData &data, bool TripletTerm::*option) {
  return std::any_of(data.terms.begin(), data.terms.end(), [option](const Term &term) {
    const auto *triplet = std::get_if<TripletTerm>(&term);
    return triplet && triplet->*option;
  });
}

}  // namespace

Model Model::from_bytes(const char *bytes, std::size_t size) {
  Model model;
  const TensorFile file = parse_tensor_file(bytes, size);
  try {
    model.data_ = std::make_shared<const ModelData>(read_model(file));
  } catch (const json::exception &) {
    throw Error("the model file's list of terms is incomplete or of the wrong type");
  } catch (const std::out_of_range &) {
    throw Error("the model file lacks its list of terms");
  }
  return model;
}

double Model::cutoff() const { return data_->cutoff; }
const std::vector<int> &Model::species() const { return data_->species; }

bool Model::shares_energy() const { return has_triplets(*data_, &TripletTerm::shared); }
bool Model::ordered_neighbors() const { return has_triplets(*data_, &TripletTerm::ordered); }

int Model::species_index(int atomic_number) const {
  const auto &species = data_->species;
  const auto found = std::lower_bound(species.begin(), species.end(), atomic_number);
  return found != species.end() && *found == atomic_number ? int(found - species.begin()) : -1;
}

}  // namespace soap_gpr
