# SPDX-License-Identifier: BSD-3-Clause
"""Terms of kernels of Behler-Parrinello symmetry functions (docs/theory.md eq. 5k to 5o)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from potential.model import Model
from potential.model.evaluation import naming
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.settings import SymmetryTermSettings
from potential.structures.digests import fingerprint
from potential.structures.structure import Structure, symbol
from potential.terms.feature_choice import with_selection
from potential.terms.feature_term import FeatureTerm
from potential.terms.features import features
from potential.terms.term import Draft, Entry

ANGULAR = ("g4", "g5")


class SymmetryTerm(FeatureTerm):
    """Kernels of symmetry functions, each divided by its standard deviation where that is asked
    for."""

    @staticmethod
    def describes(entry: Entry) -> bool:
        return entry["kind"] == "acsf"

    @staticmethod
    def takes(settings: Any) -> bool:
        return isinstance(settings, SymmetryTermSettings)

    @classmethod
    def draft(
        cls,
        settings: SymmetryTermSettings,
        species: Sequence[int],
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        draft = {
            "kind": settings.kind,
            "cutoff": settings.cutoff,
            **settings.functions(),
            **cls.kernel_entry(settings),
        }
        return draft, []

    @classmethod
    def adapt(
        cls,
        draft: Draft,
        settings: SymmetryTermSettings,
        model_of: Callable[[Draft], Model],
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        if settings.feature_scaling != "none":
            scale = feature_scale(model_of(draft | {"normalize": False}), structures, progress)
            draft |= {"features": np.arange(len(scale)), "feature_scale": scale}
        if settings.feature_selection is None:
            return draft, []
        total = model_of(draft).core.n_features(0)
        return with_selection(draft, total, settings, model_of, structures, progress)

    @staticmethod
    def all_columns(entry: Entry, species: Sequence[int]) -> Iterator[AnyFunction]:
        return functions_of(entry, species)

    @classmethod
    def arrays_of(cls, draft: Draft, n_species: int) -> dict[str, np.ndarray]:
        return cls.sparse_arrays(draft, n_species, n_functions(draft, n_species))

    @property
    def description(self) -> str:
        entry = self.entry
        counts = {key: len(entry[key]) for key in ("g2", "g3", "g4", "g5")}
        counts = {"g1": int(entry["g1"])} | counts
        words = ", ".join(f"{n} {key.upper()}" for key, n in counts.items() if n)
        return f"{entry['kind']}, cutoff {entry['cutoff']:g} Å, {words}{self.kernel_words}"


def n_functions(entry: Entry, n_species: int) -> int:
    """How many symmetry functions an entry has for so many species."""
    n_radial = int(entry["g1"]) + len(entry["g2"]) + len(entry["g3"])
    n_angular = len(entry["g4"]) + len(entry["g5"])
    return n_species * n_radial + n_species * (n_species + 1) // 2 * n_angular


def feature_scale(
    model: Model, structures: Sequence[Structure], progress: Progress = silent
) -> np.ndarray:
    """One over the standard deviation of every feature (n_features,) of a model's only term, over
    all environments of the structures; 1 for those that do not vary.

    It does not depend on the order of the structures, nor does its memory on their number.
    """

    def moments(structure: Structure) -> np.ndarray:
        with naming(structure):
            X = features(model, 0, structure)
        return np.stack([np.full(X.shape[1], float(len(X))), X.sum(axis=0), (X**2).sum(axis=0)])

    # sorted: a sum in another order may differ in the last digit
    ordered = sorted(structures, key=fingerprint)
    parts = ordered_map(moments, progress(ordered, "feature scales"))
    n, first, second = sum(parts, np.zeros((3, model.core.n_features(0))))
    variance = second / n - (first / n) ** 2
    varies = variance > 1e-12 * second / n
    return np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1.0)), 1.0)


class RadialFunction(NamedTuple):
    """A function of one neighbour: its species, its name and its parameters."""

    species: int
    name: str
    parameters: tuple[float, ...]

    def __str__(self) -> str:
        return _words(symbol(self.species), self.name, self.parameters)


class AngularFunction(NamedTuple):
    """A function of two neighbours: their species, its name and its parameters."""

    species_1: int
    species_2: int
    name: str
    parameters: tuple[float, ...]

    def __str__(self) -> str:
        pair = f"{symbol(self.species_1)} {symbol(self.species_2)}"
        return _words(pair, self.name, self.parameters)


AnyFunction: TypeAlias = RadialFunction | AngularFunction


def functions_of(entry: Mapping[str, Any], species: Sequence[int]) -> Iterator[AnyFunction]:
    """The columns of a term: for each species G1, G2, G3, then for each pair of species 11, 12, 22,
    13, ... G4, G5, as dscribe has them."""
    g1 = [()] * int(entry["g1"])
    g3 = [(kappa,) for kappa in entry["g3"]]
    radial = [("g1", g1), ("g2", entry["g2"]), ("g3", g3)]
    for own in species:
        yield from (RadialFunction(own, name, tuple(p)) for name, rows in radial for p in rows)
    for k, second in enumerate(species):
        for first in species[: k + 1]:
            for name in ANGULAR:
                for p in entry[name]:
                    yield AngularFunction(first, second, name, tuple(p))


def _words(species: str, name: str, parameters: Sequence[float]) -> str:
    return " ".join([species, name.upper(), *(f"{value:g}" for value in parameters)])
