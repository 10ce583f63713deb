// SPDX-License-Identifier: BSD-3-Clause
#include "soap/density.hpp"

#include <algorithm>

namespace soap_gpr {

namespace {

std::vector<ChannelGroup> groups_of(const SpeciesDensity &species) {
  std::vector<ChannelGroup> groups;
  int offset = 0;
  for (std::size_t l = 0; l < species.channel_begin.size(); ++l) {
    const int begin = species.channel_begin[l], size = species.channel_end[l] - begin;
    groups.push_back({begin, size, offset});
    offset += padded(size);
  }
  return groups;
}

/// What a centre feeds: of its own table, in the blocks of all pseudo-species.
std::vector<double> central_of(const SoapTerm &term, int species) {
  const std::vector<double> &own = term.densities[term.table_of[species]].central;
  if (term.map.dimensions == 0) return own;
  std::vector<double> central;
  for (int J = 0; J < term.map.dimensions; ++J)
    for (double s : own) central.push_back(term.map.of(species)[J] * s);
  return central;
}

}  // namespace

Density::Density(const SoapTerm &term)
    : cutoff(term.cutoff),
      l_max(term.l_max),
      table_of(term.table_of),
      map(term.map),
      harmonics(term.l_max) {
  for (const SpeciesDensity &own : term.densities) {
    tables.emplace_back(term.segments, groups_of(own), own.table.data());
    fed.push_back(tables.back().groups());
    for (int l = 0; map.dimensions && l <= l_max; ++l) fed.back()[l].size = term.n_channels[l];
  }
  for (std::size_t a = 0; a < table_of.size(); ++a) central.push_back(central_of(term, int(a)));
  for (int l = 0; l <= l_max; ++l) {
    // whole vectors are added from a group's first channel on, which may be anywhere
    int stride = padded(term.n_channels[l]);
    for (const RadialTable &table : tables) {
      const ChannelGroup &group = table.groups()[l];
      const int last = map.dimensions ? term.n_channels[l] - group.size : group.q_begin;
      stride = std::max(stride, padded(last + padded(group.size)));
    }
    channels.push_back({term.n_channels[l], stride, n_coefficients});
    n_coefficients += (2 * l + 1) * stride;
  }
}

}  // namespace soap_gpr
