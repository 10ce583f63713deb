// SPDX-License-Identifier: BSD-3-Clause
// Named arrays and text metadata in the safetensors layout: u64 little-endian header length, JSON
// header, raw little-endian arrays. The metadata carries a CRC-32 of everything else in the file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "soap_gpr.hpp"

namespace soap_gpr {

struct Tensor {
  enum class Type { f64, i64 };
  Type type = Type::f64;
  std::vector<std::size_t> shape;
  const char *data = nullptr;  ///< borrowed, not necessarily aligned

  std::size_t size() const;                    ///< number of elements
  std::vector<double> doubles() const;         ///< of an array of type f64
  std::vector<std::int64_t> integers() const;  ///< of an array of type i64
};

struct TensorFile {
  std::map<std::string, std::string> metadata;
  std::map<std::string, Tensor> tensors;
};

/// Checks layout and checksum before anything is returned; the result borrows `bytes`.
TensorFile parse_tensor_file(const char *bytes, std::size_t size);
/// Adds the checksum to the metadata.
std::string write_tensor_file(const TensorFile &file);

}  // namespace soap_gpr
