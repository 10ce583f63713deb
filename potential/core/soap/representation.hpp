// SPDX-License-Identifier: BSD-3-Clause
// What every representation offers: features of the density coefficients of environments, their
// adjoint for forces and their derivatives for training. A call is for several environments or
// directions, so that its being virtual costs nothing and they may fill the lanes of a vector.
#pragma once

#include <memory>
#include <string>

#include "soap/density.hpp"

namespace soap_gpr {

class Representation {
 public:
  virtual ~Representation() = default;

  virtual int size() const = 0;                  ///< number of features
  virtual std::size_t scratch_size() const = 0;  ///< length of the scratch of all methods

  /// p[n][size] from c[n][n_coefficients].
  virtual void values(int n, const double *c, double *scratch, double *p) const = 0;
  /// g_c[n][n_coefficients] = ∂(g_p · p)/∂c from g_p[n][size].
  virtual void adjoint(int n, const double *c, const double *g_p, double *scratch,
                       double *g_c) const = 0;
  /// dp[n][size]: derivatives at one c along n directions dc[n][n_coefficients], which are zero
  /// outside the channels of `groups`, those of each l.
  virtual void derivatives(const double *c, int n, const double *dc,
                           const std::vector<ChannelGroup> &groups, double *scratch,
                           double *dp) const = 0;
};

/// A representation by its name in a model file.
struct RepresentationKind {
  const char *name;
  double (*n_products)(const SoapTerm &term);  ///< features before a selection
  std::unique_ptr<const Representation> (*make)(const SoapTerm &, const FeatureChoice &,
                                                const Density &);
};

/// Null for a name that is not known.
const RepresentationKind *find_representation(const std::string &name);

/// That of a term and one of its choices of features; they and the density outlive it.
std::unique_ptr<const Representation> make_representation(const SoapTerm &term,
                                                          const FeatureChoice &choice,
                                                          const Density &density);

}  // namespace soap_gpr
