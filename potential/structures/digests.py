# SPDX-License-Identifier: BSD-3-Clause
"""Digests by which structures are recognised, whatever file they are in."""

from __future__ import annotations

import hashlib

import numpy as np

from potential.structures.structure import Structure


def fingerprint(structure: Structure) -> bytes:
    """A digest of the geometry alone: equal for the same frame in two files or another order."""
    digest = hashlib.sha256(structure.numbers.tobytes())
    for array in (structure.positions, structure.cell, structure.pbc):
        # + 0.0 turns -0.0 into 0.0; 1e-6 Å is what text formats keep.
        digest.update((np.round(np.asarray(array, dtype=np.float64), 6) + 0.0).tobytes())
    return digest.digest()


def structure_digest(structure: Structure) -> bytes:
    """Equal for structures of the same geometry, labels, expected errors and weights."""
    s = structure
    hashed = hashlib.sha256(fingerprint(s))
    hashed.update(repr((s.energy, s.config_type)).encode())
    hashed.update(repr((s.weight_energy, s.weight_force, s.weight_virial)).encode())
    for value in (s.forces, s.virial, s.sigma_energy, s.sigma_force, s.sigma_virial):
        array = np.array([] if value is None else value, dtype=np.float64)
        hashed.update(repr(array.shape).encode() + array.tobytes())
    for name, values in (*sorted(s.targets.items()), *sorted(s.arrays.items())):
        hashed.update(name.encode() + values.tobytes())
    return hashed.digest()
