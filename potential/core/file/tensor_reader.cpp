// SPDX-License-Identifier: BSD-3-Clause
// Vectors and tensors: bases, a list in the metadata with arrays of their sparse environments, and
// the weights of the targets that stand on them.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "file/term_readers.hpp"
#include "tensors/density_features.hpp"

namespace soap_gpr {

namespace {

constexpr std::size_t kMaxBases = 100;

/// Whether these are two channels of the density that couple to λ as σ says.
bool is_product(const SoapTerm &term, const TensorFeatures &own, const std::int64_t *lq) {
  for (int k = 0; k < 4; k += 2)
    if (lq[k] < 0 || lq[k] > term.l_max || lq[k + 1] < 0 || lq[k + 1] >= term.n_channels[lq[k]])
      return false;
  const bool same = lq[0] == lq[2] && lq[1] == lq[3];
  const bool ordered = lq[0] < lq[2] || (lq[0] == lq[2] && lq[1] <= lq[3]);
  const bool couples = std::abs(lq[0] - lq[2]) <= own.lambda && own.lambda <= lq[0] + lq[2];
  const int sigma = (lq[0] + lq[2] + own.lambda) % 2 ? -1 : 1;
  return ordered && couples && sigma == own.sigma && !(same && sigma < 0);
}

TensorFeatures read_features(Arrays &arrays, Entry entry, const std::string &name,
                             const SoapTerm &term) {
  TensorFeatures own;
  own.lambda = entry.count("lambda", 0, kMaxLambda);
  const double sigma = entry.number("sigma", -1, 1);
  entry.finish();
  if (std::abs(sigma) != 1) throw Error(entry.where() + " has a sigma that is not 1 or -1");
  own.sigma = int(sigma);
  const auto products = arrays.integers(name, {kAny, 4});
  if (products.empty() || products.size() > 4 * std::size_t(kMaxFeatures))
    throw Error("array '" + name + "' has no products, or too many");
  for (std::size_t f = 0; f < products.size(); f += 4)
    if (!is_product(term, own, &products[f]))
      throw Error("array '" + name + "' holds what are no products of its λ");
  own.products.assign(products.begin(), products.end());
  return own;
}

TensorBasis read_basis(Arrays &arrays, Entry entry, std::size_t index, const ModelData &data) {
  TensorBasis basis;
  basis.term = entry.count("term", 0, int(data.terms.size()) - 1);
  const auto *term = std::get_if<SoapTerm>(&data.terms[basis.term]);
  if (!term) throw Error(entry.where() + " names a term that is not of the kind soap");
  basis.zeta = entry.count("zeta", 1, 100);
  const std::string prefix = "basis" + std::to_string(index) + ".";
  const json &parts = entry.list("parts");
  for (std::size_t p = 0; p < parts.size(); ++p)
    basis.features.push_back(
        read_features(arrays, {parts[p], entry.where() + ": its part " + std::to_string(p + 1)},
                      prefix + "features." + std::to_string(p), *term));
  entry.finish();
  std::size_t width = 0;
  for (int l = 0; l <= term->l_max; ++l) width += std::size_t(2 * l + 1) * term->n_channels[l];
  for (std::size_t s = 0; s < term->sparse.size(); ++s) {
    TensorBasis::Set set;
    set.densities = arrays.read(prefix + "densities." + std::to_string(s), {kAny, width});
    set.size = int(set.densities.size() / width);
    if (term->shared_set)
      for (std::int64_t a : arrays.integers(prefix + "species", {std::size_t(set.size)})) {
        if (a < 0 || a >= std::int64_t(data.species.size()))
          throw Error("array '" + prefix + "species' holds what is no species of the model");
        set.species.push_back(int(a));
      }
    basis.sets.push_back(std::move(set));
  }
  return basis;
}

/// λ and σ of what a Cartesian tensor consists of, eq. (26d).
std::vector<std::pair<int, int>> parts_of(int rank, bool symmetric) {
  if (rank == 1) return {{1, 1}};
  if (rank == 3) return {{1, 1}, {3, 1}};
  if (symmetric) return {{0, 1}, {2, 1}};
  return {{0, 1}, {1, -1}, {2, 1}};
}

int find_features(const TensorBasis &basis, const TensorTarget::Part &part,
                  const std::string &where) {
  if (part.lambda == 0 && part.sigma == 1) return -1;
  for (std::size_t f = 0; f < basis.features.size(); ++f)
    if (basis.features[f].lambda == part.lambda && basis.features[f].sigma == part.sigma)
      return int(f);
  throw Error(where + " stands on a basis without features of its λ");
}

}  // namespace

void read_tensor_bases(Arrays &arrays, const std::map<std::string, std::string> &metadata,
                       ModelData &data) {
  const auto list = metadata.find("tensor_bases");
  if (list == metadata.end()) return;
  const json bases = parse_json(list->second, "list of tensor bases");
  if (!bases.is_array() || bases.empty() || bases.size() > kMaxBases)
    throw Error("the model file's list of tensor bases is empty, too long or no list");
  for (std::size_t b = 0; b < bases.size(); ++b)
    data.tensor_bases.push_back(read_basis(
        arrays, {bases[b], "tensor basis " + std::to_string(b + 1) + " of the model file"}, b,
        data));
}

void read_tensor_target(Arrays &arrays, Entry &entry, std::size_t index,
                        const std::vector<bool> &known, ModelData &data, Target &target) {
  target.rank = entry.count("rank", 1, 3);
  const bool symmetric = target.rank == 1 || entry.flag("symmetric");
  if (target.rank == 3 && !symmetric)
    throw Error(entry.where() + " is not symmetric, expected that of rank 3");
  target.n_components = target.rank == 1 ? 3 : target.rank == 2 ? 9 : 27;
  target.row = 0;
  for (const Target &other : data.targets) target.row += other.rank ? other.n_components : 0;
  if (data.tensor_bases.empty()) throw Error(entry.where() + " has no tensor basis");
  TensorTarget own;
  own.target = index;
  own.row = target.row;
  own.basis = entry.count("basis", 0, int(data.tensor_bases.size()) - 1);
  const TensorBasis &basis = data.tensor_bases[own.basis];
  const std::string prefix = "target" + std::to_string(index) + ".";
  for (const auto &[lambda, sigma] : parts_of(target.rank, symmetric)) {
    TensorTarget::Part part{lambda, sigma, -1, own.n_spherical, {}};
    part.features = find_features(basis, part, entry.where());
    const std::string name = prefix + "part" + std::to_string(own.parts.size()) + ".weights.";
    const std::size_t n_mu = 2 * lambda + 1;
    for (std::size_t s = 0; s < basis.sets.size(); ++s) {
      auto weights = arrays.read(name + std::to_string(s), {std::size_t(basis.sets[s].size), n_mu});
      if (std::all_of(weights.begin(), weights.end(), [](double w) { return w == 0; }))
        weights.clear();
      part.weights.push_back(std::move(weights));
    }
    own.n_spherical += int(n_mu);
    own.parts.push_back(std::move(part));
  }
  own.cartesian = arrays.read(prefix + "cartesian",
                              {std::size_t(target.n_components), std::size_t(own.n_spherical)});
  own.mean = target.mean;
  for (std::size_t a = 0; a < known.size(); ++a)
    if (!known[a]) own.mean[a] = std::numeric_limits<double>::quiet_NaN();
  data.tensors.push_back(std::move(own));
}

}  // namespace soap_gpr
