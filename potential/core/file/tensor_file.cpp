// SPDX-License-Identifier: BSD-3-Clause
#include "file/tensor_file.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "file/json_text.hpp"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "model files are little-endian");

namespace soap_gpr {

namespace {

constexpr std::size_t kMaxDimensions = 8;
constexpr std::size_t kWidestEmpty = 10000000;  ///< columns of an array without rows
constexpr std::size_t kElement = 8;             // both types are eight bytes wide
const char *kChecksumKey = "\"checksum\":\"";
constexpr std::size_t kChecksumDigits = 8;

std::uint32_t crc32(std::uint32_t crc, const char *bytes, std::size_t size) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t n = 0; n < 256; ++n) {
      std::uint32_t c = n;
      for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
      t[n] = c;
    }
    return t;
  }();
  crc = ~crc;
  for (std::size_t i = 0; i < size; ++i)
    crc = table[(crc ^ static_cast<unsigned char>(bytes[i])) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

/// CRC-32 of header and data with the digits of the checksum itself read as zeros.
std::string checksum(std::string header, const char *data, std::size_t size, std::size_t digits) {
  header.replace(digits, kChecksumDigits, kChecksumDigits, '0');
  const std::uint32_t crc = crc32(crc32(0, header.data(), header.size()), data, size);
  char text[kChecksumDigits + 1];
  std::snprintf(text, sizeof text, "%08x", crc);
  return text;
}

std::size_t find_checksum(const std::string &header) {
  const std::size_t key = header.find(kChecksumKey);
  if (key == std::string::npos) return key;
  const std::size_t digits = key + std::strlen(kChecksumKey);
  return digits + kChecksumDigits <= header.size() ? digits : std::string::npos;
}

/// Integers of the header; a cast of other numbers could be undefined.
std::vector<std::size_t> sizes(const std::string &name, const json &values) {
  std::vector<std::size_t> found;
  for (const json &value : values) {
    if (!value.is_number_unsigned())
      throw Error("array " + quoted(name) + " has a shape or place that is not a whole number");
    found.push_back(value.get<std::size_t>());
  }
  return found;
}

Tensor parse_entry(const std::string &name, const json &entry,
                   const std::vector<std::size_t> &offsets, const char *data, std::size_t data_size,
                   std::size_t &expected_begin) {
  Tensor tensor;
  const std::string type = entry.at("dtype").get<std::string>();
  if (type != "F64" && type != "I64")
    throw Error("array " + quoted(name) + " has the type " + quoted(type) +
                ", expected F64 or I64");
  tensor.type = type == "F64" ? Tensor::Type::f64 : Tensor::Type::i64;
  tensor.shape = sizes(name, entry.at("shape"));
  if (tensor.shape.size() > kMaxDimensions)
    throw Error("array " + quoted(name) + " has " + std::to_string(tensor.shape.size()) +
                " dimensions, expected " + std::to_string(kMaxDimensions) + " at most");
  if (entry.size() != 3)
    throw Error("array " + quoted(name) + " has more than dtype, shape and data_offsets");
  std::size_t elements = 1;
  for (std::size_t n : tensor.shape) {
    // an array without rows may be wide in a small file
    if (n > std::max(data_size, kWidestEmpty) || (n > 0 && elements > data_size / n))
      throw Error("array " + quoted(name) + " is larger than the file");
    elements *= n;
  }
  if (offsets.size() != 2 || offsets[0] != expected_begin || offsets[1] > data_size ||
      offsets[1] < offsets[0] || offsets[1] - offsets[0] != elements * kElement)
    throw Error("array " + quoted(name) + " does not lie where its shape says");
  tensor.data = data + offsets[0];
  expected_begin = offsets[1];
  return tensor;
}

}  // namespace

std::size_t Tensor::size() const {
  std::size_t n = 1;
  for (std::size_t extent : shape) n *= extent;
  return n;
}

std::vector<double> Tensor::doubles() const {
  std::vector<double> out(size());
  if (!out.empty()) std::memcpy(out.data(), data, out.size() * sizeof(double));
  return out;
}

std::vector<std::int64_t> Tensor::integers() const {
  std::vector<std::int64_t> out(size());
  if (!out.empty()) std::memcpy(out.data(), data, out.size() * sizeof(std::int64_t));
  return out;
}

TensorFile parse_tensor_file(const char *bytes, std::size_t size) {
  std::uint64_t header_size = 0;
  if (size < sizeof header_size) throw Error("not a soap-gpr model file: it is too short");
  std::memcpy(&header_size, bytes, sizeof header_size);
  if (header_size > size - sizeof header_size || header_size < 2 || bytes[8] != '{')
    throw Error("not a soap-gpr model file, or cut short");
  const std::string header(bytes + sizeof header_size, header_size);
  const char *data = bytes + sizeof header_size + header_size;
  const std::size_t data_size = size - sizeof header_size - header_size;

  TensorFile file;
  std::size_t end = 0;
  try {
    const json parsed = parse_json(header, "header");
    file.metadata = parsed.at("__metadata__").get<std::map<std::string, std::string>>();
    // by begin and end: empty arrays share their offset with the next one and come first
    std::vector<std::pair<std::vector<std::size_t>, std::string>> order;
    for (const auto &[name, entry] : parsed.items())
      if (name != "__metadata__") order.emplace_back(sizes(name, entry.at("data_offsets")), name);
    std::sort(order.begin(), order.end());
    if (!order.empty() && !order.back().first.empty() && order.back().first.back() > data_size)
      throw Error("the model file is cut short: found " + std::to_string(data_size) +
                  " bytes of arrays, expected " + std::to_string(order.back().first.back()));
    for (const auto &[offsets, name] : order)
      file.tensors[name] = parse_entry(name, parsed.at(name), offsets, data, data_size, end);
  } catch (const json::exception &) {
    throw Error("not a soap-gpr model file: its header is not readable");
  }
  if (file.metadata["format"] != "soap-gpr") throw Error("not a soap-gpr model file");
  if (end != data_size) throw Error("the model file has bytes after its end");
  const std::size_t digits = find_checksum(header);
  if (digits == std::string::npos ||
      header.substr(digits, kChecksumDigits) != checksum(header, data, data_size, digits))
    throw Error("the model file is damaged or was edited: its checksum does not match");
  return file;
}

std::string write_tensor_file(const TensorFile &file) {
  json header;
  std::string data;
  auto metadata = file.metadata;
  metadata["checksum"] = std::string(kChecksumDigits, '0');
  header["__metadata__"] = metadata;
  for (const auto &[name, tensor] : file.tensors) {
    const std::size_t begin = data.size();
    data.append(tensor.data, tensor.size() * kElement);
    header[name] = {{"dtype", tensor.type == Tensor::Type::f64 ? "F64" : "I64"},
                    {"shape", tensor.shape},
                    {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::size_t digits = find_checksum(text);
  text.replace(digits, kChecksumDigits, checksum(text, data.data(), data.size(), digits));
  const std::uint64_t header_size = text.size();
  std::string bytes(sizeof header_size, '\0');
  std::memcpy(&bytes[0], &header_size, sizeof header_size);
  return bytes + text + data;
}

}  // namespace soap_gpr
