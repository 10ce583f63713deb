// SPDX-License-Identifier: BSD-3-Clause
#include "file/json_text.hpp"

#include <set>
#include <vector>

#include "soap_gpr.hpp"

namespace soap_gpr {

namespace {
constexpr int kMaxDepth = 32;  ///< ours have seven levels
}

json parse_json(const std::string &text, const std::string &what) {
  std::vector<std::set<std::string>> open;  // keys of the objects around the current place
  return json::parse(text, [&](int depth, json::parse_event_t event, json &parsed) {
    if (depth > kMaxDepth) throw Error("the model file's " + what + " is nested too deeply");
    if (event == json::parse_event_t::object_start) open.emplace_back();
    if (event == json::parse_event_t::object_end) open.pop_back();
    if (event == json::parse_event_t::key) {
      const auto key = parsed.get<std::string>();
      if (!open.back().insert(key).second)
        throw Error("the model file's " + what + " has the key " + quoted(key) + " twice");
    }
    return true;
  });
}

std::string quoted(const std::string &name) {
  constexpr std::size_t kLongest = 60;
  const std::string escaped = json(name).dump(-1, ' ', true, json::error_handler_t::replace);
  const std::string own = escaped.substr(1, escaped.size() - 2);
  return "'" + (own.size() <= kLongest ? own : own.substr(0, kLongest - 3) + "...") + "'";
}

}  // namespace soap_gpr
