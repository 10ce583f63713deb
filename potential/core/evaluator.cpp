// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <new>

#include "base/stopwatch.hpp"
#include "base/threads.hpp"
#include "cpu_layout.hpp"
#include "features/feature_workspace.hpp"
#include "tensors/tensor_outputs.hpp"
#include "uncertainty/variance.hpp"

namespace soap_gpr {

namespace {

struct Block {
  const std::size_t *centers;
  int size;
};

/// Centres sorted by species and cut into blocks, which mix species only where that is asked for.
std::vector<Block> make_blocks(const Environments &environments, std::size_t n_species, bool mixed,
                               std::vector<std::size_t> &order) {
  std::vector<std::size_t> begin(n_species + 1, 0);
  for (std::size_t i = 0; i < environments.n_atoms; ++i) ++begin[environments.species[i] + 1];
  for (std::size_t a = 0; a < n_species; ++a) begin[a + 1] += begin[a];
  order.resize(environments.n_atoms);
  auto next = begin;
  for (std::size_t i = 0; i < environments.n_atoms; ++i) order[next[environments.species[i]]++] = i;
  std::vector<Block> blocks;
  if (mixed) begin = {0, environments.n_atoms};
  for (std::size_t a = 0; a + 1 < begin.size(); ++a)
    for (std::size_t i = begin[a]; i < begin[a + 1]; i += kBlock)
      blocks.push_back({&order[i], int(std::min<std::size_t>(kBlock, begin[a + 1] - i))});
  return blocks;
}

/// The centres at the start of a block that are of one species.
int run_length(const Environments &environments, const Block &block) {
  int n = 1;
  while (n < block.size &&
         environments.species[block.centers[n]] == environments.species[block.centers[0]])
    ++n;
  return n;
}

void evaluate_feature_block(const FeatureLayout &layout, const Environments &environments,
                            Block block, FeatureWorkspaces &work, const VariancePart &variance,
                            TensorWorkspace *tensors, const Outputs &outputs) {
  while (block.size) {
    const int size = layout.term.shared_set ? block.size : run_length(environments, block);
    work.evaluate(layout, environments, block.centers, size, variance, tensors, outputs);
    block = {block.centers + size, block.size - size};
  }
}

void evaluate_cluster_block(const ModelData &data, const Term &term,
                            const Environments &environments, const Block &block,
                            const VariancePart &variance, const Outputs &outputs) {
  Stopwatch watch(outputs.profile);
  const std::size_t n_species = data.species.size(), n_members = data.uncertainty.n_members;
  const bool members = outputs.members || outputs.member_f_ij;
  const auto [centers, n] = block;
  if (const auto *pair = std::get_if<PairTerm>(&term)) {
    add_pair_term(*pair, environments, n_species, centers, n, outputs);
    if (members) add_pair_members(*pair, environments, n_species, n_members, centers, n, outputs);
  } else {
    const auto &triplet = std::get<TripletTerm>(term);
    add_triplet_term(triplet, environments, n_species, centers, n, outputs);
    if (members)
      add_triplet_members(triplet, environments, n_species, n_members, centers, n, outputs);
  }
  if (variance.work) variance.work->add_clusters(variance.term, environments);
  watch.lap(&Profile::clusters);
}

void evaluate_product_block(const ProductLayout &product, const Environments &environments,
                            Block block, std::unique_ptr<ProductWorkspace> &work,
                            const VariancePart &variance, const Outputs &outputs) {
  Stopwatch watch(outputs.profile);
  if (!work) work = std::make_unique<ProductWorkspace>(product);
  while (block.size) {
    const int size = run_length(environments, block);
    const KernelColumns *kernels = nullptr;
    if (variance.work) kernels = variance.work->add_product(variance.term, block.centers, size);
    work->evaluate(environments, block.centers, size, kernels, outputs);
    block = {block.centers + size, block.size - size};
  }
  watch.lap(&Profile::kernel);
}

/// The sum over threads.
void add(const std::vector<Profile> &profiles, Profile &total) {
  for (const Profile &p : profiles) {
    total.gather += p.gather;
    total.expansion += p.expansion;
    total.power_spectrum += p.power_spectrum;
    total.tensors += p.tensors;
    total.kernel += p.kernel;
    total.clusters += p.clusters;
    total.power_adjoint += p.power_adjoint;
    total.expansion_adjoint += p.expansion_adjoint;
  }
}

void check_finite(const Environments &environments, const Outputs &outputs) {
  double total = 0;
  for (std::size_t i = 0; i < environments.n_atoms; ++i) total += outputs.energies[i];
  if (outputs.f_ij)
    for (std::size_t k = 0; k < environments.offset[environments.n_atoms]; ++k)
      total += outputs.f_ij[k][0] + outputs.f_ij[k][1] + outputs.f_ij[k][2];
  if (!std::isfinite(total)) throw Error("an energy or force is not finite");
}

/// Of the atoms that have a value.
void check_targets(const std::vector<Target> &targets, const Environments &environments,
                   const double *values) {
  for (const Target &target : targets)
    for (std::size_t i = 0; i < environments.n_atoms; ++i, ++values)
      if (!std::isfinite(*values) && !std::isnan(target.mean[environments.species[i]]))
        throw Error("a value of the target " + target.name + " is not finite");
}

/// nan: what has a number gets it.
void begin_target_variance(const ModelData &data, std::size_t n_atoms, double *values) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  if (values) std::fill_n(values, data.targets.size() * n_atoms, none);
}

/// Zeros, of atoms that have a value.
void begin_target_members(const ModelData &data, const Environments &environments, double *values) {
  for (const Target &target : data.targets)
    for (std::size_t c = 0; c < data.uncertainty.n_members; ++c)
      for (std::size_t i = 0; i < environments.n_atoms; ++i)
        *values++ = 0 * target.mean[environments.species[i]];
}

/// Throws Error when the model has not what is asked for; zeros in its place else.
void begin_uncertainty(const ModelData &data, const Environments &environments,
                       const Outputs &outputs) {
  const Uncertainty &own = data.uncertainty;
  const std::size_t n_atoms = environments.n_atoms, n_pairs = environments.offset[n_atoms];
  const bool of_energies = own.n_members && data.has_potential;
  if ((outputs.members || outputs.member_f_ij) && !of_energies)
    throw Error("the model has no committee: fit it with [uncertainty] committee");
  if ((outputs.variance || outputs.rigidity) && !own.has_variance)
    throw Error("the model has no variance: fit it with [uncertainty] variance = true");
  if (outputs.target_members && own.target_scales.empty())
    throw Error("the model has no committee of targets: fit it with [uncertainty] committee");
  if ((outputs.target_variance || outputs.target_rigidity) && own.target_variance_scales.empty())
    throw Error("the model has no variance of targets: fit it with [uncertainty] variance = true");
  begin_target_variance(data, n_atoms, outputs.target_variance);
  begin_target_variance(data, n_atoms, outputs.target_rigidity);
  if (outputs.members) std::fill_n(outputs.members, own.n_members * n_atoms, 0.0);
  if (outputs.member_f_ij && n_pairs)
    std::fill_n(&outputs.member_f_ij[0][0], 3 * own.n_members * n_pairs, 0.0);
  if (outputs.target_members) begin_target_members(data, environments, outputs.target_members);
}

}  // namespace

