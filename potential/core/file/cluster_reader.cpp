// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include "file/term_readers.hpp"

namespace soap_gpr {

namespace {

constexpr int kMaxTripletIntervals = 2000;  ///< along one axis

/// The cosine where the file does not say, as those do not that know of no other.
CutoffFunction read_cutoff_function(Entry &entry, double cutoff) {
  CutoffFunction f_c;
  f_c.cutoff = cutoff;
  f_c.width = entry.number("cutoff_width", 1e-6, cutoff);
  if (!entry.has("cutoff_function")) return f_c;
  const auto kind = entry.word("cutoff_function");
  if (kind != "smooth" && kind != "cosine")
    throw Error(entry.where() + " has the unknown cutoff_function " + quoted(kind) + kNewer);
  if (kind == "smooth") f_c.kind = CutoffFunction::Kind::smooth;
  return f_c;
}

/// Whether a term has no weights. Evaluation does without the other keys: training needs those of a
/// fitted term again.
bool read_fixed(Entry &entry, double cutoff) {
  const bool fixed = entry.flag("fixed");
  if (fixed) {
    if (entry.has("name")) entry.word("name");
    return fixed;
  }
  read_cutoff_function(entry, cutoff);
  entry.number("length_scale", 1e-3, 1e3);
  entry.number("delta", 0.0, 1e10);
  return fixed;
}

TripletFunction read_triplet_function(Arrays &arrays, const std::string &name,
                                      const TripletTerm &term) {
  const std::size_t n_radial = term.radial.n_coefficients(), n_third = term.third.n_coefficients();
  TripletFunction function;
  function.coefficients = arrays.read(name, {kAny, n_radial, n_third});
  const std::size_t size = function.coefficients.size();
  if (size == 0) return function;
  if (size != n_radial * n_radial * n_third)
    throw Error("array '" + name + "' has the unexpected shape " +
                json(arrays.find(name).shape).dump());
  function.coefficients.resize(size + kSplinePadded);
  return function;
}

const json &three(const json &values) {
  if (!values.is_array() || values.size() != 3)
    throw Error("the model file's processes of triplets have lists that are not of three numbers");
  return values;
}

std::array<int, 3> three_places(const json &values) {
  std::array<int, 3> numbers;
  for (int k = 0; k < 3; ++k) {
    numbers[k] = count(three(values).at(k));
    if (numbers[k] < 0 || numbers[k] > 2)
      throw Error("the model file's processes of triplets name a fourth number");
  }
  return numbers;
}

TripletProcess read_process(Arrays &arrays, Entry &entry, const std::string &name) {
  TripletProcess process;
  const auto kernel = entry.word("kernel");
  if (kernel != "ard_se" && kernel != "pp")
    throw Error(entry.where() + " has the unknown kernel " + quoted(kernel) + kNewer);
  if (kernel == "pp") process.kernel = TripletProcess::Kernel::polynomial;
  process.angle = entry.flag("angle");
  process.constant = entry.number("constant", -1e30, 1e30);
  process.order = three_places(entry.list("order"));
  for (const json &own : entry.list("permutations"))
    process.permutations.push_back(three_places(own));
  for (int k = 0; k < 3; ++k) {
    const double scale = three(entry.list("length_scales")).at(k).get<double>();
    if (!(scale >= 1e-10 && scale <= 1e10))
      throw Error("the model file's 'length_scales' are out of range");
    process.inverse_scale[k] = 1 / scale;
  }
  process.weights = arrays.read(name + ".weights", {kAny});
  const std::size_t size = process.weights.size();
  const std::vector<double> points = arrays.read(name + ".points", {3, size});
  for (int k = 0; k < 3; ++k)
    process.points[k].assign(points.begin() + k * size, points.begin() + (k + 1) * size);
  return process;
}

}  // namespace

PairTerm read_pair_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                        std::size_t n_species) {
  PairTerm term;
  term.cutoff = entry.number("cutoff", 1e-3, 1e3);
  const bool fixed = read_fixed(entry, term.cutoff);
  const json &segments = entry.list("segments");
  if (segments.size() != n_species * (n_species + 1) / 2)
    throw Error("the model file's pair term lacks a pair of species, or has too many");
  for (std::size_t p = 0; p < segments.size(); ++p) {
    const std::string suffix = "." + std::to_string(p);
    const RadialGrid grid(read_segments(segments.at(p)));
    if (grid.end() > term.cutoff * (1 + 1e-12))
      throw Error("the model file's spline segments do not end at the cutoff");
    const auto knots = arrays.read(prefix + "table" + suffix, {std::size_t(grid.n_knots()), 3});
    term.functions.push_back({grid, {knots.begin(), knots.end()}, {}});
    if (fixed) continue;
    const std::size_t size = arrays.read(prefix + "weights" + suffix, {kAny}).size();
    arrays.read(prefix + "sparse_points" + suffix, {size});
    term.n_weights += size;
  }
  return term;
}

TripletTerm read_triplet_term(Arrays &arrays, Entry &entry, const std::string &prefix,
                              std::size_t n_species) {
  TripletTerm term;
  term.cutoff = entry.number("cutoff", 1e-3, 1e3);
  term.f_c = read_cutoff_function(entry, term.cutoff);
  const bool fixed = read_fixed(entry, term.cutoff);
  const auto third_factor = entry.word("third_factor");
  if (third_factor != "none" && third_factor != "cluster")
    throw Error(entry.where() + " has the unknown third_factor " + quoted(third_factor) + kNewer);
  term.cluster = third_factor == "cluster";
  term.shared = entry.has("shared_energy") && entry.flag("shared_energy");
  term.ordered = entry.has("neighbor_order");
  if (term.ordered && entry.word("neighbor_order") != "index")
    throw Error(entry.where() + " has an unknown neighbor_order" + kNewer);
  const json &sizes = entry.list("n_intervals");
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
    term.functions.push_back(read_triplet_function(arrays, prefix + "table" + suffix, term));
    if (fixed) continue;
    const std::size_t size = arrays.read(prefix + "weights" + suffix, {kAny}).size();
    arrays.read(prefix + "sparse_points" + suffix, {size, 3});
    if ((size == 0) != term.functions.back().coefficients.empty())
      throw Error("array '" + prefix + "table" + suffix + "' does not fit its sparse points");
    term.n_weights += size;
  }
  if (!fixed || !entry.has("processes")) return term;
  const json &list = entry.list("processes");
  for (std::size_t n = 0; n < list.size(); ++n) {
    Entry own(list.at(n), "process " + std::to_string(n + 1) + " of " + entry.where());
    const int function = own.count("function", 0, int(n_functions) - 1);
    const std::string name = prefix + "process." + std::to_string(n);
    term.functions[function].processes.push_back(read_process(arrays, own, name));
    own.finish();
  }
  return term;
}

}  // namespace soap_gpr
