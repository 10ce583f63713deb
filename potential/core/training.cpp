// SPDX-License-Identifier: BSD-3-Clause
#include "training.hpp"

#include <algorithm>
#include <cmath>

#include "block_product.hpp"
#include "design_rows.hpp"
#include "environment_block.hpp"
#include "kernel.hpp"
#include "model_data.hpp"

namespace soap_gpr {

namespace {

/// Gradients of one centre's power spectrum with respect to every atom it sees and to strain,
/// first as B_qq' = Σ_m dc_qm c_q'm, which is linear and cheap to add up, then packed like p.
class FeatureGradients {
 public:
  FeatureGradients(const SoapTerm &term, std::size_t n_atoms)
      : term_(term), slot_(n_atoms, -1), dc_(std::size_t(3) * term.n_coefficients) {
    for (const Channels &channels : term.channels)
      size_ += std::size_t(channels.size) * channels.stride;
  }

  /// Atoms with a non-zero gradient; rows 3s..3s+2 of `packed` belong to atoms()[s], six rows of
  /// virial follow.
  const std::vector<std::size_t> &atoms() const { return atoms_; }
  std::size_t n_rows() const { return 3 * atoms_.size() + 6; }

  void compute(EnvironmentBlock &block, std::size_t center, const Environments &environments,
               const std::size_t *neighbor) {
    const std::size_t *own = neighbor + environments.offset[center];
    for (std::size_t atom : atoms_) slot_[atom] = -1;
    atoms_.clear();
    add_atom(center);
    for (const auto &batch : block.neighborhood(0).batches())
      for (int k = 0; k < batch.size; ++k) add_atom(own[batch.pair[k]]);
    unpacked_.assign(n_rows() * size_, 0.0);
    for (const auto &batch : block.neighborhood(0).batches()) {
      block.expansion().prepare(batch);
      for (int k = 0; k < batch.size; ++k) {
        block.expansion().derivative(batch, k, dc_.data());
        add_pair(batch, k, block.coefficients(0), slot_[own[batch.pair[k]]]);
      }
    }
  }

  /// packed[n_rows][n_features]
  void pack(AlignedVector &packed) const {
    packed.resize(n_rows() * term_.n_features);
    double *out = packed.data();
    for (std::size_t row = 0; row < n_rows(); ++row) {
      const double *b = &unpacked_[row * size_];
      for (int l = 0; l <= term_.l_max; ++l) {
        const Channels &channels = term_.channels[l];
        const double diagonal = 1.0 / std::sqrt(2.0 * l + 1.0), off_diagonal = diagonal * M_SQRT2;
        for (int q = 0; q < channels.size; ++q) {
          *out++ = 2 * diagonal * b[q * channels.stride + q];
          for (int k = q + 1; k < channels.size; ++k)
            *out++ = off_diagonal * (b[q * channels.stride + k] + b[k * channels.stride + q]);
        }
        b += channels.size * channels.stride;
      }
    }
  }

 private:
  void add_atom(std::size_t atom) {
    if (slot_[atom] >= 0) return;
    slot_[atom] = int(atoms_.size());
    atoms_.push_back(atom);
  }

  /// The gradient goes to the neighbour, with the other sign to the centre (slot 0), and times
  /// r_ij to the strain.
  void add_pair(const Neighborhood::Batch &batch, int k, const double *c, int slot) {
    const auto &groups = term_.tables[batch.species].groups();
    double *strain = &unpacked_[3 * atoms_.size() * size_];
    std::size_t offset = 0;
    for (int l = 0; l <= term_.l_max; ++l) {
      const Channels &channels = term_.channels[l];
      for (int q = groups[l].q_begin; q < groups[l].q_begin + groups[l].size; ++q)
        for (int group = 0; group < channels.stride; group += kLanes) {
          const std::size_t at = offset + std::size_t(q) * channels.stride + group;
          Lanes b[3];
          for (int x = 0; x < 3; ++x) {
            const double *dc = &dc_[x * std::size_t(term_.n_coefficients) + channels.offset + q];
            const double *row = c + channels.offset + group;
            b[x] = broadcast(0.0);
            for (int m = 0; m <= 2 * l; ++m)
              b[x] += dc[m * channels.stride] * load(row + m * channels.stride);
            double *plus = &unpacked_[(3 * slot + x) * size_ + at];
            store(plus, load(plus) + b[x]);
            double *minus = &unpacked_[x * size_ + at];
            store(minus, load(minus) - b[x]);
          }
          for (int v = 0; v < 6; ++v) {
            const double r = batch.r[k] * batch.unit[kVoigt[v][1]][k];
            double *out = strain + v * size_ + at;
            store(out, load(out) + r * b[kVoigt[v][0]]);
          }
        }
      offset += std::size_t(channels.size) * channels.stride;
    }
  }

