// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>
#include <vector>

namespace elements {

/// Of a chemical symbol or of the name of a bead; 0 for anything else.
int species_number(const std::string &name);
/// Whether this is the number of an element, and not of a bead.
bool is_element(int z);
/// The chemical symbol, or the name of a bead.
std::string name_of(int z);
/// Names of species, blanks between them.
std::string list_names(const std::vector<int> &species);

}  // namespace elements
