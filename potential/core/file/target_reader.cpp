// SPDX-License-Identifier: BSD-3-Clause
// Properties beside the energy: a list in the metadata, and weights for sparse sets of the terms.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

#include "file/term_readers.hpp"

namespace soap_gpr {

namespace {

constexpr std::size_t kMaxTargets = 100;

/// Species whose atoms have a value; all without a list.
std::vector<bool> known_species(Entry &entry, const std::vector<int> &species) {
  std::vector<bool> known(species.size(), !entry.has("species"));
  if (!entry.has("species")) return known;
  for (const json &value : entry.list("species")) {
    const auto found = std::find(species.begin(), species.end(), value.get<int>());
    if (found == species.end())
      throw Error(entry.where() + " has a species that the model does not know");
    known[found - species.begin()] = true;
  }
  return known;
}

/// The weights for one term, of all its sparse sets or of none; returns whether there are any.
bool read_weights(Arrays &arrays, const std::string &prefix, std::size_t target,
                  std::vector<SparseSet> &sets) {
  if (sets.empty() || !arrays.has(prefix + "0")) return false;
  for (std::size_t s = 0; s < sets.size(); ++s) {
    const std::size_t size = sets[s].size;
    const auto weights = arrays.read(prefix + std::to_string(s), {size});
    if (std::all_of(weights.begin(), weights.end(), [](double w) { return w == 0; })) continue;
    std::vector<double> &all = sets[s].target_weights;
    sets[s].targets.push_back(target);
    all.insert(all.end(), weights.begin(), weights.end());
  }
  return true;
}

/// How much atoms count in a value of structures.
void read_weights_of_atoms(Entry &entry, std::size_t n_species, Target &target) {
  if (target.per_atom || !entry.has("weights")) return;
  if (entry.is_word("weights")) {
    target.weight_column = entry.word("weights");
    if (target.weight_column.empty())
      throw Error(entry.where() + " has weights by a column without a name");
    return;
  }
  double total = 0;
  bool good = true;
  for (const json &value : entry.list("weights")) {
    target.weights.push_back(value.get<double>());
    good = good && target.weights.back() >= 0;
    total += target.weights.back();
  }
  if (!good || target.weights.size() != n_species || !(total > 0) || !std::isfinite(total))
    throw Error(entry.where() + " has weights that are not one number from 0 for each species");
}

/// A kernel between structures, which Python evaluates: checked, and not kept here.
void check_structure_kernel(Arrays &arrays, Entry kernel, const std::string &prefix,
                            const ModelData &data) {
  const int t = kernel.count("term", 0, int(data.terms.size()) - 1);
  const FeatureTerm *term = feature_term(data.terms[t]);
  if (!term) throw Error(kernel.where() + " names a term without features");
  const std::string pooling = kernel.word("pooling"), centers = kernel.word("centers");
  const auto *soap = std::get_if<SoapTerm>(&data.terms[t]);
  const bool spectrum = soap && soap->representation != "bispectrum";
  if (pooling == "density" && (!spectrum || !term->choices[0].products.empty()))
    throw Error(kernel.where() + " has the pooling of a term that is no spectrum of all products");
  if (pooling != "mean" && pooling != "features" && pooling != "rematch" && pooling != "density")
    throw Error(kernel.where() + " has an unknown value of pooling" + kNewer);
  if (centers != "separate" && centers != "shared")
    throw Error(kernel.where() + " has an unknown value of centers" + kNewer);
  if (pooling == "rematch") kernel.number("gamma", 1e-6, 1e6);
  kernel.number("zeta", 1, 100);
  kernel.flag("normalize");
  kernel.finish();
  const std::size_t n = arrays.read(prefix + "weights", {kAny}).size();
  const std::string of = prefix + "structures.", sizes = of + "sizes", shares = of + "shares";
  std::size_t n_rows = 0;
  for (std::int64_t size : arrays.integers(sizes, {n})) {
    if (size < 1 || size > std::int64_t(kMaxCount))
      throw Error("array '" + sizes + "' holds what is no number of environments");
    n_rows += std::size_t(size);
  }
  if (n == 0) throw Error("array '" + sizes + "' has no structures");
  for (std::int64_t a : arrays.integers(of + "species", {n_rows}))
    if (a < 0 || a >= std::int64_t(data.species.size()))
      throw Error("array '" + of + "species' holds what is no species of the model");
  for (double share : arrays.read(shares, {n_rows}))
    if (!(share > 0 && share <= 1))
      throw Error("array '" + shares + "' holds what is no part of a structure");
  int width = 0;
  for (const FeatureChoice &choice : term->choices) width = std::max(width, choice.n_features);
  arrays.read(of + "features", {n_rows, std::size_t(width)});
}

bool is_word(const std::string &name) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), fits);
}

Target read_target(Arrays &arrays, Entry &entry, std::size_t index, ModelData &data) {
  Target target;
  target.name = entry.word("name");
  if (!is_word(target.name)) throw Error(entry.where() + " has a name that is no word");
  target.unit = entry.word("unit");
  target.per_atom = entry.flag("per_atom");
  target.extensive = target.per_atom || entry.flag("extensive");
  read_weights_of_atoms(entry, data.species.size(), target);
  const std::string prefix = "target" + std::to_string(index) + ".";
  target.mean = arrays.read(prefix + "mean", {data.species.size()});
  if (entry.has("kernel")) {
    if (target.per_atom) throw Error(entry.where() + " has a kernel, and values of atoms");
    check_structure_kernel(arrays, entry.object("kernel"), prefix, data);
    target.of_kernel = true;
    target.mean.assign(data.species.size(), std::numeric_limits<double>::quiet_NaN());
    return target;
  }
  const std::vector<bool> known = known_species(entry, data.species);
  if (entry.has("rank")) {
    read_tensor_target(arrays, entry, index, known, data, target);
    target.mean.assign(data.species.size(), std::numeric_limits<double>::quiet_NaN());
    return target;
  }
  for (std::size_t a = 0; a < known.size(); ++a)
    if (!known[a]) target.mean[a] = std::numeric_limits<double>::quiet_NaN();
  bool found = false;
  for (std::size_t t = 0; t < data.terms.size(); ++t)
    if (std::vector<SparseSet> *sets = sparse_sets(data.terms[t])) {
      const std::string own = prefix + "term" + std::to_string(t) + ".weights.";
      found = read_weights(arrays, own, index, *sets) || found;
    }
  if (!found) throw Error(entry.where() + " has no weights");
  return target;
}

}  // namespace

void read_targets(Arrays &arrays, const std::map<std::string, std::string> &metadata,
                  ModelData &data) {
  const auto potential = metadata.find("potential");
  data.has_potential = potential == metadata.end();
  if (!data.has_potential && potential->second != "none")
    throw Error("the model file's metadata have an unknown value of potential" +
                std::string(kNewer));
  const auto list = metadata.find("targets");
  if (list == metadata.end()) {
    if (!data.has_potential) throw Error("the model file has neither a potential nor targets");
    return;
  }
  const json targets = parse_json(list->second, "list of targets");
  if (!targets.is_array() || targets.empty() || targets.size() > kMaxTargets)
    throw Error("the model file's list of targets is empty, too long or no list");
  for (std::size_t h = 0; h < targets.size(); ++h) {
    Entry entry(targets[h], "target " + std::to_string(h + 1) + " of the model file");
    data.targets.push_back(read_target(arrays, entry, h, data));
    entry.finish();
    for (std::size_t k = 0; k < h; ++k)
      if (data.targets[k].name == data.targets[h].name)
        throw Error(entry.where() + " has the name of another");
  }
}

}  // namespace soap_gpr
