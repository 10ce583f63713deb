// SPDX-License-Identifier: BSD-3-Clause
// Values of a model file, checked before use.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "radial_grid.hpp"
#include "simd.hpp"
#include "tensor_file.hpp"

namespace soap_gpr {

using nlohmann::json;
using Shape = std::vector<std::size_t>;

// Far above what anybody uses, and low enough that no product of two counts overflows anywhere.
constexpr int kMaxCount = 1000000;  ///< spline intervals

std::string text(const Shape &shape);

/// The array `name`. Throws Error when the file has none.
const Tensor &find(const TensorFile &file, const std::string &name);

/// Its values, checked to be finite and of this shape; kAny stands for any extent.
constexpr std::size_t kAny = static_cast<std::size_t>(-1);
AlignedVector read(const TensorFile &file, const std::string &name, const Shape &shape);

/// A number in [low, high] of a term's entry.
double get(const json &entry, const char *key, double low, double high);
int get_count(const json &entry, const char *key, int low, int high);

/// An integer in [0, kMaxCount], or -1 for any other number: a cast alone would wrap large ones.
int count(const json &value);
std::vector<int> counts(const json &values);

/// Contiguous segments from 0 on; the caller checks where they end.
std::vector<Segment> read_segments(const json &list);
std::size_t n_knots(const std::vector<Segment> &segments);

}  // namespace soap_gpr
