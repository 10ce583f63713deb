# SPDX-License-Identifier: BSD-3-Clause
"""Model files taken apart and put together again, with any change and a valid checksum."""

import json
import zlib

import numpy as np


def header_of(data):
    """The header's text and the bytes of the arrays."""
    size = int.from_bytes(data[:8], "little")
    return data[8 : 8 + size].decode(), data[8 + size :]


def with_header(header, payload):
    """A file with this header, text or a dictionary, and a valid checksum."""
    if isinstance(header, dict):
        header = json.dumps(header, separators=(",", ":"))
    at = header.index('"checksum":"') + len('"checksum":"')
    zeroed = header[:at] + "0" * 8 + header[at + 8 :]
    crc = zlib.crc32(payload, zlib.crc32(zeroed.encode()))
    text = (zeroed[:at] + f"{crc:08x}" + zeroed[at + 8 :]).encode()
    return len(text).to_bytes(8, "little") + text + payload


def change_metadata(data, **changes):
    """The file with other metadata; None leaves a key out."""
    header, payload = header_of(data)
    parsed = json.loads(header)
    metadata = parsed["__metadata__"] | changes
    parsed["__metadata__"] = {key: own for key, own in metadata.items() if own is not None}
    return with_header(parsed, payload)


def change_term(model, t=0, **changes):
    """The model's file with other values in the entry of one term."""
    terms = json.loads(json.dumps(model.terms))
    terms[t].update(changes)
    return change_metadata(model.to_bytes(), terms=json.dumps(terms))


def change_arrays(data, arrays):
    """The file with float64 arrays added at its end, by name."""
    header, payload = header_of(data)
    parsed = json.loads(header)
    for name, array in arrays.items():
        added = np.asarray(array, dtype=np.float64)
        place = [len(payload), len(payload) + added.nbytes]
        parsed[name] = {"dtype": "F64", "shape": list(added.shape), "data_offsets": place}
        payload += added.tobytes()
    return with_header(parsed, payload)
