// SPDX-License-Identifier: BSD-3-Clause
#include "training.hpp"

#include <algorithm>
#include <cmath>

#include "design_rows.hpp"
#include "environment_block.hpp"
#include "gemm.hpp"
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
    gemm_nt(1, sparse.size, term.n_features, p_hat, sparse.points.data(), dot.data());
    const double delta2 = term.delta * term.delta;
    for (int m = 0; m < sparse.size; ++m) {
      const double power = delta2 * integer_power(dot[m], term.zeta - 1);
      k[m] = power * dot[m];
      slope[m] = norm > 0 ? term.zeta * power / norm : 0;
    }
  }
};

/// Subtracts ∂ε_i/∂(atom or strain) of one centre from the rows of forces and virial.
void subtract_gradients(const SoapTerm &term, const SparseSet &sparse, const KernelRow &kernel,
                        const FeatureGradients &gradients, const AlignedVector &packed,
                        const double *p_hat, std::size_t n_atoms, std::size_t n_columns,
                        double *rows) {
  const int n_rows = int(gradients.n_rows()), n_slots = int(gradients.atoms().size());
  AlignedVector projected(std::size_t(n_rows) * sparse.size);
  gemm_nt(n_rows, sparse.size, term.n_features, packed.data(), sparse.points.data(),
          projected.data());
  for (int row = 0; row < n_rows; ++row) {
    const double *dp = &packed[std::size_t(row) * term.n_features];
    double along = 0;
#pragma omp simd reduction(+ : along)
    for (int f = 0; f < term.n_features; ++f) along += dp[f] * p_hat[f];
    const std::size_t target = row < 3 * n_slots ? 1 + 3 * gradients.atoms()[row / 3] + row % 3
                                                 : 1 + 3 * n_atoms + (row - 3 * n_slots);
    double *out = rows + target * n_columns;
    const double *dot = &projected[std::size_t(row) * sparse.size];
    for (int m = 0; m < sparse.size; ++m)
      out[m] -= kernel.slope[m] * (dot[m] - kernel.dot[m] * along);
  }
}

void add_term_rows(const SoapTerm &term, const std::vector<std::size_t> &columns,
                   const Environments &environments, const std::size_t *neighbor,
                   std::size_t n_columns, double *rows) {
  EnvironmentBlock block(term, 1);
  FeatureGradients gradients(term, neighbor ? environments.n_atoms : 0);
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
    subtract_gradients(term, sparse, kernel, gradients, packed, block.p_hat(), environments.n_atoms,
                       n_columns, own);
  }
}

const SoapTerm &soap_term(const Model &model, std::size_t term) {
  const SoapTerm *soap = std::get_if<SoapTerm>(&model.data().terms.at(term));
  if (!soap) throw Error("the term is not of the kind soap");
  return *soap;
}

std::size_t n_weights(const Term &term) {
  if (const auto *pair = std::get_if<PairTerm>(&term)) return pair->n_weights;
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
  const SoapTerm &term = soap_term(model, index);
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
  const SoapTerm &term = soap_term(model, index);
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

void function_rows(const Model &model, std::size_t term, std::size_t function,
                   const Environments &environments, const std::size_t *neighbor, double *rows) {
  pair_design(std::get<PairTerm>(model.data().terms.at(term)), function, environments,
              model.species().size(), neighbor, rows);
}

}  // namespace soap_gpr
