// SPDX-License-Identifier: BSD-3-Clause
// From the bytes of a model file to ModelData: every shape and value is checked before use.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "kernel.hpp"
#include "model_data.hpp"
#include "tensor_file.hpp"

namespace soap_gpr {

namespace {

using nlohmann::json;
using Shape = std::vector<std::size_t>;

// Far above what anybody uses, and low enough that no product of two counts overflows anywhere.
constexpr int kMaxCount = 1000000;          ///< spline intervals
constexpr int kMaxTripletIntervals = 2000;  ///< along one axis
constexpr double kMaxFeatures = 1e8;        ///< of one term, so that Q_l stays below 15 000

std::string text(const Shape &shape) { return json(shape).dump(); }

const Tensor &find(const TensorFile &file, const std::string &name) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) throw Error("the model file lacks the array '" + name + "'");
  return found->second;
}

/// The array `name`, checked to be finite; npos in `shape` stands for any extent.
constexpr std::size_t kAny = static_cast<std::size_t>(-1);
AlignedVector read(const TensorFile &file, const std::string &name, const Shape &shape) {
  const Tensor &tensor = find(file, name);
  bool fits = tensor.shape.size() == shape.size();
  for (std::size_t k = 0; fits && k < shape.size(); ++k)
    fits = shape[k] == kAny || shape[k] == tensor.shape[k];
  if (!fits) throw Error("array '" + name + "' has the unexpected shape " + text(tensor.shape));
  const std::vector<double> values = tensor.doubles();
  for (double x : values)
    if (!std::isfinite(x)) throw Error("array '" + name + "' holds a number that is not finite");
  return AlignedVector(values.begin(), values.end());
}

double get(const json &entry, const char *key, double low, double high) {
  const double value = entry.at(key).get<double>();
  if (!(value >= low && value <= high))
    throw Error(std::string("the model file's '") + key + "' is out of range");
  return value;
}

/// An integer in [0, kMaxCount], or -1 for any other number: a cast alone would wrap large ones.
int count(const json &value) {
  const double number = value.get<double>();
  return number >= 0 && number <= kMaxCount && number == std::floor(number) ? int(number) : -1;
}

std::vector<int> counts(const json &values) {
  std::vector<int> out;
  for (const json &value : values) out.push_back(count(value));
  return out;
}

int get_count(const json &entry, const char *key, int low, int high) {
  const int value = count(entry.at(key));
  if (value < low || value > high)
    throw Error(std::string("the model file's '") + key + "' is out of range");
  return value;
}

/// Contiguous segments from 0 on; the caller checks where they end.
std::vector<Segment> read_segments(const json &list) {
  std::vector<Segment> segments;
  double end = 0;
  int n_intervals = 0;
  for (const json &item : list) {
    const Segment s{item.at(0).get<double>(), item.at(1).get<double>(), count(item.at(2))};
    n_intervals += s.n_intervals;
    if (item.size() != 3 || s.begin != end || !(s.end > s.begin) || s.n_intervals < 1 ||
        n_intervals > kMaxCount)
      throw Error("the model file's spline segments are not contiguous, or too many");
    end = s.end;
    segments.push_back(s);
  }
  return segments;
}

std::size_t n_knots(const std::vector<Segment> &segments) {
  std::size_t n = 0;
  for (const Segment &s : segments) n += s.n_intervals + 1;
  return n;
}

/// Channel ranges of every species and, from them, the layout of c and p.
std::vector<std::vector<ChannelGroup>> read_channels(const json &entry, std::size_t n_species,
                                                     SoapTerm &term) {
  const std::vector<int> sizes = counts(entry.at("n_channels"));
  std::vector<std::vector<int>> begin, end;
  for (const json &of_species : entry.at("channel_begin")) begin.push_back(counts(of_species));
  for (const json &of_species : entry.at("channel_end")) end.push_back(counts(of_species));
  const std::size_t n_l = term.l_max + 1;
  bool fits = sizes.size() == n_l && begin.size() == n_species && end.size() == n_species;
  for (std::size_t a = 0; fits && a < n_species; ++a)
    fits = begin[a].size() == n_l && end[a].size() == n_l;
  double n_features = 0;
  for (std::size_t l = 0; fits && l < n_l; ++l) {
    n_features += 0.5 * sizes[l] * (sizes[l] + 1.0);
    fits = sizes[l] > 0 && n_features <= kMaxFeatures;
    for (std::size_t a = 0; fits && a < n_species; ++a)
      fits = begin[a][l] >= 0 && begin[a][l] <= end[a][l] && end[a][l] <= sizes[l];
  }
  if (!fits) throw Error("the model file's density channels are inconsistent");

  std::vector<std::vector<ChannelGroup>> groups(n_species);
  for (std::size_t l = 0; l < n_l; ++l) {
    int stride = padded(sizes[l]);
    for (std::size_t a = 0; a < n_species; ++a) {
      const int size = end[a][l] - begin[a][l];
      const int offset = l ? groups[a].back().offset + padded(groups[a].back().size) : 0;
      groups[a].push_back({begin[a][l], size, offset});
      stride = std::max(stride, padded(begin[a][l] + padded(size)));
    }
    term.channels.push_back({sizes[l], stride, term.n_coefficients, term.n_products});
    term.n_coefficients += int(2 * l + 1) * stride;
    term.n_products += sizes[l] * (sizes[l] + 1) / 2;
  }
  return groups;
}

