// SPDX-License-Identifier: BSD-3-Clause
#include "file/file_values.hpp"

#include <cmath>

#include "soap_gpr.hpp"

namespace soap_gpr {

const char *const kNewer = "; a newer soap-gpr may read it";

const Tensor &Arrays::find(const std::string &name) {
  known_.insert(name);
  const auto found = file_.tensors.find(name);
  if (found == file_.tensors.end()) throw Error("the model file lacks the array " + quoted(name));
  return found->second;
}

const Tensor &Arrays::find(const std::string &name, Tensor::Type type, const Shape &shape) {
  const Tensor &tensor = find(name);
  if (tensor.type != type)
    throw Error("array " + quoted(name) +
                (type == Tensor::Type::f64 ? " holds integers where numbers are expected"
                                           : " holds numbers where integers are expected"));
  bool fits = tensor.shape.size() == shape.size();
  for (std::size_t k = 0; fits && k < shape.size(); ++k)
    fits = shape[k] == kAny || shape[k] == tensor.shape[k];
  if (!fits)
    throw Error("array " + quoted(name) + " has the unexpected shape " + json(tensor.shape).dump());
  return tensor;
}

std::vector<double> Arrays::read(const std::string &name, const Shape &shape) {
  std::vector<double> values = find(name, Tensor::Type::f64, shape).doubles();
  for (double x : values)
    if (!std::isfinite(x))
      throw Error("array " + quoted(name) + " holds a number that is not finite");
  return values;
}

std::vector<std::int64_t> Arrays::integers(const std::string &name, const Shape &shape) {
  return find(name, Tensor::Type::i64, shape).integers();
}

void Arrays::finish() const {
  for (const auto &[name, tensor] : file_.tensors)
    if (!known_.count(name))
      throw Error("the model file has the unknown array " + quoted(name) + kNewer);
}

Entry::Entry(const json &values, std::string where) : values_(values), where_(std::move(where)) {
  if (!values.is_object()) throw Error(where_ + " is not an object of JSON");
}

const json &Entry::at(const char *key, bool (json::*is_expected)() const noexcept) {
  known_.insert(key);
  const auto found = values_.find(key);
  if (found == values_.end() || !((*found).*is_expected)())
    throw Error(where_ + " is incomplete or of the wrong type: its '" + key + "' is " +
                (found == values_.end() ? "missing" : found->type_name()));
  return *found;
}

double Entry::number(const char *key, double low, double high) {
  const double value = at(key, &json::is_number).get<double>();
  if (!(value >= low && value <= high)) throw Error(where_ + ": '" + key + "' is out of range");
  return value;
}

int Entry::count(const char *key, int low, int high) {
  const int value = soap_gpr::count(at(key, &json::is_number));
  if (value < low || value > high) throw Error(where_ + ": '" + key + "' is out of range");
  return value;
}

void Entry::finish() const {
  for (const auto &[key, value] : values_.items())
    if (!known_.count(key)) throw Error(where_ + " has the unknown key " + quoted(key) + kNewer);
}

int count(const json &value) {
  if (!value.is_number_integer()) return -1;
  const double number = value.get<double>();
  return number >= 0 && number <= kMaxCount ? int(number) : -1;
}

std::vector<int> counts(const json &values) {
  std::vector<int> out;
  for (const json &value : values.get_ref<const json::array_t &>()) out.push_back(count(value));
  return out;
}

std::vector<Segment> read_segments(const json &list) {
  std::vector<Segment> segments;
  double end = 0;
  int n_intervals = 0;
  for (const json &item : list.get_ref<const json::array_t &>()) {
    const Segment s{item.at(0).get<double>(), item.at(1).get<double>(), count(item.at(2))};
    n_intervals += s.n_intervals;
    if (item.size() != 3 || s.begin != end || !(s.end > s.begin) || s.n_intervals < 1 ||
        n_intervals > kMaxCount)
      throw Error("the model file's spline segments are not contiguous, or too many");
    end = s.end;
    segments.push_back(s);
  }
  return segments;
}

std::size_t n_knots(const std::vector<Segment> &segments) {
  std::size_t n = 0;
  for (const Segment &s : segments) n += s.n_intervals + 1;
  return n;
}

}  // namespace soap_gpr