  const SoapTerm &term_;
  std::size_t size_ = 0;   ///< length of one unpacked row
  std::vector<int> slot_;  ///< [n_atoms] row triple of an atom, or -1
  std::vector<std::size_t> atoms_;
  AlignedVector dc_, unpacked_;
};

/// k[m] = δ² (p̂·p̂_m)^ζ and slope[m] = δ² ζ (p̂·p̂_m)^(ζ-1) / |p|, dot[m] = p̂·p̂_m.
struct KernelRow {
  AlignedVector dot, k, slope;
  KernelRow(const SoapTerm &term, const SparseSet &sparse, const double *p_hat, double norm)
      : dot(sparse.size), k(sparse.size), slope(sparse.size) {
    const double delta2 = term.kernel.delta * term.kernel.delta;
    for (int m = 0; m < sparse.size; ++m) {
      const double *point = &sparse.points[std::size_t(m) * term.n_features];
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int f = 0; f < term.n_features; ++f) sum += p_hat[f] * point[f];
      dot[m] = sum;
      const double power = delta2 * integer_power(dot[m], term.kernel.integer_zeta - 1);
      k[m] = power * dot[m];
      slope[m] = norm > 0 ? term.kernel.zeta * power / norm : 0;
    }
  }
};

/// The gradients of one centre with p̂ projected out, in panels with the rows side by side.
class GradientPanels {
 public:
  /// Projects the rows of `packed` in place.
  void fill(int n_features, int n_rows, const double *p_hat, AlignedVector &packed) {
    n_features_ = n_features;
    n_rows_ = n_rows;
    packed.resize(std::size_t(padded(n_rows)) * n_features);  // zeros at the end
    for (int row = 0; row < n_rows; ++row)
      project(n_features, p_hat, &packed[std::size_t(row) * n_features]);
    values_.resize(packed.size());
    for (int first = 0; first < n_rows; first += kPanelWidth)
      for (int r = 0; r < width(first); r += kLanes)
        load_rows(&packed[std::size_t(first + r) * n_features], width(first), panel(first) + r);
  }
  int n_rows() const { return n_rows_; }
  int width(int first) const { return std::min(kPanelWidth, padded(n_rows_ - first)); }
  double *panel(int first) { return &values_[std::size_t(first) * n_features_]; }

 private:
  static void project(int n_features, const double *p_hat, double *dp) {
    double along = 0;
#pragma omp simd reduction(+ : along)
    for (int f = 0; f < n_features; ++f) along += dp[f] * p_hat[f];
#pragma omp simd
    for (int f = 0; f < n_features; ++f) dp[f] -= along * p_hat[f];
  }

  /// kLanes rows of n_features into as many columns.
  void load_rows(const double *rows, int width, double *columns) const {
    Lanes block[kLanes];
    int f = 0;
    for (; f + kLanes <= n_features_; f += kLanes) {
      for (int i = 0; i < kLanes; ++i) block[i] = load(rows + std::size_t(i) * n_features_ + f);
      transpose(block);
      for (int i = 0; i < kLanes; ++i) store(columns + std::size_t(f + i) * width, block[i]);
    }
    for (; f < n_features_; ++f)
      for (int i = 0; i < kLanes; ++i)
        columns[std::size_t(f) * width + i] = rows[std::size_t(i) * n_features_ + f];
  }

