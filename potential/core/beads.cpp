// SPDX-License-Identifier: BSD-3-Clause
// A bead is a particle of a coarse-grained model. The characters of its name are the digits of a
// number of base 64, the first the highest, with 1 to 26 for A to Z, 27 to 52 for a to z, 53 for _
// and 54 to 63 for 0 to 9; 118 is added. So names need no table, in models, messages and LAMMPS
// alike.
#include <cctype>

#include "model_data.hpp"
#include "soap_gpr.hpp"

namespace soap_gpr {

namespace {

constexpr std::size_t kLongestName = 5;
const std::string kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

bool looks_like_an_element(const std::string &name) {
  return std::isupper(static_cast<unsigned char>(name[0])) &&
         (name.size() == 1 ||
          (name.size() == 2 && std::islower(static_cast<unsigned char>(name[1]))));
}

bool is_name(const std::string &name) {
  return !name.empty() && name.size() <= kLongestName &&
         name.find_first_not_of(kDigits) == std::string::npos &&
         std::isalpha(static_cast<unsigned char>(name[0])) && !looks_like_an_element(name);
}

}  // namespace

int bead_number(const std::string &name) {
  if (!is_name(name)) return 0;
  int code = 0;
  for (char c : name) code = 64 * code + static_cast<int>(kDigits.find(c) + 1);
  return kMaxAtomicNumber + code;
}

std::string bead_name(int species) {
  std::string name;
  if (species <= kMaxAtomicNumber) return name;
  for (int code = species - kMaxAtomicNumber; code > 0; code /= 64) {
    if (code % 64 == 0) return "";
    name.insert(name.begin(), kDigits[code % 64 - 1]);
  }
  return is_name(name) ? name : "";
}

}  // namespace soap_gpr
