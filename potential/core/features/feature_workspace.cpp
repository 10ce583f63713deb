// SPDX-License-Identifier: BSD-3-Clause
#include "features/feature_workspace.hpp"

#include <algorithm>
#include <new>
#include <string>

#include "base/stopwatch.hpp"

namespace soap_gpr {

namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t(256) << 20;  ///< of a term and thread, about

/// The largest number that a kernel sum of one choice of features has.
template <class Number>
std::size_t most(const FeatureLayout &layout, std::size_t choice, Number number) {
  std::size_t size = 0;
  for (std::size_t s = 0; s < layout.term.sparse.size(); ++s)
    if (layout.term.choice_of(int(s)) == choice)
      size = std::max(size, std::size_t(number(layout.kernel_sums()[s])));
  return size;
}

/// Numbers that kernel sums hold of n centres.
std::size_t kernel_scratch(const FeatureLayout &layout, std::size_t choice, int n) {
  return most(layout, choice, [n](const KernelSum &sum) { return sum.scratch_size(n); });
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

}  // namespace

/// Of one choice of features.
class FeatureWorkspaces::Workspace {
 public:
  Workspace(const FeatureLayout &layout, std::size_t choice)
      : size(capacity(layout, choice)),
        block_(layout.make_block(size, choice)),
        g_(std::size_t(size) * block_->n_features()),
        scratch_(kernel_scratch(layout, choice, size)) {
    for (int kind = 0; kind < kColumnKinds; ++kind)
      columns_[kind].resize(
          size * most(layout, choice, [kind](const auto &sum) { return sum.n_columns(kind); }));
  }

  /// Of no more centres than `size`.
  void evaluate(const KernelSum &sum, const Environments &environments, const std::size_t *centers,
                int n, const VariancePart &variance, TensorWorkspace *tensors,
                const Outputs &outputs);

  const int size;  ///< centres

 private:
  void add_sums(const KernelSum &sum, const KernelSum::Centers &own,
                const Environments &environments, const std::size_t *centers,
                const KernelColumns *kernels, const Outputs &outputs);
  void add_member_forces(const KernelSum &sum, const KernelSum::Centers &own, std::size_t n_pairs,
                         const Outputs &outputs, Stopwatch &watch);

