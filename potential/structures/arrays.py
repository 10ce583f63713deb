# SPDX-License-Identifier: BSD-3-Clause
"""Geometries as arrays of a model file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from potential.structures.structure import Structure

GEOMETRY = ("sizes", "numbers", "positions", "cells", "pbc")


def to_arrays(structures: Sequence[Structure]) -> dict[str, np.ndarray]:
    """Geometries one after the other, and a coefficient of zero for each coordinate."""
    n_atoms = sum(map(len, structures))
    return {
        "sizes": np.array([len(s) for s in structures], dtype=np.int64),
        "numbers": np.array([z for s in structures for z in s.numbers], dtype=np.int64),
        "positions": np.concatenate([np.zeros((0, 3)), *[s.positions for s in structures]]),
        "cells": np.array([s.cell for s in structures]).reshape(-1, 3, 3),
        "pbc": np.array([s.pbc for s in structures], dtype=np.int64).reshape(-1, 3),
        "coefficients": np.zeros((n_atoms, 3)),
    }


def from_arrays(arrays: Mapping[str, np.ndarray], prefix: str) -> list[Structure]:
    """The structures again, from all arrays of a model file of which theirs begin with prefix."""
    sizes, numbers, positions, cells, pbc = [arrays[prefix + name] for name in GEOMETRY]
    ends = np.cumsum(sizes)
    return [
        Structure(
            numbers[end - size : end],
            positions[end - size : end],
            cell,
            periodic.astype(bool),
            source=f"sparse structure {k}",
        )
        for k, (size, end, cell, periodic) in enumerate(zip(sizes, ends, cells, pbc, strict=True))
    ]