SparseSet read_sparse_set(const TensorFile &file, const std::string &prefix,
                          const std::string &suffix, const SoapTerm &term) {
  SparseSet sparse;
  const std::size_t n_features = term.n_features;
  sparse.rank = term.n_features;
  const std::string projection = prefix + "projection" + suffix, points = prefix + "sparse_points";
  if (file.tensors.count(projection)) {
    sparse.projection = read(file, projection, {kAny, n_features});
    const std::size_t rank = find(file, projection).shape[0];
    if (rank < 1 || rank > n_features)
      throw Error("array '" + projection + "' has more rows than columns, or none");
    sparse.rank = int(rank);
  }
  sparse.points = read(file, points + suffix, {kAny, std::size_t(sparse.rank)});
  sparse.size = int(find(file, points + suffix).shape[0]);
  sparse.weights = read(file, prefix + "weights" + suffix, {std::size_t(sparse.size)});
  collapse(term, sparse);
  return sparse;
}

Kernel read_kernel(const json &entry) {
  Kernel kernel;
  kernel.delta = get(entry, "delta", 0.0, 1e10);
  kernel.zeta = get(entry, "zeta", 1, 100);
  kernel.integer_zeta = kernel.zeta == std::floor(kernel.zeta) ? int(kernel.zeta) : 0;
  if (entry.contains("offset")) kernel.offset = get(entry, "offset", 0.0, 1e10);
  kernel.normalized = entry.at("normalize").get<bool>();
  return kernel;
}

/// Which products are the features: those of the array, or all.
void read_selection(const TensorFile &file, const std::string &prefix, SoapTerm &term) {
  const std::string name = prefix + "features";
  term.n_features = term.n_products;
  if (!file.tensors.count(name)) return;
  const Tensor &tensor = find(file, name);
  term.selection_scale = read(file, prefix + "feature_scale", {kAny});
  if (tensor.shape.size() != 1 || tensor.shape[0] != term.selection_scale.size() ||
      tensor.shape[0] < 1 || tensor.shape[0] > kMaxFeatures)
    throw Error("array '" + name + "' has the unexpected shape " + text(tensor.shape));
  for (std::int64_t product : tensor.integers()) {
    if (product < 0 || product >= term.n_products)
      throw Error("array '" + name + "' names a product that does not exist");
    term.selection.push_back(int(product));
  }
  term.n_features = int(term.selection.size());
}

SoapTerm read_soap_term(const TensorFile &file, const json &entry, const std::string &prefix,
                        std::size_t n_species) {
  SoapTerm term;
  term.cutoff = get(entry, "cutoff", 1e-3, 1e3);
  term.l_max = get_count(entry, "l_max", 0, kMaxL);
  term.kernel = read_kernel(entry);
  term.harmonics = SphericalHarmonics(term.l_max);
  const auto segments = read_segments(entry.at("segments"));
  if (segments.empty() || std::abs(segments.back().end - term.cutoff) > 1e-12 * term.cutoff)
    throw Error("the model file's spline segments do not end at the cutoff");
  const auto groups = read_channels(entry, n_species, term);
  read_selection(file, prefix, term);
  for (std::size_t a = 0; a < n_species; ++a) {
    const std::string suffix = "." + std::to_string(a);
    std::size_t n_channels = 0;
    for (const ChannelGroup &group : groups[a]) n_channels += group.size;
    const auto table = read(file, prefix + "table" + suffix, {n_knots(segments), 3, n_channels});
    term.tables.emplace_back(segments, groups[a], table.data());
    term.central.push_back(
        read(file, prefix + "central" + suffix, {std::size_t(term.channels[0].size)}));
    term.sparse.push_back(read_sparse_set(file, prefix, suffix, term));
  }
  return term;
}

