// SPDX-License-Identifier: BSD-3-Clause
// Values of a model file, checked before use; what nobody asked for is refused.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "file/json_text.hpp"
#include "file/tensor_file.hpp"
#include "soap/radial_grid.hpp"

namespace soap_gpr {

using Shape = std::vector<std::size_t>;

// Far above what anybody uses, and low enough that no product of two counts overflows anywhere.
constexpr int kMaxCount = 1000000;  ///< spline intervals

constexpr std::size_t kAny = static_cast<std::size_t>(-1);  ///< any extent of a shape

/// For messages about what this reader does not know.
extern const char *const kNewer;

/// The arrays of a model file. Every method names one array; `finish` then refuses those that
/// nobody asked for.
class Arrays {
 public:
  explicit Arrays(const TensorFile &file) : file_(file) {}

  bool has(const std::string &name) const { return file_.tensors.count(name) > 0; }
  /// Throws Error when the file has no such array.
  const Tensor &find(const std::string &name);
  /// Values of an array of this shape, checked to be finite.
  std::vector<double> read(const std::string &name, const Shape &shape);
  std::vector<std::int64_t> integers(const std::string &name, const Shape &shape);
  void finish() const;

 private:
  const Tensor &find(const std::string &name, Tensor::Type type, const Shape &shape);

  const TensorFile &file_;
  std::set<std::string> known_;
};

/// A JSON object of the list of terms. Every method names one key, and throws Error when that is
/// absent, of the wrong type or out of range; `finish` then refuses the keys that nobody asked for.
class Entry {
 public:
  /// where: what messages call it
  Entry(const json &values, std::string where);

  const std::string &where() const { return where_; }
  bool has(const char *key) const { return values_.contains(key); }
  /// Whether the value of a key that is there is a string.
  bool is_word(const char *key) const { return values_.at(key).is_string(); }
  double number(const char *key, double low, double high);
  int count(const char *key, int low, int high);
  bool flag(const char *key) { return at(key, &json::is_boolean).get<bool>(); }
  std::string word(const char *key) { return at(key, &json::is_string).get<std::string>(); }
  const json &list(const char *key) { return at(key, &json::is_array); }
  Entry object(const char *key) { return {at(key, &json::is_object), where_ + ": its " + key}; }
  void finish() const;

 private:
  const json &at(const char *key, bool (json::*is_expected)() const noexcept);

  const json &values_;
  std::string where_;
  std::set<std::string> known_;
};

// Parts of lists; they throw what nlohmann::json throws for values of the wrong type.

/// An integer in [0, kMaxCount], or -1 for anything else: a cast alone would wrap large ones.
int count(const json &value);
std::vector<int> counts(const json &values);
/// Contiguous segments from 0 on; the caller checks where they end.
std::vector<Segment> read_segments(const json &list);
std::size_t n_knots(const std::vector<Segment> &segments);

}  // namespace soap_gpr
