# SPDX-License-Identifier: BSD-3-Clause
"""Crystals and models of a given size for timing: nothing is fitted, everything costs the same."""

from __future__ import annotations

from dataclasses import dataclass

import ase
import numpy as np
from ase.build import bulk

from potential.basis import SoapBasis, tabulate
from potential.model import Model
from potential.terms import build_model
from potential.terms.features import features

LATTICE = {"Si": ("diamond", 5.43), "SiC": ("zincblende", 4.36)}
# Species at random on the sites of silicon: the number of species is all that changes.
ALLOYS = {"SiGe": ["Si", "Ge"], "SiGeSn": ["Si", "Ge", "Sn"], "SiGeSnC": ["Si", "Ge", "Sn", "C"]}


@dataclass(frozen=True)
class Size:
    """Everything that the cost of a model depends on; the same for all codes compared."""

    species: str = "Si"
    n_max: int = 8
    l_max: int = 6
    zeta: int = 4
    n_sparse: int = 1000  # per species
    cutoff: float = 5.0
    cutoff_width: float = 1.0
    atom_sigma: float = 0.5


def crystal(species: str, n_atoms: int, displacement: float = 0.05, seed: int = 0) -> ase.Atoms:
    """A cube of 8 n³ atoms, at least n_atoms, displaced by `displacement` Å (standard deviation).

    species: one of LATTICE or ALLOYS.
    """
    name = "Si" if species in ALLOYS else species
    structure, a = LATTICE[name]
    cells = int(np.ceil((n_atoms / 8) ** (1 / 3) - 1e-9))
    atoms = bulk(name, structure, a=a, cubic=True).repeat(cells)
    if species in ALLOYS:
        symbols = np.resize(ALLOYS[species], len(atoms))
        atoms.symbols = np.random.default_rng(seed).permutation(symbols)
    atoms.rattle(displacement, seed=seed)
    return atoms


def training_frames(size: Size) -> list[ase.Atoms]:
    """Displaced crystals with more than n_sparse atoms of every species."""
    n_species = len(set(crystal(size.species, 8).numbers))
    per_frame = 512 // n_species  # at least
    count = size.n_sparse // per_frame + 1
    return [crystal(size.species, 512, 0.1 + 0.02 * k, seed=k + 1) for k in range(count)]


def random_model(size: Size, seed: int = 0) -> Model:
    """Sparse points are environments of displaced crystals; weights are random and small."""
    rng = np.random.default_rng(seed)
    frames = training_frames(size)
    species = sorted(set(frames[0].numbers.tolist()))
    soap = SoapBasis(
        cutoff=size.cutoff,
        cutoff_width=size.cutoff_width,
        cutoff_function="cosine",  # QUIP's
        n_max=size.n_max,
        l_max=size.l_max,
        atom_sigma=size.atom_sigma,
    )
    term = {
        "kind": "soap",
        "cutoff": size.cutoff,
        "l_max": size.l_max,
        "zeta": size.zeta,
        "delta": 1.0,
        "normalize": True,
        **tabulate(soap, species),
    }
    tables = build_model(species, [0.0] * len(species), [term])
    rows = np.concatenate([features(tables, 0, frame) for frame in frames])
    numbers = np.concatenate([frame.numbers for frame in frames])
    term["sparse_points"] = {a: rows[numbers == z][: size.n_sparse] for a, z in enumerate(species)}
    term["weights"] = {a: rng.normal(scale=1e-3, size=size.n_sparse) for a in range(len(species))}
    return build_model(species, [0.0] * len(species), [term])