/// What training needs again of a fitted function; evaluation does without.
void check_kernel(const json &entry, double cutoff) {
  get(entry, "cutoff_width", 1e-6, cutoff);
  get(entry, "length_scale", 1e-3, 1e3);
  get(entry, "delta", 0.0, 1e10);
}

PairTerm read_pair_term(const TensorFile &file, const json &entry, const std::string &prefix,
                        std::size_t n_species) {
  PairTerm term;
  term.cutoff = get(entry, "cutoff", 1e-3, 1e3);
  const bool fixed = entry.at("fixed").get<bool>();
  if (!fixed) check_kernel(entry, term.cutoff);
  const json &segments = entry.at("segments");
  if (segments.size() != n_species * (n_species + 1) / 2)
    throw Error("the model file's pair term lacks a pair of species, or has too many");
  for (std::size_t p = 0; p < segments.size(); ++p) {
    const std::string suffix = "." + std::to_string(p);
    const RadialGrid grid(read_segments(segments.at(p)));
    if (grid.end() > term.cutoff * (1 + 1e-12))
      throw Error("the model file's spline segments do not end at the cutoff");
    const auto knots = read(file, prefix + "table" + suffix, {std::size_t(grid.n_knots()), 3});
    term.functions.push_back({grid, {knots.begin(), knots.end()}});
    if (fixed) continue;
    const std::size_t size = read(file, prefix + "weights" + suffix, {kAny}).size();
    read(file, prefix + "sparse_points" + suffix, {size});
    term.n_weights += size;
  }
  return term;
}

TripletFunction read_triplet_function(const TensorFile &file, const std::string &name,
                                      const TripletTerm &term) {
  const std::size_t n_radial = term.radial.n_coefficients(), n_third = term.third.n_coefficients();
  const AlignedVector values = read(file, name, {kAny, n_radial, n_third});
  TripletFunction function;
  if (values.empty()) return function;
  if (values.size() != n_radial * n_radial * n_third)
    throw Error("array '" + name + "' has the unexpected shape " + text(find(file, name).shape));
  function.coefficients.resize(n_radial * n_radial * term.row() + kLanes);
  for (std::size_t row = 0; row < n_radial * n_radial; ++row)
    std::copy_n(&values[row * n_third], n_third, &function.coefficients[row * term.row()]);
  return function;
}

TripletTerm read_triplet_term(const TensorFile &file, const json &entry, const std::string &prefix,
                              std::size_t n_species) {
  TripletTerm term;
  term.cutoff = get(entry, "cutoff", 1e-3, 1e3);
  term.cutoff_width = get(entry, "cutoff_width", 1e-6, term.cutoff);
  const bool fixed = entry.at("fixed").get<bool>();
  if (!fixed) check_kernel(entry, term.cutoff);
  const auto third_factor = entry.at("third_factor").get<std::string>();
  if (third_factor != "none" && third_factor != "cluster")
    throw Error("the model file has the unknown third_factor '" + third_factor + "'");
  term.cluster = third_factor == "cluster";
  term.shared = entry.contains("shared_energy") && entry.at("shared_energy").get<bool>();
  term.ordered = entry.contains("neighbor_order");
  if (term.ordered && entry.at("neighbor_order").get<std::string>() != "index")
    throw Error("the model file has an unknown neighbor_order; a newer soap-gpr may read it");
  const json &sizes = entry.at("n_intervals");
  if (sizes.size() != 2) throw Error("the model file's 'n_intervals' is not a pair of numbers");
  const int n_radial = count(sizes.at(0)), n_third = count(sizes.at(1));
  if (n_radial < 4 || n_radial > kMaxTripletIntervals || n_third < 4 ||
      n_third > kMaxTripletIntervals)
    throw Error("the model file's 'n_intervals' is out of range");
  term.radial = UniformGrid(term.cutoff, n_radial);
  term.third = UniformGrid(2 * term.cutoff, n_third);
  const std::size_t n_functions = n_species * n_species * (n_species + 1) / 2;
  for (std::size_t p = 0; p < n_functions; ++p) {
    const std::string suffix = "." + std::to_string(p);
    term.functions.push_back(read_triplet_function(file, prefix + "table" + suffix, term));
    if (fixed) continue;
    const std::size_t size = read(file, prefix + "weights" + suffix, {kAny}).size();
    read(file, prefix + "sparse_points" + suffix, {size, 3});
    if ((size == 0) != term.functions.back().coefficients.empty())
      throw Error("array '" + prefix + "table" + suffix + "' does not fit its sparse points");
    term.n_weights += size;
  }
  return term;
}

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
