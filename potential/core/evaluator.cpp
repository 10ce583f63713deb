// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <new>

#include "base/threads.hpp"
#include "cpu_layout.hpp"
#include "uncertainty/variance.hpp"

namespace soap_gpr {

namespace {

constexpr int kBlock = 48;  ///< centres per block: the sparse points are read once for all of them
constexpr std::size_t kWorkspaceBytes = std::size_t(256) << 20;  ///< of a term and thread, about

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

/// Numbers that kernel sums of one choice of features hold of n centres.
std::size_t kernel_scratch(const FeatureLayout &layout, std::size_t choice, int n) {
  std::size_t size = 0;
  for (std::size_t s = 0; s < layout.term.sparse.size(); ++s)
    if (layout.term.choice_of(int(s)) == choice)
      size = std::max(size, layout.kernel_sums()[s].scratch_size(n));
  return size;
}

/// Of any sparse set of a term.
std::size_t most_targets(const FeatureLayout &layout) {
  std::size_t n = 0;
  for (const KernelSum &sum : layout.kernel_sums()) n = std::max(n, sum.n_targets());
  return n;
}

/// What a workspace holds for each centre, bytes.
std::size_t bytes_per_center(const FeatureLayout &layout, std::size_t choice) {
  const std::size_t own =
      layout.numbers_per_center() + 2 * std::size_t(layout.term.choices[choice].n_features);
  return sizeof(double) * (own + kernel_scratch(layout, choice, kLanes) / kLanes);
}

/// Centres that a term takes at a time: a whole block unless its features are very many.
int capacity(const FeatureLayout &layout, std::size_t choice) {
  const std::size_t room = kWorkspaceBytes / bytes_per_center(layout, choice);
  return std::max(kLanes, int(std::min<std::size_t>(kBlock, room / kLanes * kLanes)));
}

/// One thread's memory for one choice of features of a term.
struct Workspace {
  Workspace(const FeatureLayout &layout, std::size_t choice)
      : size(capacity(layout, choice)),
        block(layout.make_block(size, choice)),
        g(std::size_t(size) * block->n_features()),
        scratch(kernel_scratch(layout, choice, size)),
        targets(size * most_targets(layout)) {}
  int size;  ///< centres
  std::unique_ptr<FeatureBlock> block;
  AlignedVector g, scratch, targets;
};

using Workspaces = std::vector<std::unique_ptr<Workspace>>;  // [choice of features]

/// Made when the first centre with sparse points is met, so that other terms and threads need none.
Workspace &prepared(Workspaces &work, const FeatureLayout &layout, std::size_t choice) {
  try {
    work.resize(layout.term.choices.size());
    if (!work[choice]) work[choice] = std::make_unique<Workspace>(layout, choice);
  } catch (const std::bad_alloc &) {
    throw Error("the model needs " +
                std::to_string(capacity(layout, choice) * bytes_per_center(layout, choice) >> 20) +
                " MB for every thread that evaluates it, more than there is");
  }
  return *work[choice];
}

/// Adds the time since the last call to a phase; does nothing without a profile.
class Stopwatch {
 public:
  explicit Stopwatch(Profile *profile) : profile_(profile) {
    if (profile_) last_ = Clock::now();
  }
  void lap(double Profile::*phase) {
    if (!profile_) return;
    const auto now = Clock::now();
    profile_->*phase += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Profile *profile_;
  Clock::time_point last_;
};

/// Of no more centres than the workspace is for.
void evaluate_features(const KernelSum &sum, const Environments &environments, const Block &block,
                       Workspace &work, const VariancePart &variance, const Outputs &outputs) {
  Stopwatch watch(outputs.profile);
  work.block->gather(environments, block.centers, block.size);
  watch.lap(&Profile::gather);
  work.block->expand();
  watch.lap(&Profile::expansion);
  work.block->represent();
  watch.lap(&Profile::power_spectrum);
  double energies[kBlock] = {};
  int species[kBlock];
  for (int i = 0; i < block.size; ++i) species[i] = environments.species[block.centers[i]];
  const std::size_t n_targets = outputs.targets ? sum.n_targets() : 0;
  std::fill_n(work.targets.begin(), n_targets * block.size, 0.0);
  const KernelColumns *kernels = nullptr;
  if (variance.work)
    kernels = variance.work->add_features(variance.term, block.centers, block.size, *work.block);
  sum.add(block.size, species, work.block->p_hat(), work.block->dual(), work.block->norm(),
          work.scratch.data(), energies, outputs.f_ij ? work.g.data() : nullptr,
          n_targets ? work.targets.data() : nullptr, kernels);
  for (int i = 0; i < block.size; ++i) outputs.energies[block.centers[i]] += energies[i];
  for (std::size_t k = 0; k < n_targets; ++k)
    for (int i = 0; i < block.size; ++i)
      outputs.targets[sum.target(k) * environments.n_atoms + block.centers[i]] +=
          work.targets[k * block.size + i];
  watch.lap(&Profile::kernel);
  if (!outputs.f_ij) return;
  work.block->representation_adjoint(work.g.data());
  watch.lap(&Profile::power_adjoint);
  work.block->expansion_adjoint(outputs.f_ij);
  watch.lap(&Profile::expansion_adjoint);
}

/// Of centres that one sparse set serves.
void evaluate_feature_set(const FeatureLayout &layout, const Environments &environments,
                          const Block &block, Workspaces &work, const VariancePart &variance,
                          const Outputs &outputs) {
  const int species = environments.species[block.centers[0]];
  const KernelSum &sum = layout.kernel_sums()[layout.term.set_of(species)];
  if (sum.empty()) return;
  Stopwatch watch(outputs.profile);
  Workspace &own = prepared(work, layout, layout.term.choice_of(species));
  watch.lap(&Profile::gather);
  for (int begin = 0; begin < block.size; begin += own.size)
    evaluate_features(sum, environments,
                      {block.centers + begin, std::min(own.size, block.size - begin)}, own,
                      variance, outputs);
}

void evaluate_feature_block(const FeatureLayout &layout, const Environments &environments,
                            Block block, Workspaces &work, const VariancePart &variance,
                            const Outputs &outputs) {
  while (block.size) {
    const int size = layout.term.shared_set ? block.size : run_length(environments, block);
    evaluate_feature_set(layout, environments, {block.centers, size}, work, variance, outputs);
    block = {block.centers + size, block.size - size};
  }
}

void evaluate_cluster_block(const Term &term, const Environments &environments,
                            std::size_t n_species, const Block &block, const VariancePart &variance,
                            const Outputs &outputs) {
  Stopwatch watch(outputs.profile);
  if (const auto *pair = std::get_if<PairTerm>(&term))
    add_pair_term(*pair, environments, n_species, block.centers, block.size, outputs);
  else
    add_triplet_term(std::get<TripletTerm>(term), environments, n_species, block.centers,
                     block.size, outputs);
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

/// Throws Error when the model has not what is asked for; zeros in its place else.
void begin_uncertainty(const Uncertainty &own, std::size_t n_atoms, std::size_t n_pairs,
                       const Outputs &outputs) {
  if ((outputs.members || outputs.member_f_ij) && own.n_members == 0)
    throw Error("the model has no committee: fit it with [uncertainty] committee");
  if ((outputs.variance || outputs.rigidity) && !own.has_variance)
    throw Error("the model has no variance: fit it with [uncertainty] variance = true");
  if (outputs.members) std::fill_n(outputs.members, own.n_members * n_atoms, 0.0);
  if (outputs.member_f_ij && n_pairs)
    std::fill_n(&outputs.member_f_ij[0][0], 3 * own.n_members * n_pairs, 0.0);
}

}  // namespace

struct Evaluator::State {
  State(Model m, int n_threads) : model(std::move(m)), work(n_threads) {
    const std::size_t n_terms = model.data().terms.size();
    for (auto &terms : work) terms.resize(n_terms);
    product_work.resize(n_threads);
    for (auto &terms : product_work) terms.resize(n_terms);
    variance_work.resize(n_threads);
    for (std::size_t t = 0; t < n_terms; ++t) {
      features.push_back(model.cpu().features(t));
      products.push_back(model.cpu().product(t));
      if (!features[t]) continue;
      features[t]->kernel_sums();  // here, and not at the first evaluation
      mixed_blocks = mixed_blocks || features[t]->term.shared_set;
    }
  }
  void evaluate(const Environments &environments, const Outputs &outputs);
  void evaluate(const Environments &environments, const Block &block, int thread,
                const Outputs &outputs);