struct Evaluator::State {
  State(Model m, int n_threads) : model(std::move(m)), work(n_threads) {
    const std::size_t n_terms = model.data().terms.size();
    for (auto &terms : work) terms.resize(n_terms);
    product_work.resize(n_threads);
    for (auto &terms : product_work) terms.resize(n_terms);
    variance_work.resize(n_threads);
    tensor_work.resize(n_threads);
    for (auto &terms : tensor_work) terms.resize(n_terms);
    for (std::size_t t = 0; t < n_terms; ++t) {
      features.push_back(model.cpu().features(t));
      products.push_back(model.cpu().product(t));
      tensors.push_back(model.cpu().tensors(t));
      if (!features[t]) continue;
      features[t]->kernel_sums();  // here, and not at the first evaluation
      mixed_blocks = mixed_blocks || features[t]->term.shared_set;
    }
  }
  void evaluate(const Environments &environments, const Outputs &outputs);
  void evaluate(const Environments &environments, const Block &block, int thread,
                const Outputs &outputs);
  /// Null where no vector or tensor takes the density of a term.
  TensorWorkspace *tensors_of(int thread, std::size_t term) {
    auto &own = tensor_work[thread][term];
    if (!own && !tensors[term].empty()) own = std::make_unique<TensorWorkspace>(tensors[term]);
    return own.get();
  }

  Model model;
  bool mixed_blocks = false;                         ///< centres of all species together
  std::vector<const FeatureLayout *> features;       ///< [term] null for other kinds
  std::vector<std::vector<FeatureWorkspaces>> work;  ///< [thread][term]
  std::vector<const ProductLayout *> products;       ///< [term] null for other kinds
  std::vector<std::vector<std::unique_ptr<ProductWorkspace>>> product_work;  ///< [thread][term]
  std::vector<std::unique_ptr<VarianceWorkspace>> variance_work;             ///< [thread]
  std::vector<std::vector<const TensorLayout *>> tensors;                    ///< [term] bases
  std::vector<std::vector<std::unique_ptr<TensorWorkspace>>> tensor_work;    ///< [thread][term]
  std::vector<std::size_t> order;
  std::vector<double> energies;  ///< where nobody asks for them
};

