// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include "term_readers.hpp"

namespace soap_gpr {

namespace {

constexpr int kMaxTripletIntervals = 2000;  ///< along one axis

/// What training needs again of a fitted function; evaluation does without.
void check_kernel(const json &entry, double cutoff) {
  get(entry, "cutoff_width", 1e-6, cutoff);
  get(entry, "length_scale", 1e-3, 1e3);
  get(entry, "delta", 0.0, 1e10);
}

TripletFunction read_triplet_function(const TensorFile &file, const std::string &name,
                                      const TripletTerm &term) {
  const std::size_t n_radial = term.radial.n_coefficients(), n_third = term.third.n_coefficients();
  const AlignedVector values = read(file, name, {kAny, n_radial, n_third});
  TripletFunction function;
  if (values.empty()) return function;
  if (values.size() != n_radial * n_radial * n_third)
    throw Error("array '" + name + "' has the unexpected shape " + text(find(file, name).shape));
  function.coefficients.resize(n_radial * n_radial * term.row() + kLanes);
  for (std::size_t row = 0; row < n_radial * n_radial; ++row)
    std::copy_n(&values[row * n_third], n_third, &function.coefficients[row * term.row()]);
  return function;
}

std::array<int, 3> three_numbers(const json &values) {
  std::array<int, 3> numbers;
  for (int k = 0; k < 3; ++k) {
    numbers[k] = count(values.at(k));
    if (numbers[k] < 0 || numbers[k] > 2)
      throw Error("the model file's processes of triplets name a fourth number");
  }
  return numbers;
}

TripletProcess read_process(const TensorFile &file, const json &entry, const std::string &name) {
  TripletProcess process;
  const auto kernel = entry.at("kernel").get<std::string>();
  if (kernel != "ard_se" && kernel != "pp")
    throw Error("the model file has the unknown kernel '" + kernel + "'");
  if (kernel == "pp") process.kernel = TripletProcess::Kernel::polynomial;
  process.angle = entry.at("angle").get<bool>();
  process.constant = get(entry, "constant", -1e30, 1e30);
  process.order = three_numbers(entry.at("order"));
  for (const json &own : entry.at("permutations"))
    process.permutations.push_back(three_numbers(own));
  for (int k = 0; k < 3; ++k) {
    const double scale = entry.at("length_scales").at(k).get<double>();
    if (!(scale >= 1e-10 && scale <= 1e10))
      throw Error("the model file's 'length_scales' are out of range");
    process.inverse_scale[k] = 1 / scale;
  }
  process.weights = read(file, name + ".weights", {kAny});
  const std::size_t size = process.weights.size();
  const AlignedVector points = read(file, name + ".points", {3, size});
  for (int k = 0; k < 3; ++k)
    process.points[k].assign(points.begin() + k * size, points.begin() + (k + 1) * size);
  return process;
}

}  // namespace

PairTerm read_pair_term(const TensorFile &file, const json &entry, const std::string &prefix,
                        std::size_t n_species) {
  PairTerm term;
  term.cutoff = get(entry, "cutoff", 1e-3, 1e3);
  const bool fixed = entry.at("fixed").get<bool>();
  if (!fixed) check_kernel(entry, term.cutoff);
  const json &segments = entry.at("segments");
  if (segments.size() != n_species * (n_species + 1) / 2)
    throw Error("the model file's pair term lacks a pair of species, or has too many");
  for (std::size_t p = 0; p < segments.size(); ++p) {
    const std::string suffix = "." + std::to_string(p);
    const RadialGrid grid(read_segments(segments.at(p)));
    if (grid.end() > term.cutoff * (1 + 1e-12))
      throw Error("the model file's spline segments do not end at the cutoff");
    const auto knots = read(file, prefix + "table" + suffix, {std::size_t(grid.n_knots()), 3});
    term.functions.push_back({grid, {knots.begin(), knots.end()}});
    if (fixed) continue;
    const std::size_t size = read(file, prefix + "weights" + suffix, {kAny}).size();
    read(file, prefix + "sparse_points" + suffix, {size});
    term.n_weights += size;
  }
  return term;
}

TripletTerm read_triplet_term(const TensorFile &file, const json &entry, const std::string &prefix,
                              std::size_t n_species) {
  TripletTerm term;
  term.cutoff = get(entry, "cutoff", 1e-3, 1e3);
  term.cutoff_width = get(entry, "cutoff_width", 1e-6, term.cutoff);
  const bool fixed = entry.at("fixed").get<bool>();
  if (!fixed) check_kernel(entry, term.cutoff);
  const auto third_factor = entry.at("third_factor").get<std::string>();
  if (third_factor != "none" && third_factor != "cluster")
    throw Error("the model file has the unknown third_factor '" + third_factor + "'");
  term.cluster = third_factor == "cluster";
  term.shared = entry.contains("shared_energy") && entry.at("shared_energy").get<bool>();
  term.ordered = entry.contains("neighbor_order");
  if (term.ordered && entry.at("neighbor_order").get<std::string>() != "index")
    throw Error("the model file has an unknown neighbor_order; a newer soap-gpr may read it");
  const json &sizes = entry.at("n_intervals");
  if (sizes.size() != 2) throw Error("the model file's 'n_intervals' is not a pair of numbers");
  const int n_radial = count(sizes.at(0)), n_third = count(sizes.at(1));
  if (n_radial < 4 || n_radial > kMaxTripletIntervals || n_third < 4 ||
      n_third > kMaxTripletIntervals)
    throw Error("the model file's 'n_intervals' is out of range");
  term.radial = UniformGrid(term.cutoff, n_radial);
  term.third = UniformGrid(2 * term.cutoff, n_third);
  const std::size_t n_functions = n_species * n_species * (n_species + 1) / 2;
  for (std::size_t p = 0; p < n_functions; ++p) {
    const std::string suffix = "." + std::to_string(p);
    term.functions.push_back(read_triplet_function(file, prefix + "table" + suffix, term));
    if (fixed) continue;
    const std::size_t size = read(file, prefix + "weights" + suffix, {kAny}).size();
    read(file, prefix + "sparse_points" + suffix, {size, 3});
    if ((size == 0) != term.functions.back().coefficients.empty())
      throw Error("array '" + prefix + "table" + suffix + "' does not fit its sparse points");
    term.n_weights += size;
  }
  if (!entry.contains("processes")) return term;
  const json &list = entry.at("processes");
  for (std::size_t n = 0; n < list.size(); ++n) {
    const int function = get_count(list.at(n), "function", 0, int(n_functions) - 1);
    const std::string name = prefix + "process." + std::to_string(n);
    term.functions[function].processes.push_back(read_process(file, list.at(n), name));
  }
  return term;
}

}  // namespace soap_gpr
