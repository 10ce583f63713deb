# SPDX-License-Identifier: BSD-3-Clause
"""The pair and three-body potentials that some models are (docs/theory.md eq. 5f)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.model.environments import Environments
from potential.model.model import Model
from potential.structures.neighbors import NeighborList

ADVICE = "expected zeta = 1, normalize = false and radial or power spectra as the representation"
_ORDERS = {"radial_spectrum": 2, "power_spectrum": 3, "bispectrum": 4}


def body_order(model: Model) -> int:
    """2 for a model that is a sum of pair potentials, 3 with three-body potentials.

    Raises SoapGprError for any other, naming the term and the setting that makes it one.
    """
    return max([2, *(_order(t, entry) for t, entry in enumerate(model.terms))])


def _order(t: int, entry: Mapping[str, Any]) -> int:
    if entry["kind"] == "pair":
        return 2
    if entry["kind"] == "triplet" and "neighbor_order" not in entry:
        return 3
    where = f"term {t + 1} is no sum of pair or three-body potentials"
    if entry["kind"] != "soap":
        raise SoapGprError(f"{where}: found the kind {entry['kind']!r}")
    order = _ORDERS[entry.get("representation", "power_spectrum")]
    if entry["normalize"]:
        # the length of the features depends on all neighbours at once
        raise SoapGprError(f"{where}: found normalize = true, {ADVICE}")
    if entry["zeta"] != 1:
        raise SoapGprError(f"{where}: found zeta = {entry['zeta']}, {ADVICE}")
    if order > 3:
        raise SoapGprError(f'{where}: found representation = "bispectrum", {ADVICE}')
    return order


def isolated_energies(model: Model) -> np.ndarray:
    """Energies (n_species,) of single atoms, eV: what pair potentials leave out."""
    species = np.arange(len(model.species), dtype=np.int32)
    offset = np.zeros(len(species) + 1, dtype=np.uint64)
    none = NeighborList(offset, np.zeros(0, dtype=np.uint64), np.zeros((0, 3)))
    return model.evaluate_environments(Environments(species, none), forces=False).energies


def pair_potential(model: Model, a: int, b: int, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """V_ab(r) in eV and −dV/dr in eV/Å at the distances r (n,) Å, of the species number a and b.

    The sum of what either atom has of it as the centre.
    """
    vectors = r[:, None, None] * np.array([1.0, 0.0, 0.0])
    first, force = _centred(model, a, [b], vectors)
    second, other = _centred(model, b, [a], vectors)
    return first + second, force[:, 0, 0] + other[:, 0, 0]


def triplet_potential(
    model: Model, a: int, b: int, c: int, r: np.ndarray, r2: np.ndarray, omega: np.ndarray
) -> np.ndarray:
    """V_a,bc(r, r', ω) in eV of a centre of species a and neighbours of b at r and c at r'.

    r, r2 in Å and omega, the cosine between them, have one shape, which is that of the result.
    """
    shape = np.broadcast(r, r2, omega).shape
    r, r2, omega = (np.broadcast_to(own, shape).ravel() for own in (r, r2, omega))
    sine = np.sqrt(np.maximum(0.0, 1.0 - omega**2))
    zero = np.zeros_like(r)
    first = np.stack([r, zero, zero], axis=1)
    second = r2[:, None] * np.stack([omega, sine, zero], axis=1)
    both, _ = _centred(model, a, [b, c], np.stack([first, second], axis=1))
    alone, _ = _centred(model, a, [b], first[:, None])
    other, _ = _centred(model, a, [c], second[:, None])
    return (both - alone - other).reshape(shape)


def _centred(
    model: Model, a: int, neighbors: list[int], vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What a centre with neighbours at vectors (n, n_neighbors, 3) adds to single atoms.

    Energies (n,) and forces on the neighbours (n, n_neighbors, 3). They are no centres themselves.
    """
    n, size = len(vectors), len(neighbors)
    near = np.linalg.norm(vectors, axis=2) < model.cutoff
    species = np.tile(np.array([a, *neighbors], dtype=np.int32), n)
    own = np.arange(n * (size + 1)).reshape(n, size + 1)
    counts = np.zeros((n, size + 1), dtype=np.uint64)
    counts[:, 0] = near.sum(axis=1)
    offset = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    pairs = NeighborList(offset, own[:, 1:][near].astype(np.uint64), vectors[near])
    found = model.evaluate_environments(Environments(species, pairs))
    single = isolated_energies(model)[species].reshape(n, size + 1)
    energies = (found.energies.reshape(n, size + 1) - single).sum(axis=1)
    assert found.forces is not None
    return energies, found.forces.reshape(n, size + 1, 3)[:, 1:]
