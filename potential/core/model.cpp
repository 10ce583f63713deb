// SPDX-License-Identifier: BSD-3-Clause
// From the bytes of a model file to ModelData: every shape and value is checked before use.
#include <algorithm>
#include <fstream>
#include <new>
#include <set>
#include <sstream>

#include "cpu_layout.hpp"
#include "file/term_readers.hpp"

namespace soap_gpr {

namespace {

Term read_term(Arrays &arrays, const json &values, std::size_t index, std::size_t n_species) {
  const std::string prefix = "term" + std::to_string(index) + ".";
  Entry entry(values, "term " + std::to_string(index + 1) + " of the model file");
  const auto kind = entry.word("kind");
  Term term;
  if (kind == "soap")
    term = read_soap_term(arrays, entry, prefix, n_species);
  else if (kind == "product")
    term = read_product_term(arrays, entry, prefix, n_species);
  else if (kind == "acsf")
    term = read_symmetry_term(arrays, entry, prefix, n_species);
  else if (kind == "pair")
    term = read_pair_term(arrays, entry, prefix, n_species);
  else if (kind == "triplet")
    term = read_triplet_term(arrays, entry, prefix, n_species);
  else
    throw Error("the model file has a term of the unknown kind " + quoted(kind) + kNewer);
  entry.finish();
  return term;
}

/// A version has some keys and arrays more than the one before.
void check_metadata(const std::map<std::string, std::string> &metadata) {
  static const std::set<std::string> known = {
      "format",     "format_version", "units",     "checksum",    "terms",       "settings",
      "provenance", "targets",        "potential", "uncertainty", "tensor_bases"};
  const auto version = metadata.find("format_version");
  if (version == metadata.end()) throw Error("the model file has no format version");
  if (version->second != "1" && version->second != "2" && version->second != "3")
    throw Error("the model file has the format version " + quoted(version->second) +
                ", this soap-gpr reads versions 1 to 3" + kNewer);
  for (const auto &[key, value] : metadata)
    if (!known.count(key))
      throw Error("the model file's metadata have the unknown key " + quoted(key) + kNewer);
  const auto units = metadata.find("units");
  if (units != metadata.end() && units->second != "eV,angstrom")
    throw Error("the model file has the units " + quoted(units->second) +
                ", expected 'eV,angstrom'");
}

/// The triangle of the regression, [solver] keep_factor: for training alone, and not kept here.
void check_triangle(Arrays &arrays) {
  if (!arrays.has("triangle")) return;
  const auto R = arrays.read("triangle", {kAny, kAny});
  const std::size_t n = arrays.find("triangle").shape[1];
  if (R.size() != n * n) throw Error("array 'triangle' is not square");
  for (std::size_t row = 1; row < n; ++row)
    for (std::size_t column = 0; column < row; ++column)
      if (R[row * n + column] != 0)
        throw Error("array 'triangle' holds numbers below its diagonal");
}

ModelData read_model(const TensorFile &file) {
  check_metadata(file.metadata);
  Arrays arrays(file);
  ModelData data;
  for (std::int64_t z : arrays.integers("species", {kAny})) {
    if (!is_species(z) || (!data.species.empty() && z <= data.species.back()))
      throw Error("the model file's species are not ascending atomic numbers");
    data.species.push_back(int(z));
  }
  if (data.species.empty()) throw Error("the model file has no species");
  const auto e0 = arrays.read("e0", {data.species.size()});
  data.e0.assign(e0.begin(), e0.end());
  const json terms = parse_json(file.metadata.at("terms"), "list of terms");
  if (!terms.is_array() || terms.empty()) throw Error("the model file has no terms");
  for (std::size_t t = 0; t < terms.size(); ++t) {
    data.terms.push_back(read_term(arrays, terms[t], t, data.species.size()));
    data.cutoff = std::max(data.cutoff, cutoff(data.terms.back()));
  }
  read_tensor_bases(arrays, file.metadata, data);
  read_targets(arrays, file.metadata, data);
  read_uncertainty(arrays, file.metadata, data);
  check_triangle(arrays);
  arrays.finish();
  return data;
}

bool has_triplets(const ModelData &data, bool TripletTerm::*option) {
  return std::any_of(data.terms.begin(), data.terms.end(), [option](const Term &term) {
    const auto *triplet = std::get_if<TripletTerm>(&term);
    return triplet && triplet->*option;
  });
}

}  // namespace

struct Model::Contents {
  explicit Contents(ModelData own) : data(std::move(own)), cpu(data) {}
  const ModelData data;
  const CpuLayout cpu;
};

Model Model::from_bytes(const char *bytes, std::size_t size) {
  Model model;
  const TensorFile file = parse_tensor_file(bytes, size);
  try {
    model.contents_ = std::make_shared<const Contents>(read_model(file));
  } catch (const json::exception &) {
    throw Error("the model file's list of terms or targets is incomplete or of the wrong type");
  } catch (const std::out_of_range &) {
    throw Error("the model file lacks its list of terms");
  } catch (const std::bad_alloc &) {
    throw Error("the model file of " + std::to_string(size >> 20) +
                " MB needs more memory than there is");
  }
  return model;
}

Model Model::from_file(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (!(bytes << file.rdbuf())) throw Error(path + ": cannot be read");
  const std::string content = bytes.str();
  try {
    return from_bytes(content.data(), content.size());
  } catch (const Error &error) {
    throw Error(path + ": " + error.what());
  }
}

const ModelData &Model::data() const { return contents_->data; }
const CpuLayout &Model::cpu() const { return contents_->cpu; }

double Model::cutoff() const { return data().cutoff; }
const std::vector<int> &Model::species() const { return data().species; }
const std::vector<Target> &Model::targets() const { return data().targets; }
std::size_t Model::n_tensor_rows() const {
  std::size_t n = 0;
  for (const Target &target : targets()) n += target.rank ? target.n_components : 0;
  return n;
}
const Uncertainty &Model::uncertainty() const { return data().uncertainty; }
bool Model::has_potential() const { return data().has_potential; }

bool Model::shares_energy() const { return has_triplets(data(), &TripletTerm::shared); }
bool Model::ordered_neighbors() const { return has_triplets(data(), &TripletTerm::ordered); }

int Model::species_index(int number) const {
  const auto &species = data().species;
  const auto found = std::lower_bound(species.begin(), species.end(), number);
  return found != species.end() && *found == number ? int(found - species.begin()) : -1;
}

}  // namespace soap_gpr