  std::unique_ptr<FeatureBlock> block_;
  AlignedVector g_, scratch_, columns_[kColumnKinds];
  AlignedVector slopes_, gradients_;  ///< grow when forces of members are asked for
};

void FeatureWorkspaces::Workspace::evaluate(const KernelSum &sum, const Environments &environments,
                                            const std::size_t *centers, int n,
                                            const VariancePart &variance, TensorWorkspace *tensors,
                                            const Outputs &outputs) {
  Stopwatch watch(outputs.profile);
  block_->gather(environments, centers, n);
  watch.lap(&Profile::gather);
  block_->expand();
  watch.lap(&Profile::expansion);
  block_->represent();
  watch.lap(&Profile::power_spectrum);
  if (tensors) {
    tensors->add(environments, centers, n, static_cast<EnvironmentBlock &>(*block_), outputs);
    watch.lap(&Profile::tensors);
  }
  if (sum.empty()) return;
  int species[kBlock];
  for (int i = 0; i < n; ++i) species[i] = environments.species[centers[i]];
  const KernelSum::Centers own{n, species, block_->p_hat(), block_->dual(), block_->norm()};
  const KernelColumns *kernels = nullptr;
  if (variance.work) kernels = variance.work->add_features(variance.term, centers, n, *block_);
  add_sums(sum, own, environments, centers, kernels, outputs);
  watch.lap(&Profile::kernel);
  if (outputs.f_ij) {
    block_->representation_adjoint(g_.data(), 0);
    watch.lap(&Profile::power_adjoint);
    block_->expansion_adjoint(1, outputs.f_ij, 0);
    watch.lap(&Profile::expansion_adjoint);
  }
  if (!outputs.member_f_ij) return;
  add_member_forces(sum, own, environments.offset[environments.n_atoms], outputs, watch);
}

/// Everything but forces, which leave ∂ε/∂p in g_.
void FeatureWorkspaces::Workspace::add_sums(const KernelSum &sum, const KernelSum::Centers &own,
                                            const Environments &environments,
                                            const std::size_t *centers,
                                            const KernelColumns *kernels, const Outputs &outputs) {
  double energies[kBlock] = {};
  KernelSum::Sums sums;
  for (int kind = 0; kind < kColumnKinds; ++kind)
    if (column_output(outputs, kind) && sum.n_columns(kind)) {
      sums.columns[kind] = columns_[kind].data();
      std::fill_n(sums.columns[kind], std::size_t(sum.n_columns(kind)) * own.n, 0.0);
    }
  sums.energy = energies;
  sums.kernels = kernels;
  if (outputs.f_ij) sums.g = g_.data();
  if (outputs.member_f_ij && sum.n_columns(kMembers)) {
    const std::size_t size = sum.slopes_size(own.n);
    slopes_.resize(std::max(slopes_.size(), size));
    if (size) sums.slopes = slopes_.data();
  }
  sum.add(own, scratch_.data(), sums);
  const std::size_t n_atoms = environments.n_atoms;
  for (int i = 0; i < own.n; ++i) outputs.energies[centers[i]] += energies[i];
  for (int kind = 0; kind < kColumnKinds; ++kind)
    for (int k = 0; sums.columns[kind] && k < sum.n_columns(kind); ++k) {
      double *row = column_output(outputs, kind) + sum.row(kind, k) * n_atoms;
      for (int i = 0; i < own.n; ++i) row[centers[i]] += sums.columns[kind][k * own.n + i];
    }
}

void FeatureWorkspaces::Workspace::add_member_forces(const KernelSum &sum,
                                                     const KernelSum::Centers &own,
                                                     std::size_t n_pairs, const Outputs &outputs,
                                                     Stopwatch &watch) {
  for (int first = 0; first < sum.n_columns(kMembers); first += kEnergies) {
    const int n = std::min(kEnergies, sum.n_columns(kMembers) - first);
    const std::size_t size = sum.gradient_size(own.n);
    gradients_.resize(std::max(gradients_.size(), n * size));
    sum.member_gradients(first, n, own, scratch_.data(), slopes_.data(), gradients_.data());
    for (int c = 0; c < n; ++c) {
      sum.finish_gradient(own, scratch_.data(), &gradients_[c * size], g_.data());
      watch.lap(&Profile::kernel);
      block_->representation_adjoint(g_.data(), c);
      watch.lap(&Profile::power_adjoint);
    }
    block_->expansion_adjoint(n, outputs.member_f_ij + first * n_pairs, n_pairs);
    watch.lap(&Profile::expansion_adjoint);
  }
}

FeatureWorkspaces::FeatureWorkspaces() = default;
FeatureWorkspaces::~FeatureWorkspaces() = default;
FeatureWorkspaces::FeatureWorkspaces(FeatureWorkspaces &&) noexcept = default;

/// Made when the first centre with sparse points is met, so that other terms and threads need none.
FeatureWorkspaces::Workspace &FeatureWorkspaces::prepared(const FeatureLayout &layout,
                                                          std::size_t choice) {
  try {
    of_choices_.resize(layout.term.choices.size());
    if (!of_choices_[choice]) of_choices_[choice] = std::make_unique<Workspace>(layout, choice);
  } catch (const std::bad_alloc &) {
    throw Error("the model needs " +
                std::to_string(capacity(layout, choice) * bytes_per_center(layout, choice) >> 20) +
                " MB for every thread that evaluates it, more than there is");
  }
  return *of_choices_[choice];
}

void FeatureWorkspaces::evaluate(const FeatureLayout &layout, const Environments &environments,
                                 const std::size_t *centers, int n, const VariancePart &variance,
                                 TensorWorkspace *tensors, const Outputs &outputs) {
  const int species = environments.species[centers[0]];
  const KernelSum &sum = layout.kernel_sums()[layout.term.set_of(species)];
  if (tensors && !tensors->serves(layout.term.set_of(species))) tensors = nullptr;
  if (sum.empty() && !tensors) return;
  Stopwatch watch(outputs.profile);
  Workspace &own = prepared(layout, layout.term.choice_of(species));
  watch.lap(&Profile::gather);
  for (int begin = 0; begin < n; begin += own.size)
    own.evaluate(sum, environments, centers + begin, std::min(own.size, n - begin), variance,
                 tensors, outputs);
}

}  // namespace soap_gpr