  int n_features_ = 0, n_rows_ = 0;
  AlignedVector values_;
};

/// targets[r][m] -= slope[m] dots[m][r] for n points and the rows of a panel.
void subtract_panel(int n, int n_rows, int width, const double *dots, const double *slope,
                    double *const *targets) {
  Lanes block[kLanes];
  for (int r = 0; r < n_rows; r += kLanes) {
    const int size = std::min(kLanes, n_rows - r);
    int m = 0;
    for (; m + kLanes <= n; m += kLanes) {
      for (int i = 0; i < kLanes; ++i) block[i] = load(dots + std::size_t(m + i) * width + r);
      transpose(block);
      for (int i = 0; i < size; ++i) {
        double *out = targets[r + i] + m;
        store(out, load(out) - load(slope + m) * block[i]);
      }
    }
    for (; m < n; ++m)
      for (int i = 0; i < size; ++i)
        targets[r + i][m] -= slope[m] * dots[std::size_t(m) * width + r + i];
  }
}

/// Subtracts ∂ε_i/∂(atom or strain) of one centre from its rows of forces and virial.
void subtract_gradients(const SparseSet &sparse, const KernelRow &kernel, GradientPanels &gradients,
                        const std::vector<double *> &targets) {
  const std::size_t n_features = sparse.rank;
  alignas(64) double dots[kKernelTile * kPanelWidth];
  std::vector<double *> own(targets);
  for (int begin = 0; begin < sparse.size; begin += kKernelTile) {
    const int n = std::min(kKernelTile, sparse.size - begin);
    for (int first = 0; first < gradients.n_rows(); first += kPanelWidth) {
      const int width = gradients.width(first);
      panel_product<false>(width, n, sparse.rank,
                           {&sparse.points[begin * n_features], n_features, 1},
                           gradients.panel(first), dots);
      subtract_panel(n, std::min(width, gradients.n_rows() - first), width, dots,
                     &kernel.slope[begin], &own[first]);
    }
    for (double *&target : own) target += n;
  }
}

/// Where the rows of FeatureGradients go in the rows of a structure.
std::vector<double *> target_rows(const FeatureGradients &gradients, std::size_t n_atoms,
                                  std::size_t n_columns, double *rows) {
  std::vector<double *> targets;
  for (std::size_t atom : gradients.atoms())
    for (int x = 0; x < 3; ++x) targets.push_back(rows + (1 + 3 * atom + x) * n_columns);
  for (int v = 0; v < 6; ++v) targets.push_back(rows + (1 + 3 * n_atoms + v) * n_columns);
  return targets;
}

void add_term_rows(const SoapTerm &term, const std::vector<std::size_t> &columns,
                   const Environments &environments, const std::size_t *neighbor,
                   std::size_t n_columns, double *rows) {
  EnvironmentBlock block(term, 1);
  FeatureGradients gradients(term, neighbor ? environments.n_atoms : 0);
  GradientPanels panels;
  AlignedVector packed;
  for (std::size_t i = 0; i < environments.n_atoms; ++i) {
    const int a = environments.species[i];
    const SparseSet &sparse = term.sparse[a];
    if (sparse.size == 0) continue;
    block.compute(environments, &i, 1);
    const KernelRow kernel(term, sparse, block.p_hat(), block.norm()[0]);
    double *own = rows + columns[a];
    for (int m = 0; m < sparse.size; ++m) own[m] += kernel.k[m];
    if (!neighbor) continue;
    gradients.compute(block, i, environments, neighbor);
    gradients.pack(packed);
    panels.fill(term.n_features, int(gradients.n_rows()), block.p_hat(), packed);
    subtract_gradients(sparse, kernel, panels,
                       target_rows(gradients, environments.n_atoms, n_columns, own));
  }
}

const SoapTerm &soap_term(const Model &model, std::size_t term) {
  const SoapTerm *soap = std::get_if<SoapTerm>(&model.data().terms.at(term));
  if (!soap) throw Error("the term is not of the kind soap");
  return *soap;
}

/// A term whose power spectra and kernels training knows how to derive.
const SoapTerm &trainable_term(const Model &model, std::size_t term) {
  const SoapTerm &soap = soap_term(model, term);
  if (!soap.kernel.plain() || !soap.selection.empty())
    throw Error("the model has a kernel that cannot be fitted, such as those of imported models");
  return soap;
}

std::size_t n_weights(const Term &term) {
  if (const auto *pair = std::get_if<PairTerm>(&term)) return pair->n_weights;
  if (const auto *triplet = std::get_if<TripletTerm>(&term)) return triplet->n_weights;
  std::size_t n = 0;
  for (const SparseSet &sparse : std::get<SoapTerm>(term).sparse) n += sparse.size;
  return n;
}

}  // namespace

