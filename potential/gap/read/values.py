# SPDX-License-Identifier: BSD-3-Clause
"""Values of QUIP's options as numbers, or one sentence why not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from potential.errors import SoapGprError


def number(key: str, text: str) -> float:
    """A finite number, Fortran's 1.0d-3 included. Raises SoapGprError."""
    try:
        value = float(text.strip().lower().replace("d", "e").replace("_", "?"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SoapGprError(f"{key}: found {text!r}, expected a number")
    return value


def truth(key: str, text: str) -> bool:
    """T, true, or a key without value; F or false. Raises SoapGprError for anything else."""
    word = text.strip().lower()
    if word not in ("", "t", "true", "f", "false"):
        raise SoapGprError(f"{key}: found {text!r}, expected T or F")
    return word not in ("f", "false")


def count(key: str, text: str) -> int:
    """An integer, none below 0. Raises SoapGprError."""
    value = number(key, text)
    if value < 0 or value != int(value):
        raise SoapGprError(f"{key}: found {text!r}, expected a count")
    return int(value)


def table(key: str, text: str) -> dict[str, float]:
    """``a:1:b:2`` as {a: 1, b: 2}. Raises SoapGprError."""
    parts = [part.strip() for part in text.split(":") if part.strip()]
    if len(parts) % 2:
        raise SoapGprError(f"{key}: found {text!r}, expected names and numbers by turns")
    return {parts[k]: number(f"{key} {parts[k]}", parts[k + 1]) for k in range(0, len(parts), 2)}


def sigmas(key: str, parts: Sequence[str]) -> dict[str, float]:
    """Energy, force and virial sigma of these and the Hessian's; 0, for labels that the data of
    gap_fit lack, becomes inf, which leaves them out.

    Raises SoapGprError when they are not four numbers, or all of the first three zero.
    """
    values = [number(key, part) for part in parts]
    if len(values) != 4 or min(values[:3]) < 0 or max(values[:3]) == 0:
        raise SoapGprError(
            f"{key}: found {' '.join(parts)!r}, expected four numbers, of energy, force, virial "
            "and Hessian, not below 0"
        )
    names = ("energy_per_atom", "force", "virial_per_atom")
    return {name: value or math.inf for name, value in zip(names, values[:3], strict=True)}
