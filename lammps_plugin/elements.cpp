// SPDX-License-Identifier: GPL-2.0-only
#include "elements.h"

#include "soap_gpr.hpp"

namespace elements {

namespace {

const char *const SYMBOLS[] = {
    "",   "H",  "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Na", "Mg", "Al", "Si",
    "P",  "S",  "Cl", "Ar", "K",  "Ca", "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co", "Ni", "Cu",
    "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y",  "Zr", "Nb", "Mo", "Tc", "Ru",
    "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I",  "Xe", "Cs", "Ba", "La", "Ce", "Pr",
    "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W",
    "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac",
    "Th", "Pa", "U",  "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf",
    "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og"};
constexpr int N_SYMBOLS = sizeof(SYMBOLS) / sizeof(SYMBOLS[0]);

}  // namespace

int species_number(const std::string &name) {
  for (int z = 1; z < N_SYMBOLS; ++z)
    if (name == SYMBOLS[z]) return z;
  return soap_gpr::bead_number(name);
}

bool is_element(int z) { return z > 0 && z < N_SYMBOLS; }

std::string name_of(int z) { return is_element(z) ? SYMBOLS[z] : soap_gpr::bead_name(z); }

std::string list_names(const std::vector<int> &species) {
  std::string text;
  for (int z : species) text += (text.empty() ? "" : " ") + name_of(z);
  return text;
}

}  // namespace elements
