# SPDX-License-Identifier: BSD-3-Clause
"""The structures of figure_1.py with their energies and densities."""

from dataclasses import dataclass, replace
from pathlib import Path

import ase.io
import numpy as np
from common import COSINE

from potential.descriptors.tables import soap_model
from potential.optimization import Densities, densities_of
from potential.settings import SoapTermSettings

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"
DENSITY = {"cutoff": 5.0, "n_max": 4, "l_max": 3, **COSINE}


@dataclass(frozen=True)
class Set:
    """A file; the key of its cohesion energies, without which those of the calculator are taken, of
    VASP relative to atoms without spin; numbers of training structures; those at which all
    couplings of centres are compared; whether elements are left out in turn."""

    name: str
    file: str
    key: str | None
    sizes: tuple[int, ...]
    all_at: tuple[int, ...]
    leave_out: bool


SETS = (
    Set(
        "83 elements",
        "Au_alloys_PBEsol/pbesol_Au_alloys.xyz",
        "REF_cohesion_energy",
        (50, 100, 200, 300, 400, 800),
        (100, 200),
        True,
    ),
    Set(
        "25 elements",
        "HEA25_sample/hea_samples_bulk_100.xyz",
        None,
        (20, 40, 80),
        (40,),
        False,
    ),
)


@dataclass(frozen=True)
class Data:
    """y (N,) eV; n_atoms (N,); composition (N, n_species); densities of all atoms."""

    y: np.ndarray
    n_atoms: np.ndarray
    composition: np.ndarray
    own: Densities
    species: list[int]


def load(which: Set, folder: Path) -> Data:
    """All structures of a set."""
    frames = ase.io.read(folder / which.file, ":")
    species = sorted({int(z) for atoms in frames for z in atoms.numbers})
    model = soap_model(SoapTermSettings(zeta=1, **DENSITY), species)
    own = densities_of(model, 0, frames)
    composition = np.zeros((len(frames), len(species)))
    np.add.at(composition, (own.structure, own.center), 1.0)
    energies = [
        atoms.info[which.key] if which.key else atoms.get_potential_energy() for atoms in frames
    ]
    return Data(np.array(energies), composition.sum(axis=1), composition, own, species)


def subset(own: Densities, structures: np.ndarray) -> Densities:
    """The densities of some structures (indices, ascending)."""
    kept = np.flatnonzero(np.isin(own.structure, structures))
    counts = np.diff(own.offset)
    rows = np.isin(np.repeat(np.arange(len(own)), counts), kept)
    return replace(
        own,
        values=own.values[rows],
        species=own.species[rows],
        offset=np.concatenate([[0], np.cumsum(counts[kept])]),
        center=own.center[kept],
        structure=np.searchsorted(structures, own.structure[kept]),
    )
