// SPDX-License-Identifier: BSD-3-Clause
#include "training/training.hpp"

#include <algorithm>
#include <cmath>

#include "cpu_layout.hpp"
#include "soap/environment_block.hpp"
#include "tensors/density_features.hpp"
#include "training/soap_rows.hpp"

namespace soap_gpr {

namespace {

const SoapLayout &soap_layout(const Model &model, std::size_t term) {
  if (const SoapLayout *soap = model.cpu().soap(term)) return *soap;
  throw Error("the term is not of the kind soap");
}

const FeatureLayout &feature_layout(const Model &model, std::size_t term) {
  if (const FeatureLayout *layout = model.cpu().features(term)) return *layout;
  throw Error("the term has no features");
}

/// Where the columns of each sparse set begin.
std::vector<std::size_t> first_columns(const FeatureTerm &term) {
  std::vector<std::size_t> columns;
  std::size_t n = 0;
  for (const SparseSet &sparse : term.sparse) {
    columns.push_back(n);
    n += sparse.size;
  }
  return columns;
}

}  // namespace

std::size_t n_terms(const Model &model) { return model.data().terms.size(); }

std::size_t n_features(const Model &model, std::size_t term) {
  if (const ProductLayout *product = model.cpu().product(term)) return product->n_features();
  const FeatureTerm *own = feature_term(model.data().terms.at(term));
  if (!own) throw Error("the term has no features");
  int most = 0;
  for (const FeatureChoice &choice : own->choices) most = std::max(most, choice.n_features);
  return most;
}

bool recoupled(const Model &model, std::size_t term) {
  const auto has_metric = [](const FeatureTerm &own) {
    return std::any_of(own.choices.begin(), own.choices.end(),
                       [](const FeatureChoice &choice) { return !choice.metric.empty(); });
  };
  const Term &own = model.data().terms.at(term);
  if (const auto *product = std::get_if<ProductTerm>(&own))
    return std::any_of(product->factors.begin(), product->factors.end(), has_metric);
  const FeatureTerm *features = feature_term(own);
  return features && has_metric(*features);
}

std::size_t n_weights(const Model &model) {
  std::size_t n = 0;
  for (std::size_t t = 0; t < n_terms(model); ++t) n += n_weights(model, t);
  return n;
}

std::size_t n_weights(const Model &model, std::size_t term) {
  return std::visit([](const auto &any) { return any.n_weights; }, model.data().terms.at(term));
}

std::size_t n_density(const Model &model, std::size_t term) {
  return n_density(soap_layout(model, term).density);
}

void density_coefficients(const Model &model, std::size_t index, const Environments &environments,
                          double *c) {
  const SoapLayout &soap = soap_layout(model, index);
  EnvironmentBlock block(soap, 0, 1);
  for (std::size_t i = 0; i < environments.n_atoms; ++i) {
    block.gather(environments, &i, 1);
    block.expand();
    for (int l = 0; l <= soap.density.l_max; ++l) {
      const Channels &channels = soap.density.channels[l];
      for (int m = 0; m <= 2 * l; ++m)
        c = std::copy_n(block.coefficients(0) + channels.offset + m * channels.stride,
                        channels.size, c);
    }
  }
}

void features(const Model &model, std::size_t index, const Environments &environments,
              double *p_hat) {
  const std::size_t row = n_features(model, index);
  const auto copy = [&](const FeatureLayout &layout) {
    std::size_t width = 0;
    for (std::size_t choice = 0; choice < layout.term.choices.size(); ++choice) {
      const auto block = layout.make_block(1, choice);
      width = block->n_features();
      for (std::size_t i = 0; i < environments.n_atoms; ++i) {
        if (layout.term.choice_of(environments.species[i]) != choice) continue;
        block->compute(environments, &i, 1);
        std::copy_n(block->p_hat(), width, p_hat + i * row);
      }
    }
    p_hat += width;  // where the features of the next factor begin
  };
  const ProductLayout *product = model.cpu().product(index);
  if (!product) return copy(feature_layout(model, index));
  for (const auto &factor : product->factors) copy(*factor);
}

FeatureRows feature_gradients(const Model &model, std::size_t index,
                              const Environments &environments,
                              const std::vector<std::size_t> &centers) {
  const FeatureLayout &layout = feature_layout(model, index);
  if (layout.term.choices.size() > 1)
    throw Error("the term has other features for each species of the centre");
  const std::size_t width = layout.term.choices[0].n_features;
  const auto block = layout.make_block(1, 0);
  const auto gradients = block->make_gradients(environments.n_atoms);
  AlignedVector packed;
  FeatureRows out;
  out.offset.push_back(0);
  for (std::size_t i : centers) {
    block->compute(environments, &i, 1);
    gradients->compute(i, environments, packed);
    const double *p_hat = block->p_hat(), *dual = block->dual(), norm = block->norm()[0];
    for (std::size_t row = 0; layout.term.kernel.normalized && row < gradients->n_rows(); ++row) {
      double *dp = &packed[row * width], along = 0;
      for (std::size_t f = 0; f < width; ++f) along += dp[f] * dual[f];
      for (std::size_t f = 0; f < width; ++f)
        dp[f] = norm > 0 ? (dp[f] - along * p_hat[f]) / norm : 0;
    }
    out.p_hat.insert(out.p_hat.end(), p_hat, p_hat + width);
    out.atoms.insert(out.atoms.end(), gradients->atoms().begin(), gradients->atoms().end());
    out.offset.push_back(out.atoms.size());
    out.gradients.insert(out.gradients.end(), packed.begin(), packed.end());
  }
  return out;
}

void soap_rows(const Model &model, std::size_t index, const Environments &environments,
               bool gradients, double *rows) {
  const ProductLayout *product = model.cpu().product(index);
  const FeatureLayout &layout = product ? *product->factors[0] : feature_layout(model, index);
  const std::vector<std::size_t> columns = first_columns(layout.term);
  const std::size_t n_columns = n_weights(model, index);
  if (product)
    add_product_rows(*product, columns, environments, gradients, n_columns, rows);
  else
    add_soap_rows(layout, columns, environments, gradients, n_columns, rows);
}

void kernel_rows(const Model &model, std::size_t index, const Environments &environments,
                 double *rows) {
  const std::size_t n_columns = n_weights(model, index);
  if (const ProductLayout *product = model.cpu().product(index))
    return fill_kernel_rows(*product, first_columns(product->factors[0]->term), environments,
                            n_columns, rows);
  const FeatureLayout &layout = feature_layout(model, index);
  fill_kernel_rows(layout, first_columns(layout.term), environments, n_columns, rows);
}

std::size_t n_coefficients(const Model &model, std::size_t term, std::size_t function) {
  const auto *pair = std::get_if<PairTerm>(&model.data().terms.at(term));
  if (!pair || function >= pair->functions.size()) throw Error("the model has no such function");
  return pair->functions[function].knots.size();
}

void triplet_rows(const Model &model, std::size_t term, std::size_t function,
                  const TripletPoints &points, const Environments &environments, bool gradients,
                  double *rows) {
  const auto *triplet = std::get_if<TripletTerm>(&model.data().terms.at(term));
  if (!triplet || function >= triplet->functions.size())
    throw Error("the model has no such function");
  triplet_design(*triplet, function, points, environments, model.species().size(), gradients, rows);
}

std::array<std::size_t, 2> triplet_coefficients(const Model &model, std::size_t term) {
  const auto *triplet = std::get_if<TripletTerm>(&model.data().terms.at(term));
  if (!triplet) throw Error("the term is not of the kind triplet");
  return {std::size_t(triplet->radial.n_coefficients()),
          std::size_t(triplet->third.n_coefficients())};
}

void function_rows(const Model &model, std::size_t term, std::size_t function,
                   const Environments &environments, bool gradients, double *rows) {
  pair_design(std::get<PairTerm>(model.data().terms.at(term)), function, environments,
              model.species().size(), gradients, rows);
}

}  // namespace soap_gpr
