// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>
#include <vector>

namespace elements {

/// 0 for what is not an element symbol.
int atomic_number(const std::string &symbol);
/// "Z=119" beyond the known ones.
std::string symbol_of(int z);
/// Symbols of atomic numbers, blanks between them.
std::string list_elements(const std::vector<int> &species);

}  // namespace elements
