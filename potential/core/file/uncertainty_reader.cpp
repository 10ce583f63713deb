// SPDX-License-Identifier: BSD-3-Clause
// What a model says of its own errors: scales in the metadata, and deviations of a committee's
// weights beside the weights. The arrays of variances have a reader of their own.
#include <algorithm>

#include "file/term_readers.hpp"

namespace soap_gpr {

namespace {

constexpr int kMaxMembers = 1000;
constexpr double kMostScale = 1e30;

/// Deviations from weights or tables of this shape, of all members.
std::vector<double> read_deviations(Arrays &arrays, const std::string &name, Shape shape,
                                    std::size_t n_members) {
  shape.insert(shape.begin(), n_members);
  return arrays.read("members." + name, shape);
}

void read_sparse_members(Arrays &arrays, const std::string &prefix, std::size_t n_members,
                         std::vector<SparseSet> &sets) {
  for (std::size_t s = 0; s < sets.size(); ++s)
    sets[s].members = read_deviations(arrays, prefix + "weights." + std::to_string(s),
                                      {std::size_t(sets[s].size)}, n_members);
}

void read_members(Arrays &arrays, const std::string &prefix, std::size_t n_members,
                  PairTerm &term) {
  for (std::size_t p = 0; p < term.functions.size(); ++p) {
    PairFunction &own = term.functions[p];
    own.members = read_deviations(arrays, prefix + "table." + std::to_string(p),
                                  {std::size_t(own.grid.n_knots()), 3}, n_members);
  }
}

void read_members(Arrays &arrays, const std::string &prefix, std::size_t n_members,
                  TripletTerm &term) {
  const std::size_t radial = term.radial.n_coefficients(), third = term.third.n_coefficients();
  for (std::size_t p = 0; p < term.functions.size(); ++p) {
    TripletFunction &own = term.functions[p];
    const std::size_t rows = own.coefficients.empty() ? 0 : radial;
    const auto all = read_deviations(arrays, prefix + "table." + std::to_string(p),
                                     {rows, radial, third}, n_members);
    const std::size_t size = rows * radial * third;
    own.members.resize(padded(int(n_members)) * size);
    for (std::size_t c = 0; c < n_members; ++c)
      for (std::size_t k = 0; k < size; ++k)
        own.members[(c / kLanes * size + k) * kLanes + c % kLanes] = all[c * size + k];
  }
}

/// Terms without weights are the same for all members.
void read_members(Arrays &arrays, ModelData &data) {
  const std::size_t n_members = data.uncertainty.n_members;
  for (std::size_t t = 0; t < data.terms.size(); ++t) {
    const std::string prefix = "term" + std::to_string(t) + ".";
    Term &term = data.terms[t];
    if (std::vector<SparseSet> *sets = sparse_sets(term))
      read_sparse_members(arrays, prefix, n_members, *sets);
    else if (auto *pair = std::get_if<PairTerm>(&term); pair && pair->n_weights)
      read_members(arrays, prefix, n_members, *pair);
    else if (auto *triplet = std::get_if<TripletTerm>(&term); triplet && triplet->n_weights)
      read_members(arrays, prefix, n_members, *triplet);
  }
}

/// Of a target, for the sparse sets of one term.
void read_target_members(Arrays &arrays, const std::string &name, std::size_t target,
                         std::size_t n_members, std::vector<SparseSet> &sets) {
  for (std::size_t s = 0; s < sets.size(); ++s) {
    SparseSet &set = sets[s];
    const auto own =
        read_deviations(arrays, name + std::to_string(s), {std::size_t(set.size)}, n_members);
    const auto place = std::find(set.targets.begin(), set.targets.end(), target);
    if (place != set.targets.end()) {
      set.target_members.resize(set.targets.size() * own.size());
      std::copy(own.begin(), own.end(),
                set.target_members.begin() + (place - set.targets.begin()) * own.size());
    } else if (std::any_of(own.begin(), own.end(), [](double w) { return w != 0; })) {
      throw Error("array 'members." + name + std::to_string(s) +
                  "' holds deviations from weights that are all zero");
    }
  }
}

/// A list of one number for each species.
std::vector<double> read_by_species(Entry &entry, const char *key, std::size_t n_species) {
  std::vector<double> values;
  for (const json &value : entry.list(key)) values.push_back(value.get<double>());
  const auto fits = [](double value) { return value >= 0 && value <= kMostScale; };
  if (values.size() != n_species || !std::all_of(values.begin(), values.end(), fits))
    throw Error(entry.where() + " has " + key + " that are not one number from 0 for each species");
  return values;
}

/// Factors for standard deviations of a target's values, by species.
std::vector<double> read_target_scale(Entry &entry, const Target &target, std::size_t n_species) {
  return target.per_atom ? read_by_species(entry, "scale", n_species)
                         : std::vector<double>(n_species, entry.number("scale", 0, kMostScale));
}

/// The deviations of target h from its weights.
void read_target_members(Arrays &arrays, std::size_t h, ModelData &data) {
  for (std::size_t t = 0; t < data.terms.size(); ++t) {
    const std::string name =
        "target" + std::to_string(h) + ".term" + std::to_string(t) + ".weights.";
    std::vector<SparseSet> *sets = sparse_sets(data.terms[t]);
    if (sets && arrays.has(name + "0"))
      read_target_members(arrays, name, h, data.uncertainty.n_members, *sets);
  }
}

/// Those of a kernel between structures: checked, and not kept here.
void check_kernel_members(Arrays &arrays, std::size_t h, std::size_t n_members) {
  const std::string name = "target" + std::to_string(h) + ".weights";
  read_deviations(arrays, name, {arrays.read(name, {kAny}).size()}, n_members);
}

/// Scales and edges of the variance and rigidity of a target.
void read_target_measures(Entry &entry, const Target &target, std::size_t n_species,
                          Uncertainty &own) {
  Entry variance = entry.object("variance"), rigidity = entry.object("rigidity");
  own.target_variance_scales.back() = read_target_scale(variance, target, n_species);
  own.target_rigidity_scales.back() = read_target_scale(rigidity, target, n_species);
  if (target.per_atom) own.target_edges.back() = read_by_species(variance, "edges", n_species);
  variance.finish();
  rigidity.finish();
}

/// Of all scalar targets of sums over sparse points, what the first of them has, and of kernels
/// between structures a committee, which the first files lack; whether there is a variance.
bool read_targets(Arrays &arrays, Entry entry, ModelData &data) {
  Uncertainty &uncertainty = data.uncertainty;
  bool has_variance = false;
  for (const Target &target : data.targets)
    if (!target.of_kernel && !target.rank && entry.has(target.name.c_str()))
      has_variance = has_variance || entry.object(target.name.c_str()).has("variance");
  for (std::size_t h = 0; h < data.targets.size(); ++h) {
    const Target &target = data.targets[h];
    if (uncertainty.n_members) uncertainty.target_scales.emplace_back();
    if (has_variance)
      for (auto *values : {&uncertainty.target_variance_scales, &uncertainty.target_rigidity_scales,
                           &uncertainty.target_edges})
        values->emplace_back();
    if (target.rank) continue;  // they have none
    if (target.of_kernel && (!uncertainty.n_members || !entry.has(target.name.c_str()))) continue;
    Entry own = entry.object(target.name.c_str());
    if (uncertainty.n_members) {
      uncertainty.target_scales.back() = read_target_scale(own, target, data.species.size());
      if (target.of_kernel)
        check_kernel_members(arrays, h, uncertainty.n_members);
      else
        read_target_members(arrays, h, data);
    }
    if (has_variance && !target.of_kernel)
      read_target_measures(own, target, data.species.size(), uncertainty);
    own.finish();
  }
  entry.finish();
  return has_variance;
}

/// Factors for standard deviations of energies and forces.
void read_scales(Entry entry, double &energy, double *force) {
  energy = entry.number("energy", 0, kMostScale);
  const double own = entry.number("force", 0, kMostScale);
  if (force) *force = own;
  entry.finish();
}

}  // namespace

void read_uncertainty(Arrays &arrays, const std::map<std::string, std::string> &metadata,
                      ModelData &data) {
  const auto text = metadata.find("uncertainty");
  if (text == metadata.end()) return;
  const json values = parse_json(text->second, "uncertainty");
  Entry entry(values, "the uncertainty of the model file");
  Uncertainty &own = data.uncertainty;
  if (entry.has("committee")) {
    Entry committee = entry.object("committee");
    own.n_members = committee.count("n_members", 2, kMaxMembers);
    if (data.has_potential) {
      read_scales(committee.object("scales"), own.energy_scale, &own.force_scale);
      read_members(arrays, data);
    }
    committee.finish();
  }
  const bool of_targets =
      entry.has("targets") && read_targets(arrays, entry.object("targets"), data);
  if (entry.has("variance")) {
    if (!data.has_potential) throw Error("the model file has variances and no potential");
    Entry variance = entry.object("variance"), rigidity = entry.object("rigidity");
    read_scales(variance.object("scales"), own.variance_scale, nullptr);
    read_scales(rigidity.object("scales"), own.rigidity_scale, nullptr);
    own.edges = read_by_species(variance, "edges", data.species.size());
    variance.finish();
    rigidity.finish();
    own.has_variance = true;
  }
  if (own.has_variance || of_targets) read_variance(arrays, data);
  for (std::size_t h = 0; of_targets && h < data.targets.size(); ++h)
    if (data.targets[h].of_kernel || data.targets[h].rank)
      data.variance->targets.emplace_back();
    else
      read_target_variance(arrays, h, data);
  entry.finish();
  if (!data.has_potential && own.target_scales.empty() && !of_targets)
    throw Error("the model file has an uncertainty of energies and no potential");
  if (own.n_members == 0 && !own.has_variance && !of_targets)
    throw Error(entry.where() + " names no measure");
}

}  // namespace soap_gpr
