// SPDX-License-Identifier: BSD-3-Clause
// JSON out of files, and names out of files in messages.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace soap_gpr {

using nlohmann::json;

/// Parses JSON. Throws what nlohmann::json throws, and Error when `what` is nested very deeply or
/// an object of it has a key twice: readers would not agree on which of them counts.
json parse_json(const std::string &text, const std::string &what);

/// A name out of a file for a message: 'name', cut when it is long; what could move a terminal's
/// cursor is escaped.
std::string quoted(const std::string &name);

}  // namespace soap_gpr