std::size_t n_terms(const Model &model) { return model.data().terms.size(); }

std::size_t n_features(const Model &model, std::size_t term) {
  return soap_term(model, term).n_features;
}

std::size_t n_weights(const Model &model) {
  std::size_t n = 0;
  for (const Term &term : model.data().terms) n += n_weights(term);
  return n;
}

std::size_t n_weights(const Model &model, std::size_t term) {
  return n_weights(model.data().terms.at(term));
}

void features(const Model &model, std::size_t index, const Environments &environments,
              double *p_hat) {
  const SoapTerm &term = soap_term(model, index);
  EnvironmentBlock block(term, 1);
  for (std::size_t i = 0; i < environments.n_atoms; ++i) {
    block.compute(environments, &i, 1);
    std::copy_n(block.p_hat(), term.n_features, p_hat + i * term.n_features);
  }
}

FeatureRows feature_gradients(const Model &model, std::size_t index,
                              const Environments &environments, const std::size_t *neighbor,
                              const std::vector<std::size_t> &centers) {
  const SoapTerm &term = trainable_term(model, index);
  const std::size_t width = term.n_features;
  EnvironmentBlock block(term, 1);
  FeatureGradients gradients(term, environments.n_atoms);
  AlignedVector packed;
  FeatureRows out;
  out.offset.push_back(0);
  for (std::size_t i : centers) {
    block.compute(environments, &i, 1);
    gradients.compute(block, i, environments, neighbor);
    gradients.pack(packed);
    const double *p_hat = block.p_hat(), norm = block.norm()[0];
    for (std::size_t row = 0; row < gradients.n_rows(); ++row) {
      double *dp = &packed[row * width], along = 0;
      for (std::size_t f = 0; f < width; ++f) along += dp[f] * p_hat[f];
      for (std::size_t f = 0; f < width; ++f)
        dp[f] = norm > 0 ? (dp[f] - along * p_hat[f]) / norm : 0;
    }
    out.p_hat.insert(out.p_hat.end(), p_hat, p_hat + width);
    out.atoms.insert(out.atoms.end(), gradients.atoms().begin(), gradients.atoms().end());
    out.offset.push_back(out.atoms.size());
    out.gradients.insert(out.gradients.end(), packed.begin(), packed.end());
  }
  return out;
}

void soap_rows(const Model &model, std::size_t index, const Environments &environments,
               const std::size_t *neighbor, double *rows) {
  const SoapTerm &term = trainable_term(model, index);
  std::vector<std::size_t> columns;
  std::size_t n_columns = 0;
  for (const SparseSet &sparse : term.sparse) {
    if (!sparse.projection.empty())
      throw Error("the model is compressed for its own weights, which cannot be refitted");
    columns.push_back(n_columns);
    n_columns += sparse.size;
  }
  add_term_rows(term, columns, environments, neighbor, n_columns, rows);
}

std::size_t n_coefficients(const Model &model, std::size_t term, std::size_t function) {
  const auto *pair = std::get_if<PairTerm>(&model.data().terms.at(term));
  if (!pair || function >= pair->functions.size()) throw Error("the model has no such function");
  return pair->functions[function].knots.size();
}

void triplet_rows(const Model &model, std::size_t term, std::size_t function,
                  const TripletBasis &basis, const Environments &environments,
                  const std::size_t *neighbor, double *rows) {
  const auto *triplet = std::get_if<TripletTerm>(&model.data().terms.at(term));
  if (!triplet || function >= triplet->functions.size())
    throw Error("the model has no such function");
  triplet_design(*triplet, function, basis, environments, model.species().size(), neighbor, rows);
}

std::array<std::size_t, 2> triplet_coefficients(const Model &model, std::size_t term) {
  const auto *triplet = std::get_if<TripletTerm>(&model.data().terms.at(term));
  if (!triplet) throw Error("the term is not of the kind triplet");
  return {std::size_t(triplet->radial.n_coefficients()),
          std::size_t(triplet->third.n_coefficients())};
}

void function_rows(const Model &model, std::size_t term, std::size_t function,
                   const Environments &environments, const std::size_t *neighbor, double *rows) {
  pair_design(std::get<PairTerm>(model.data().terms.at(term)), function, environments,
              model.species().size(), neighbor, rows);
}

}  // namespace soap_gpr
