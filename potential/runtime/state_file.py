# SPDX-License-Identifier: BSD-3-Clause
"""Files that a fit reads back: nothing in them is parsed before their checksum is found right.

Layout: one line of text with kind and version, one with the CRC-32 of all that follows, one of
JSON {"values": ..., "arrays": {name: [dtype, shape]}}, then the arrays in Fortran's order.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.runtime.output import atomic_file

_VERSION = 1
_DIGITS = 8  # of the checksum
_TYPES = ("<f8", "|u1")


def write_state(
    path: str | Path, kind: str, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write values that JSON knows and arrays in one step; raises SoapGprError.

    Arrays in Fortran's order, and those of one dimension, are not copied.
    """
    stored = {name: np.asfortranarray(array) for name, array in arrays.items()}
    places = {name: [array.dtype.str, array.shape] for name, array in stored.items()}
    header = json.dumps({"values": values, "arrays": places}).encode() + b"\n"
    parts: list[Any] = [header, *(array.T.data for array in stored.values() if array.size)]
    with atomic_file(path) as temporary, open(temporary, "wb") as stream:
        stream.write(_first_line(kind) + _checksum(parts) + b"\n")
        for part in parts:
            stream.write(part)


def read_state(path: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The values, and the arrays, which cannot be written to.

    Raises SoapGprError when the file cannot be read, is of another kind or is damaged.
    """
    try:
        with open(path, "rb") as stream:
            first = stream.read(len(_first_line(kind)))
            content = stream.read() if first == _first_line(kind) else b""
    except OSError as error:
        raise SoapGprError(f"{path}: cannot be read: {error.strerror}") from None
    if first != _first_line(kind):
        raise SoapGprError(
            f"{path}: found something else than a {kind} of soap-gpr fit, expected one, or no file"
        )
    begin = _DIGITS + 1
    if content[:begin] != _checksum([memoryview(content)[begin:]]) + b"\n":
        raise damaged(path, kind)
    try:
        return _parsed(content, begin)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise damaged(path, kind) from None


def damaged(path: str | Path, kind: str) -> SoapGprError:
    """The error for a file whose content is not what was written."""
    return SoapGprError(
        f"{path}: found a damaged {kind}, expected it as soap-gpr fit wrote it, or no file: "
        "delete it"
    )


def _parsed(content: bytes, begin: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Values and arrays after ``begin``; raises ValueError and its like."""
    end = content.index(b"\n", begin)
    header = json.loads(content[begin:end])
    arrays, place = {}, end + 1
    for name, (kind, shape) in header["arrays"].items():
        if kind not in _TYPES or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise ValueError(name)
        flat = np.frombuffer(content, kind, math.prod(shape), place)
        arrays[name] = flat.reshape(shape, order="F")
        place += flat.nbytes
    if place != len(content):
        raise ValueError("bytes after the end")
    return dict(header["values"]), arrays


def _first_line(kind: str) -> bytes:
    return f"soap-gpr {kind} {_VERSION}\n".encode()


def _checksum(parts: Iterable[Any]) -> bytes:
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return f"{crc:0{_DIGITS}x}".encode()
