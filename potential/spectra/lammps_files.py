# SPDX-License-Identifier: BSD-3-Clause
"""Series in columns of text: thermodynamic output in logs of LAMMPS, what its ``fix ave/time``
writes, and columns of any other program."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from potential.errors import SoapGprError
from potential.spectra.series import Series

_STEP_NAMES = ("Step", "step", "TimeStep", "Timestep")
_FS = {"metal": 1e3, "real": 1.0, "electron": 1.0}  # of a unit of time of LAMMPS
# what the standard output says of each run, and the commands that the log repeats
_UNITS = re.compile(r"^(?:\s*Unit style\s*:|units\s)\s*([a-z]+)\b", re.M)
_TIME_STEP = re.compile(r"^(?:\s*Time step\s*:|timestep\s)\s*([\d.][-+.\deE]*)\s*(?:#.*)?$", re.M)


def is_log(text: str) -> bool:
    """Whether a text is a log, also one that the command ``log`` began, or the standard output of
    LAMMPS."""
    return re.search(r"^(LAMMPS \(|Per MPI rank memory allocation )", text, re.M) is not None


def read_log(path: str, text: str, columns: Sequence[str], n_components: int | None) -> Series:
    """Columns of the tables that runs have printed (``thermo_style`` one), with the time step."""
    if not columns:
        raise SoapGprError(
            f"{path}: found a log, expected --columns, the names of the quantity in thermo_style, "
            "such as c_gap[1] c_gap[2] c_gap[3]"
        )
    names: list[str] | None = None
    rows, inside = list[list[str]](), False
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["Step"]:
            if names not in (None, words):
                raise SoapGprError(
                    f"{path}: found tables with different columns, expected the same in all runs"
                )
            names, inside = words, True
        elif inside and words and _is_number(words[0]):
            rows.append(words)
        elif inside and not line.startswith("WARNING"):
            inside = False
    if names is None:
        raise SoapGprError(
            f"{path}: found a log without a table that begins with Step, expected thermodynamic "
            "output in the style of one line"
        )
    values, steps = _chosen(path, rows, names, columns, n_components)
    return Series(values, steps, _step_of_log(path, text), path)


def _step_of_log(path: str, text: str) -> float | None:
    """fs, of what every run says of itself, or the commands before it."""
    units = set(_UNITS.findall(text))
    found = {float(word) for word in _TIME_STEP.findall(text) if _is_number(word)}
    if len(units) != 1 or not units <= set(_FS) or not found:
        return None
    if len(found) > 1:
        words = ", ".join(f"{step:g}" for step in sorted(found))
        raise SoapGprError(f"{path}: found runs with time steps of {words}, expected one")
    return found.pop() * _FS[units.pop()]


def read_columns(path: str, text: str, columns: Sequence[str], n_components: int | None) -> Series:
    """Columns of numbers. Names are those of the last comment above them with as many words."""
    comments, rows = list[str](), list[list[str]]()
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            if not rows:
                comments.append(line.lstrip().lstrip("#"))
        elif words := line.split():
            rows.append(words)
    if not rows:
        raise SoapGprError(f"{path}: found no numbers, expected a record in each line")
    named = [own.split() for own in comments if len(own.split()) == len(rows[0])]
    names = named[-1] if named else [str(k + 1) for k in range(len(rows[0]))]
    values, steps = _chosen(path, rows, names, columns, n_components)
    return Series(values, steps, None, path)


def _chosen(
    path: str,
    rows: Sequence[Sequence[str]],
    names: Sequence[str],
    columns: Sequence[str],
    n_components: int | None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """(values, steps or None): the columns by names or numbers, without names all but the steps."""
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise SoapGprError(
                f"{path}: found {len(row)} words in record {number}, expected {len(names)} columns"
            )
    try:
        table = np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise SoapGprError(f"{path}: {error}, expected numbers alone") from None
    step = next((k for k, name in enumerate(names) if name in _STEP_NAMES), None)
    chosen = [_column(path, names, column) for column in columns]
    if not chosen:
        chosen = [k for k in range(len(names)) if k != step]
    if n_components is not None and len(chosen) != n_components:
        asked = "--columns" if columns else f"the columns {' '.join(names)}"
        raise SoapGprError(
            f"{path}: found {len(chosen)} of {asked}, expected {n_components} numbers a record, "
            "by --columns"
        )
    return table[:, chosen], None if step is None else _steps(path, table[:, step])


def _column(path: str, names: Sequence[str], column: str) -> int:
    if column in names:
        if list(names).count(column) > 1:
            raise SoapGprError(f"{path}: found two columns {column!r}, expected one of each name")
        return list(names).index(column)
    if column.isdecimal() and 1 <= int(column) <= len(names):
        return int(column) - 1
    raise SoapGprError(
        f"{path}: found no column {column!r}, expected one of {' '.join(names)}, or 1 to "
        f"{len(names)}"
    )


def _steps(path: str, column: np.ndarray) -> np.ndarray:
    whole = np.isfinite(column) & (column == np.rint(column)) & (np.abs(column) < 2**53)
    if not whole.all():
        bad = column[~whole][0]
        raise SoapGprError(f"{path}: found the step {bad:g}, expected an integer")
    return column.astype(np.int64)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
