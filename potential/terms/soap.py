# SPDX-License-Identifier: BSD-3-Clause
"""SOAP terms: kernels of power spectra with sparse environments (docs/theory.md eq. 5 to 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from potential import _core
from potential.basis import tabulate
from potential.model import Environments, Model
from potential.runtime.progress import Progress, silent
from potential.selection.rows import power
from potential.settings import SoapTermSettings
from potential.structures.structure import Structure, symbol
from potential.terms.density_covariance import contracted_draft, contraction_of
from potential.terms.points_file import points_from_file
from potential.terms.soap_points import n_sparse, sparse_points
from potential.terms.term import Draft, Entry, SparseTerm

# Sparse points per species of a trial, at most.
TRIAL_SPARSE = 200


class SoapTerm(SparseTerm):
    """One weight for each sparse environment; sparse sets are those of the centre species.

    A draft holds the entry with what ``basis.tabulate`` returns, ``sparse_points``
    {a: (M_a, n_features)} and ``weights`` {a: (M_a,)}; it may hold ``offset``, and ``features``
    with ``feature_scale`` (docs/theory.md eq. 5a, 7b).
    """

    ARRAYS: ClassVar[tuple[str, ...]] = (
        "tables",
        "central",
        "features",
        "feature_scale",
        "sparse_points",
        "weights",
    )

    @staticmethod
    def describes(entry: Entry) -> bool:
        return entry["kind"] == "soap" and "sparse_basis" not in entry

    @staticmethod
    def takes(settings: Any) -> bool:
        return isinstance(settings, SoapTermSettings) and settings.sparse_basis == "environments"

    @classmethod
    def draft(
        cls,
        settings: SoapTermSettings,
        species: Sequence[int],
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        other = settings.sparse_basis != SoapTermSettings.sparse_basis
        draft = {
            "kind": settings.kind,
            **({"sparse_basis": settings.sparse_basis} if other else {}),
            "cutoff": settings.cutoff,
            "l_max": settings.largest_l,
            "zeta": settings.zeta,
            "delta": settings.delta,
            "normalize": settings.normalize,
            **({"offset": settings.offset} if settings.offset else {}),
            **tabulate(settings, list(species)),
        }
        return draft, []

    @classmethod
    def adapt(
        cls,
        draft: Draft,
        settings: SoapTermSettings,
        model_of: Callable[[Draft], Model],
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> Draft:
        if settings.contraction is None:
            return draft
        model = model_of(draft)
        contraction = contraction_of(settings.contraction, model, structures, progress)
        return contracted_draft(draft, contraction)

    @classmethod
    def choose(
        cls,
        draft: Draft,
        settings: SoapTermSettings,
        tables: Callable[[], Model],
        index: int,
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        points, warnings = sparse_points(tables(), index, settings, structures, progress)
        return draft | {"sparse_points": points}, warnings

    @staticmethod
    def values_by_species(settings: SoapTermSettings) -> dict[str, Mapping[str, Any]]:
        own = {"n_sparse": settings.n_sparse, "atom_sigma": settings.atom_sigma}
        return {key: values for key, values in own.items() if isinstance(values, Mapping)}

    @classmethod
    def arrays_of(cls, draft: Draft, n_species: int) -> dict[str, np.ndarray]:
        arrays = {}
        n_features = n_columns(draft)
        if "features" in draft:
            arrays["features"] = np.asarray(draft["features"], dtype=np.int64)
            arrays["feature_scale"] = np.asarray(draft["feature_scale"], dtype=np.float64)
            n_features = len(arrays["features"])
        points, weights = draft.get("sparse_points", {}), draft.get("weights", {})
        for a in range(n_species):
            own = points.get(a, np.zeros((0, n_features)))
            arrays[f"table.{a}"] = draft["tables"][a]
            arrays[f"central.{a}"] = draft["central"][a]
            arrays[f"sparse_points.{a}"] = own
            arrays[f"weights.{a}"] = weights.get(a, np.zeros(len(own)))
        return arrays

    @staticmethod
    def names(species: Sequence[int]) -> list[str]:
        return [symbol(z) for z in species]

    def row_blocks(self, environments: Environments, gradients: bool) -> list[np.ndarray]:
        return [_core.soap_rows(self.model.core, self.index, environments, gradients)]

    def kernel(self, a: int, points: np.ndarray, out: np.ndarray) -> None:
        """δ² (p̂_m·p̂_m' + offset)^ζ, where a real ζ takes what is not positive for 0
        (docs/theory.md eq. 7b); in place: K_MM may take a good part of the memory."""
        np.matmul(points, points.T, out=out)
        out += self.entry.get("offset", 0.0)
        power(out, self.entry["zeta"], out=out)
        out *= self.entry["delta"] ** 2

    def tables(self, a: int, points: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {}

    @staticmethod
    def trial_settings(
        settings: SoapTermSettings, structures: Sequence[Structure]
    ) -> SoapTermSettings:
        return replace(
            settings,
            n_sparse=TRIAL_SPARSE,
            n_sparse_config_type={},
            sparse_method="random",
            sparse_file=None,
        )

    def most_weights(self, settings: SoapTermSettings, structures: Sequence[Structure]) -> int:
        if settings.sparse_method == "file":
            return sum(map(len, points_from_file(self.model, self.index, settings).values()))
        atoms = Counter(symbol(z) for s in structures for z in s.numbers.tolist())
        return sum(min(n_sparse(settings, name), count) for name, count in atoms.items())

    @property
    def description(self) -> str:
        entry = self.entry
        basis = f", {entry['sparse_basis']}" if "sparse_basis" in entry else ""
        channels = ", ".join(map(str, sorted(set(entry["n_channels"]), reverse=True)))
        kernel = "" if entry["normalize"] else "not normalised, "
        if entry.get("offset", 0.0):
            kernel += f"offset {entry['offset']:g}, "
        kernel += f"zeta {entry['zeta']}, delta {entry['delta']:g} eV"
        return (
            f"{entry['kind']}{basis}, cutoff {entry['cutoff']:g} Å, l_max {entry['l_max']}, "
            f"{channels} density channels, {kernel}"
        )


def n_columns(entry: Entry) -> int:
    """Features of a term before any are selected: those that ``columns_of`` names."""
    return sum(size * (size + 1) // 2 for size in entry["n_channels"])


class Column(NamedTuple):
    """A feature p^l_qq': neighbours of two species, each in one radial function, of one l.

    The species is 0, and n the channel, for a channel that several species feed.
    """

    species_1: int
    n_1: int
    species_2: int
    n_2: int
    l: int

    def __str__(self) -> str:
        pairs = (self.species_1, self.n_1), (self.species_2, self.n_2)
        words = [f"{symbol(z)} n={n}" if z else f"q={n}" for z, n in pairs]
        return f"{' '.join(words)} l={self.l}"


def columns_of(entry: Mapping[str, Any], species: Sequence[int]) -> Iterator[Column]:
    """Of a term's entry in a model, by the blocks of channels of each species (eq. 3a, 5)."""
    for l, size in enumerate(entry["n_channels"]):
        begins = np.array([begin[l] for begin in entry["channel_begin"]])
        ends = np.array([end[l] for end in entry["channel_end"]])
        channels = list[tuple[int, int]]()
        for q in range(size):
            fed_by = np.flatnonzero((begins <= q) & (q < ends))
            a, alone = fed_by[0], len(fed_by) == 1
            channels.append((species[a], int(q - begins[a])) if alone else (0, q))
        for q in range(size):
            for other in range(q, size):
                yield Column(*channels[q], *channels[other], l)
