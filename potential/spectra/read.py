# SPDX-License-Identifier: BSD-3-Clause
"""Reads series from extras of i-PI, extended XYZ files, arrays of NumPy, and by
``lammps_files`` from logs and columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.io.extxyz import key_val_str_to_dict

from potential.errors import SoapGprError
from potential.spectra.lammps_files import is_log, read_columns, read_log
from potential.spectra.series import Series, checked
from potential.structures.file_check import check_file

_EXTRAS = re.compile(r"^\s*#\s*EXTRAS\w*\((.*?)\)#\s*Step:\s*(-?\d+).*$", re.M)
# as i-PI, ASE's users, LAMMPS in XYZ files, and ASE's reader of its dumps name them
_STEPS = ("Step", "step", "Timestep", "timestep")
# what ASE writes of i-PI's comments, with format="ase" and of its own XYZ files
_IPI_STEP = re.compile(r"\bStep:(?:=T)?\s+(\d+)\b")


def read_series(
    path: str,
    n_components: int | None,
    columns: Sequence[str] = (),
    key: str | None = None,
    default_key: str | None = None,
) -> Series:
    """The series in a file, by what the file is.

    n_components: 3 of dipoles, 9 of polarizabilities, None of anything. columns: names or numbers,
    from 1, of columns of text. key: what a frame of extended XYZ calls the quantity, by default
    default_key.
    Raises SoapGprError for files of another form, and as ``checked`` does.
    """
    if Path(path).suffix == ".npy":
        used, series = "", _read_array(path)
    else:
        text = _text(path)
        if _EXTRAS.match(text):
            used, series = "", _read_extras(path, text)
        elif text.lstrip()[:20].split("\n")[0].strip().isdecimal():
            used, series = "key", _read_frames(path, text, key or default_key)
        else:
            used = "columns"
            read = read_log if is_log(text) else read_columns
            series = read(path, text, columns, n_components)
    for name, given in (("columns", columns), ("key", key)):
        if given and name != used:
            raise SoapGprError(
                f"{path}: found --{name}, which is of no use for a file of this form, expected none"
            )
    found = series.values.shape[1]
    if n_components is not None and found != n_components:
        raise SoapGprError(f"{path}: found {found} numbers a record, expected {n_components}")
    return checked(series)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SoapGprError(
            f"{path}: found bytes that are no text, expected extras of i-PI, a log or columns, "
            "extended XYZ, or a name that ends in .npy"
        ) from None
    except OSError as error:
        raise SoapGprError(f"{path}: cannot be read: {error.strerror or error}") from None


def _read_array(path: str) -> Series:
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise SoapGprError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError):
        raise SoapGprError(f"{path}: found something else, expected an array of NumPy") from None
    if array.dtype.kind not in "fiu" or array.ndim < 2 or 0 in array.shape:
        raise SoapGprError(
            f"{path}: found an array of {array.dtype} of the shape {array.shape}, expected real "
            "numbers (n_records, 3), (n_records, 9) or (n_records, 3, 3)"
        )
    return Series(array.reshape(len(array), -1).astype(np.float64), None, None, path)


def _read_extras(path: str, text: str) -> Series:
    """What ``<trajectory extra_type="...">extras</trajectory>`` writes: a line with the step and
    the numbers below it."""
    heads = list(_EXTRAS.finditer(text))
    kinds = {head[1] for head in heads}
    if len(kinds) > 1 or "raw" in kinds:
        raise SoapGprError(
            f"{path}: found extras of type {', '.join(sorted(kinds))}, expected one type that is "
            'numbers, such as extra_type="dipole"'
        )
    ends = [head.start() for head in heads[1:]] + [len(text)]
    rows = [text[head.end() : end].split() for head, end in zip(heads, ends, strict=True)]
    steps = np.array([int(head[2]) for head in heads])
    return Series(_numbers(path, rows, [f"step {step}" for step in steps]), steps, None, path)


def _read_frames(path: str, text: str, key: str | None) -> Series:
    """Extended XYZ: the comment lines alone are read, with ASE's own reader of them."""
    if key is None:
        raise SoapGprError(f"{path}: found frames, expected --key, what they call the quantity")
    check_file(path)
    rows, steps = [], []
    for number, line in enumerate(_comments(path, text)):
        info = key_val_str_to_dict(line)
        if key not in info:
            raise SoapGprError(
                f"{path}#{number}: found {', '.join(info) or 'nothing'}, expected {key!r}"
            )
        # ASE writes and reads 3 x 3 numbers by columns
        rows.append([str(word) for word in np.ravel(info[key])])
        steps += _step_of(line, info)
    if steps and not (len(steps) == len(rows) and np.array(steps).dtype.kind == "i"):
        raise SoapGprError(
            f"{path}: found {len(steps)} steps of {len(rows)} frames, expected an integer for all "
            "or none"
        )
    values = _numbers(path, rows, [f"frame {k}" for k in range(len(rows))])
    return Series(values, np.array(steps, dtype=np.int64) if steps else None, None, path)


def _step_of(line: str, info: Mapping[str, Any]) -> list[Any]:
    """One step, or none, of a frame with this comment and what it says. A ``timestep`` that is no
    integer is the length of one."""
    named = [info[name] for name in _STEPS if name in info]
    if isinstance(info.get("timestep"), float):
        named.pop()
    return (named or [int(step) for step in _IPI_STEP.findall(line)])[:1]


def _comments(path: str, text: str) -> Iterator[str]:
    lines = text.splitlines()
    k = 0
    while k < len(lines) and lines[k].strip():
        if not lines[k].strip().isdecimal() or k + 1 >= len(lines):
            raise SoapGprError(
                f"{path}: found {lines[k].strip()!r:.40} in line {k + 1}, expected the number of "
                "atoms of a frame"
            )
        yield lines[k + 1]
        k += int(lines[k]) + 2
        while k < len(lines) and lines[k].lstrip().startswith("VEC"):
            k += 1


def _numbers(path: str, rows: Sequence[Sequence[str]], names: Sequence[str]) -> np.ndarray:
    """(n, n_columns) of rows of words; the first row says how many there are in each."""
    for row, name in zip(rows, names, strict=True):
        if len(row) != len(rows[0]) or not row:
            raise SoapGprError(
                f"{path}: found {len(row)} numbers at {name}, expected {len(rows[0]) or 'some'} as "
                f"at {names[0]}"
            )
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise SoapGprError(f"{path}: {error}, expected numbers alone") from None
