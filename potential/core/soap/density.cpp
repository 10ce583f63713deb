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

}  // namespace

Density::Density(const SoapTerm &term)
    : cutoff(term.cutoff), l_max(term.l_max), harmonics(term.l_max) {
  for (const SpeciesDensity &species : term.species) {
    tables.emplace_back(term.segments, groups_of(species), species.table.data());
    central.push_back(species.central);
  }
  for (int l = 0; l <= l_max; ++l) {
    // whole vectors are added from a group's first channel on, which may be anywhere
    int stride = padded(term.n_channels[l]);
    for (const RadialTable &table : tables) {
      const ChannelGroup &group = table.groups()[l];
      stride = std::max(stride, padded(group.q_begin + padded(group.size)));
    }
    channels.push_back({term.n_channels[l], stride, n_coefficients});
    n_coefficients += (2 * l + 1) * stride;
  }
}

}  // namespace soap_gpr
