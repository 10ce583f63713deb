# SPDX-License-Identifier: BSD-3-Clause
"""What is taken off the labels before the regression and added back after it: e0, fixed terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from potential.errors import SoapGprError
from potential.model import Environments, Model
from potential.model.evaluation import naming
from potential.settings import BaselineSettings
from potential.structures.label_table import n_rows, to_rows
from potential.structures.labels import LARGEST
from potential.structures.structure import Structure, composition, symbol
from potential.terms import TrainingModel, build_model
from potential.terms.baseline import fixed_terms

# Weights, relative to the rows of ordinary structures, of what decides where those leave e0 open.
_ISOLATED_WEIGHT = 1e-3
_AVERAGE_WEIGHT = 1e-6


def isolated_atom_energies(
    settings: BaselineSettings, structures: Sequence[Structure], species: Sequence[int]
) -> np.ndarray:
    """e0 (n_species,) in eV, in the order of ``species`` (atomic numbers).

    The energies of fixed terms are taken off first. Raises SoapGprError when the settings or the
    structures lack a species.
    """
    structures = without_fixed_terms(settings, structures, species)
    method = settings.isolated_atom_energies
    if not isinstance(method, str):
        return _given(settings, method, species)
    if method == "isolated_atom":
        return _from_isolated_atoms(structures, species)
    energies = [(s, s.energy) for s in structures if s.energy is not None]
    if method == "zero" or not energies:
        return np.zeros(len(species))
    ordinary = [(s, energy) for s, energy in energies if not s.is_isolated_atom]
    average = float(np.mean([energy / len(s) for s, energy in ordinary or energies]))
    if method == "average":
        return np.full(len(species), average)
    used = [s for s, _ in energies]
    return by_composition(
        np.array([composition(s, species) for s in used]),
        np.array([energy for _, energy in energies]),
        np.array([len(s) for s in used], dtype=float),
        np.array([s.is_isolated_atom for s in used]),
        average,
    )


def baseline_labels(
    model: TrainingModel, structure: Structure, environments: Environments
) -> np.ndarray:
    """Energy, forces and virial (1 + 3N + 6,) of e0 and the fixed terms, docs/theory.md eq. (15).

    The order is that of ``TrainingModel.rows``; environments: those of the structure. Raises
    SoapGprError where fixed terms are absurdly large.
    """
    if model.fixed_part is not None:
        return _evaluated(model.fixed_part, structure, environments)
    labels = np.zeros(n_rows(len(structure)))
    labels[0] = model.arrays["e0"] @ composition(structure, model.species)
    return labels


def without_fixed_terms(settings, structures, species):
    """The structures with the energies of fixed terms taken off their energies."""
    terms = fixed_terms(settings, species)
    if not terms:
        return structures
    model = build_model(species, np.zeros(len(species)), terms)
    return [
        structure
        if structure.energy is None
        else replace(structure, energy=structure.energy - _energy(model, structure))
        for structure in structures
    ]


def _energy(model: Model, structure: Structure) -> float:
    with naming(structure):
        environments = model.environments(structure)
    return float(_evaluated(model, structure, environments)[0])


def _evaluated(model: Model, structure: Structure, environments: Environments) -> np.ndarray:
    with naming(structure):
        found = model.evaluate_environments(environments)
    labels = to_rows(len(structure), found.energy, found.forces, found.virial)
    largest = float(np.abs(labels).max()) / len(structure)
    if not largest <= LARGEST:
        raise SoapGprError(
            f"{structure.source}: found {largest:.3g} eV per atom or eV/Å from [baseline], "
            f"expected at most {LARGEST:g}: atoms are too close, or the table is not in eV"
        )
    return labels


def _given(settings, energies, species):
    missing = [symbol(z) for z in species if symbol(z) not in energies]
    if missing:
        raise (
            settings.place()
            .at("isolated_atom_energies")
            .says(
                f"found {', '.join(energies)}, expected {', '.join(missing)} as well, which the "
                "training structures contain"
            )
        )
    return np.array([energies[symbol(z)] for z in species])


def _from_isolated_atoms(structures, species):
    found: dict[int, Structure] = {}
    for structure in structures:
        if not structure.is_isolated_atom or structure.energy is None:
            continue
        first = found.setdefault(int(structure.numbers[0]), structure)
        if abs(first.energy - structure.energy) > 1e-4:
            raise SoapGprError(
                f"{structure.source}: found the isolated-atom energy {structure.energy:.6f} eV for "
                f"{symbol(structure.numbers[0])}, expected {first.energy:.6f} as in {first.source}"
            )
    missing = [symbol(z) for z in species if z not in found]
    if missing:
        raise SoapGprError(
            '[baseline] isolated_atom_energies = "isolated_atom": found no structure with '
            f"config_type=isolated_atom and an energy for {', '.join(missing)}, expected one each"
        )
    return np.array([found[z].energy for z in species])


def by_composition(counts, energies, variances, isolated, average):
    """(n_species,) e0, least squares of E = sum_a N_a e0_a.

    counts (n, n_species), energies, their relative variances and whether it is an isolated atom
    (n,) of structures. Compositions that never vary (H2O, always 1:2) leave a combination of the
    e0 open: then isolated atoms decide, and without them the average energy per atom.
    """
    n_species = counts.shape[1]
    weights = np.where(isolated, _ISOLATED_WEIGHT, variances**-0.5)
    rows = [_AVERAGE_WEIGHT * np.eye(n_species), weights[:, None] * counts]
    left = energies - counts.sum(axis=1) * average
    targets = np.concatenate([np.zeros(n_species), weights * left])
    return average + np.linalg.lstsq(np.concatenate(rows), targets, rcond=None)[0]
