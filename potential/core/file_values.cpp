// SPDX-License-Identifier: BSD-3-Clause
#include "file_values.hpp"

#include <cmath>

#include "soap_gpr.hpp"

namespace soap_gpr {

std::string text(const Shape &shape) { return json(shape).dump(); }

const Tensor &find(const TensorFile &file, const std::string &name) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) throw Error("the model file lacks the array '" + name + "'");
  return found->second;
}

AlignedVector read(const TensorFile &file, const std::string &name, const Shape &shape) {
  const Tensor &tensor = find(file, name);
  bool fits = tensor.shape.size() == shape.size();
  for (std::size_t k = 0; fits && k < shape.size(); ++k)
    fits = shape[k] == kAny || shape[k] == tensor.shape[k];
  if (!fits) throw Error("array '" + name + "' has the unexpected shape " + text(tensor.shape));
  const std::vector<double> values = tensor.doubles();
  for (double x : values)
    if (!std::isfinite(x)) throw Error("array '" + name + "' holds a number that is not finite");
  return AlignedVector(values.begin(), values.end());
}

double get(const json &entry, const char *key, double low, double high) {
  const double value = entry.at(key).get<double>();
  if (!(value >= low && value <= high))
    throw Error(std::string("the model file's '") + key + "' is out of range");
  return value;
}

int count(const json &value) {
  const double number = value.get<double>();
  return number >= 0 && number <= kMaxCount && number == std::floor(number) ? int(number) : -1;
}

std::vector<int> counts(const json &values) {
  std::vector<int> out;
  for (const json &value : values) out.push_back(count(value));
  return out;
}

int get_count(const json &entry, const char *key, int low, int high) {
  const int value = count(entry.at(key));
  if (value < low || value > high)
    throw Error(std::string("the model file's '") + key + "' is out of range");
  return value;
}

std::vector<Segment> read_segments(const json &list) {
  std::vector<Segment> segments;
  double end = 0;
  int n_intervals = 0;
  for (const json &item : list) {
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
