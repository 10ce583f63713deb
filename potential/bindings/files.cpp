// SPDX-License-Identifier: BSD-3-Clause
// Model files as metadata and arrays.
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include "arrays.hpp"
#include "file/tensor_file.hpp"

namespace {

using AnyArray = nb::ndarray<nb::numpy, nb::ro, nb::c_contig, nb::device::cpu>;

nb::bytes pack(const std::map<std::string, std::string> &metadata,
               const std::map<std::string, AnyArray> &arrays) {
  TensorFile file;
  file.metadata = metadata;
  for (const auto &[name, array] : arrays) {
    Tensor &tensor = file.tensors[name];
    if (array.dtype() == nb::dtype<double>())
      tensor.type = Tensor::Type::f64;
    else if (array.dtype() == nb::dtype<std::int64_t>())
      tensor.type = Tensor::Type::i64;
    else
      throw Error("array '" + name + "' is neither float64 nor int64");
    for (std::size_t k = 0; k < array.ndim(); ++k) tensor.shape.push_back(array.shape(k));
    tensor.data = static_cast<const char *>(array.data());
  }
  const std::string bytes = write_tensor_file(file);
  return nb::bytes(bytes.data(), bytes.size());
}

nb::tuple unpack(const nb::bytes &bytes) {
  const TensorFile file = parse_tensor_file(bytes.c_str(), bytes.size());
  nb::dict arrays;
  for (const auto &[name, tensor] : file.tensors) {
    auto *owned = new std::vector<char>(tensor.data, tensor.data + 8 * tensor.size());
    nb::capsule owner(owned, [](void *p) noexcept { delete static_cast<std::vector<char> *>(p); });
    const auto type =
        tensor.type == Tensor::Type::f64 ? nb::dtype<double>() : nb::dtype<std::int64_t>();
    arrays[name.c_str()] = nb::ndarray<nb::numpy>(owned->data(), tensor.shape.size(),
                                                  tensor.shape.data(), owner, nullptr, type);
  }
  return nb::make_tuple(file.metadata, arrays);
}

}  // namespace

void bind_files(nb::module_ &m) {
  m.def("pack", &pack, "metadata"_a, "arrays"_a);
  m.def("unpack", &unpack, "bytes"_a);
}
