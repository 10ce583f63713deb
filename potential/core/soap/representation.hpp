// SPDX-License-Identifier: BSD-3-Clause
// What every representation offers: features of the density coefficients of one environment, their
// adjoint for forces and their Jacobian for training. A call is for a whole environment, so that
// its being virtual costs nothing.
#pragma once

#include <memory>
#include <string>

#include "base/voigt.hpp"
#include "soap/density.hpp"

namespace soap_gpr {

/// Rows that the derivatives along a neighbour's displacement are added to: those of the neighbour,
/// with the other sign those of the centre, and times r_ij those of the strain.
struct DerivativeRows {
  double *neighbor[3], *center[3], *strain[6];
  double r_ij[3];

  /// b[3]: the derivatives of kLanes numbers at a place of the rows.
  void add(std::size_t at, const Lanes *b) const {
    for (int x = 0; x < 3; ++x) {
      store(neighbor[x] + at, load(neighbor[x] + at) + b[x]);
      store(center[x] + at, load(center[x] + at) - b[x]);
    }
    for (int v = 0; v < 6; ++v)
      store(strain[v] + at, load(strain[v] + at) + r_ij[kVoigt[v][1]] * b[kVoigt[v][0]]);
  }
};

class Representation {
 public:
  virtual ~Representation() = default;

  virtual int size() const = 0;                  ///< number of features
  virtual std::size_t scratch_size() const = 0;  ///< length of the scratch of all methods

  /// p[size] from c[n_coefficients].
  virtual void values(const double *c, double *scratch, double *p) const = 0;
  /// g_c[n_coefficients] = ∂(g_p · p)/∂c.
  virtual void adjoint(const double *c, const double *g_p, double *scratch, double *g_c) const = 0;

  // The Jacobian, in two steps. The first is linear in dc and cheap to add up over neighbours.

  virtual std::size_t derivative_size() const = 0;  ///< length of a row of derivatives
  /// Adds the derivatives along dc[3][n_coefficients] = ∂c/∂r_ij of a neighbour, which feeds the
  /// channels of these groups.
  virtual void add_derivative(const std::vector<ChannelGroup> &groups, const double *c,
                              const double *dc, const DerivativeRows &rows) const = 0;
  /// dp[size] = ∂p from a row of derivatives.
  virtual void pack(const double *row, double *scratch, double *dp) const = 0;
};

/// A representation by its name in a model file.
struct RepresentationKind {
  const char *name;
  int (*n_products)(const std::vector<int> &n_channels);  ///< features before a selection
  std::unique_ptr<const Representation> (*make)(const SoapTerm &, const Density &);
};

/// Null for a name that is not known.
const RepresentationKind *find_representation(const std::string &name);

/// That of a term, which and whose density outlive it.
std::unique_ptr<const Representation> make_representation(const SoapTerm &term,
                                                          const Density &density);

}  // namespace soap_gpr