void Evaluator::State::evaluate(const Environments &environments, const Block &block, int thread,
                                const Outputs &outputs) {
  const ModelData &data = model.data();
  VariancePart variance;
  if (wants_variance(outputs)) {
    auto &own = variance_work[thread];
    if (!own) own = std::make_unique<VarianceWorkspace>(data);
    own->start(environments, block.centers, block.size);
    variance.work = own.get();
  }
  for (std::size_t t = 0; t < data.terms.size(); ++t) {
    variance.term = t;
    if (outputs.term >= 0 && std::size_t(outputs.term) != t)
      continue;
    else if (features[t])
      evaluate_feature_block(*features[t], environments, block, work[thread][t], variance,
                             wants_tensors(outputs) ? tensors_of(thread, t) : nullptr, outputs);
    else if (products[t])
      evaluate_product_block(*products[t], environments, block, product_work[thread][t], variance,
                             outputs);
    else
      evaluate_cluster_block(data, data.terms[t], environments, block, variance, outputs);
  }
  Stopwatch watch(outputs.profile);
  if (variance.work) variance.work->finish(outputs, environments.n_atoms);
  watch.lap(&Profile::kernel);
}

void Evaluator::State::evaluate(const Environments &environments, const Outputs &outputs) {
  const bool mixed = mixed_blocks && !wants_variance(outputs);
  const auto blocks = make_blocks(environments, model.species().size(), mixed, order);
  const int n_blocks = int(blocks.size()), n_threads = int(work.size());
  std::vector<Profile> profiles(outputs.profile ? n_threads : 0);
  std::exception_ptr failure;
  // every pair and every centre belongs to one block, so that threads never write to the same place
#pragma omp parallel for schedule(dynamic) num_threads(team_size(n_threads))
  for (int b = 0; b < n_blocks; ++b) {
    const int thread = thread_index();
    Outputs own = outputs;
    if (outputs.profile) own.profile = &profiles[thread];
    try {
      evaluate(environments, blocks[b], thread, own);
    } catch (...) {
#pragma omp critical
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
  if (outputs.profile) add(profiles, *outputs.profile);
}

Evaluator::Evaluator(Model model, int n_threads) {
  if (n_threads < 1)
    throw Error("n_threads: found " + std::to_string(n_threads) + ", expected 1 or more");
  try {
    state_ = std::make_unique<State>(std::move(model), n_threads);
  } catch (const std::bad_alloc &) {
    throw Error("the model needs more memory than there is");
  }
}
Evaluator::~Evaluator() = default;
Evaluator::Evaluator(Evaluator &&) noexcept = default;
const Model &Evaluator::model() const { return state_->model; }

void Evaluator::evaluate(const Environments &environments, const Outputs &wanted) {
  const std::size_t n_atoms = environments.n_atoms, n_pairs = environments.offset[n_atoms];
  const std::vector<double> &e0 = state_->model.data().e0;
  Outputs outputs = wanted;
  try {
    if (!outputs.energies) {
      state_->energies.resize(n_atoms);
      outputs.energies = state_->energies.data();
    }
    for (std::size_t i = 0; i < n_atoms; ++i)
      outputs.energies[i] = outputs.term < 0 ? e0[environments.species[i]] : 0;
    const std::vector<Target> &targets = state_->model.targets();
    for (std::size_t h = 0; outputs.targets && h < targets.size(); ++h)
      for (std::size_t i = 0; i < n_atoms; ++i)
        outputs.targets[h * n_atoms + i] =
            outputs.term < 0 ? targets[h].mean[environments.species[i]] : 0;
    if (outputs.f_ij) std::fill(&outputs.f_ij[0][0], &outputs.f_ij[n_pairs][0], 0.0);
    if (outputs.transfers) std::fill_n(outputs.transfers, n_pairs, Transfer{});
    begin_uncertainty(state_->model.data(), environments, outputs);
    begin_tensors(state_->model.data(), environments, outputs);
    state_->evaluate(environments, outputs);
    finish_tensors(state_->model.data(), environments, outputs);
  } catch (const std::bad_alloc &) {
    throw Error("an evaluation of " + std::to_string(n_atoms) + " atoms with " +
                std::to_string(n_pairs) + " neighbours needs more memory than there is");
  }
  check_finite(environments, outputs);
  if (outputs.targets) check_targets(state_->model.targets(), environments, outputs.targets);
}

}  // namespace soap_gpr