  Model model;
  bool mixed_blocks = false;                    ///< centres of all species together
  std::vector<const FeatureLayout *> features;  ///< [term] null for other kinds
  std::vector<std::vector<Workspaces>> work;    ///< [thread][term]
  std::vector<const ProductLayout *> products;  ///< [term] null for other kinds
  std::vector<std::vector<std::unique_ptr<ProductWorkspace>>> product_work;  ///< [thread][term]
  std::vector<std::unique_ptr<VarianceWorkspace>> variance_work;             ///< [thread]
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
      evaluate_feature_block(*features[t], environments, block, work[thread][t], variance, outputs);
    else if (products[t])
      evaluate_product_block(*products[t], environments, block, product_work[thread][t], variance,
                             outputs);
    else
      evaluate_cluster_block(data.terms[t], environments, data.species.size(), block, variance,
                             outputs);
  }
  Stopwatch watch(outputs.profile);
  if (variance.work) variance.work->finish(outputs);
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
    begin_uncertainty(state_->model.uncertainty(), n_atoms, n_pairs, outputs);
    state_->evaluate(environments, outputs);
  } catch (const std::bad_alloc &) {
    throw Error("an evaluation of " + std::to_string(n_atoms) + " atoms with " +
                std::to_string(n_pairs) + " neighbours needs more memory than there is");
  }
  check_finite(environments, outputs);
  if (outputs.targets) check_targets(state_->model.targets(), environments, outputs.targets);
}

}  // namespace soap_gpr
