# SPDX-License-Identifier: BSD-3-Clause
"""SOAP terms: kernels of radial spectra, power spectra or bispectra with sparse environments
(docs/theory.md eq. 5 to 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from potential import _core
from potential.basis import tabulate
from potential.basis.alchemy import coupling
from potential.model import Environments, Model
from potential.runtime.progress import Progress, silent
from potential.selection.rows import power
from potential.settings import SoapTermSettings
from potential.settings.terms import ALCHEMICAL, SEPARATE
from potential.structures.structure import Structure, symbol
from potential.terms.columns import AnyColumn, PseudoSpecies, columns, n_columns
from potential.terms.density_covariance import contracted_draft, contraction_of
from potential.terms.feature_choice import with_selection
from potential.terms.points_file import points_from_file
from potential.terms.soap_points import n_sparse, sparse_points
from potential.terms.term import Draft, Entry, SparseTerm

# Sparse points per species of a trial, at most.
TRIAL_SPARSE = 200
# Features of a bispectrum without a selection, at most: a sparse point has one number for each.
MOST_PRODUCTS = 50_000
MIRROR = (
    'parity = "both": the energies of mirror images will differ, as those of nature do not; "even" '
    "makes them equal"
)


class SoapTerm(SparseTerm):
    """One weight for each sparse environment; sparse sets are those of the centre species, or one
    for all of them.

    A draft holds the entry with what ``basis.tabulate`` returns, ``sparse_points``
    {a: (M_a, n_features)} and ``weights`` {a: (M_a,)}; it may hold ``offset``, and ``features``
    with ``feature_scale`` and perhaps ``recoupling`` (docs/theory.md eq. 5a, 5i, 7b). With
    ``centers`` (eq. 7d) there is the set 0 alone, with ``sparse_species`` (M_0,).
    """

    ARRAYS: ClassVar[tuple[str, ...]] = (
        "tables",
        "central",
        "alchemy",
        "features",
        "feature_scale",
        "recoupling",
        "sparse_points",
        "sparse_species",
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
            **({"centers": settings.centers} if settings.centers != SEPARATE else {}),
            **_representation(settings),
            **tabulate(settings, list(species)),
        }
        n = n_columns(draft)
        selected = settings.feature_selection is not None
        if settings.representation == "bispectrum" and n > MOST_PRODUCTS and not selected:
            raise settings.error(
                "representation",
                f"at most {MOST_PRODUCTS} products of three density channels where all are kept, "
                f"not the {n} of these n_max, l_max and species",
            )
        return draft, [MIRROR] if settings.parity == "both" else []

    @classmethod
    def adapt(
        cls,
        draft: Draft,
        settings: SoapTermSettings,
        model_of: Callable[[Draft], Model],
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        if settings.contraction is not None:
            model = model_of(draft)
            contraction = contraction_of(settings.contraction, model, structures, progress)
            draft = contracted_draft(draft, contraction)
        if settings.feature_selection is None:
            return draft, []
        return with_selection(draft, settings, model_of, structures, progress)

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
        chosen, warnings = sparse_points(tables(), index, settings, structures, progress)
        return draft | chosen, warnings

    @staticmethod
    def values_by_species(settings: SoapTermSettings) -> dict[str, Mapping[str, Any]]:
        own: dict[str, Any] = {"n_sparse": settings.n_sparse, "atom_sigma": settings.atom_sigma}
        if settings.alchemy is not None:
            own["alchemy.start"] = settings.alchemy.start
        return {key: values for key, values in own.items() if isinstance(values, Mapping)}

    @classmethod
    def arrays_of(cls, draft: Draft, n_species: int) -> dict[str, np.ndarray]:
        arrays = {}
        n_features = n_columns(draft)
        if "features" in draft:
            arrays["features"] = np.asarray(draft["features"], dtype=np.int64)
            arrays["feature_scale"] = np.asarray(draft["feature_scale"], dtype=np.float64)
            n_features = len(arrays["features"])
        if "recoupling" in draft:
            arrays["recoupling"] = np.asarray(draft["recoupling"], dtype=np.float64)
        for k, table in draft["tables"].items():
            arrays |= {f"table.{k}": table, f"central.{k}": draft["central"][k]}
        if "alchemy" in draft:
            arrays["alchemy"] = draft["alchemy"]
        points, weights = draft.get("sparse_points", {}), draft.get("weights", {})
        for a in range(1 if "centers" in draft else n_species):
            own = points.get(a, np.zeros((0, n_features)))
            arrays[f"sparse_points.{a}"] = own
            arrays[f"weights.{a}"] = weights.get(a, np.zeros(len(own)))
        if "centers" in draft:
            of_points = np.asarray(draft.get("sparse_species", ()), dtype=np.int64)
            arrays["sparse_species"] = of_points
        if draft.get("centers") == ALCHEMICAL:
            arrays["coupling"] = coupling(draft["alchemy"])
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
        if self.entry.get("centers") == ALCHEMICAL:
            species = self.array("sparse_species")
            out *= self.array("coupling")[np.ix_(species, species)]

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
            alchemy=settings.alchemy and replace(settings.alchemy, optimise=None),
        )

    def most_weights(self, settings: SoapTermSettings, structures: Sequence[Structure]) -> int:
        if settings.sparse_method == "file":
            found = points_from_file(self.model, self.index, settings)
            return sum(map(len, found["sparse_points"].values()))
        if isinstance(settings.n_sparse, int) and settings.centers != SEPARATE:
            return min(settings.n_sparse, sum(map(len, structures)))
        atoms = Counter(symbol(z) for s in structures for z in s.numbers.tolist())
        return sum(min(n_sparse(settings, name), count) for name, count in atoms.items())

    @property
    def counts(self) -> dict[str, int]:
        if "centers" not in self.entry:
            return super().counts
        names = self.names(self.model.species)
        counts = np.bincount(self.array("sparse_species"), minlength=len(names)).tolist()
        return {name: count for name, count in zip(names, counts, strict=True) if count}

    @property
    def description(self) -> str:
        entry = self.entry
        basis = f", {entry['sparse_basis']}" if "sparse_basis" in entry else ""
        if "representation" in entry:
            basis += f", {entry['representation'].replace('_', ' ')}"
        if "parity" in entry:
            basis += f" of {entry['parity']} parities"
        channels = ", ".join(map(str, sorted(set(entry["n_channels"]), reverse=True)))
        if "table_of" in entry:
            channels += f" density channels of {self.array('alchemy').shape[1]} pseudo-species"
        else:
            channels += " density channels"
        centers = f", {entry['centers']} centers" if "centers" in entry else ""
        kernel = "" if entry["normalize"] else "not normalised, "
        if entry.get("offset", 0.0):
            kernel += f"offset {entry['offset']:g}, "
        kernel += f"zeta {entry['zeta']}, delta {entry['delta']:g} eV"
        return (
            f"{entry['kind']}{basis}, cutoff {entry['cutoff']:g} Å, l_max {entry['l_max']}, "
            f"{channels}{centers}, {kernel}"
        )


def _representation(settings: SoapTermSettings) -> dict[str, str]:
    """What of the entry names another representation than the default."""
    names = ("representation", "parity")
    own = {name: getattr(settings, name) for name in names}
    return {name: own[name] for name in names if own[name] != getattr(SoapTermSettings, name)}


def columns_of(
    entry: Mapping[str, Any], species: Sequence[int], dimensions: int = 0
) -> Iterator[AnyColumn]:
    """Of a term's entry in a model, by the channels that each species feeds (eq. 3a, 5), or each
    pseudo-species of an alchemical map with so many dimensions."""
    channels = list[list[tuple[int, int]]]()
    for l, size in enumerate(entry["n_channels"]):
        if dimensions:
            n = size // dimensions
            channels.append([(PseudoSpecies(q // n), q % n) for q in range(size)])
            continue
        begins = np.array([begin[l] for begin in entry["channel_begin"]])
        ends = np.array([end[l] for end in entry["channel_end"]])
        own = list[tuple[int, int]]()
        for q in range(size):
            fed_by = np.flatnonzero((begins <= q) & (q < ends))
            a, alone = fed_by[0], len(fed_by) == 1
            own.append((species[a], int(q - begins[a])) if alone else (0, q))
        channels.append(own)
    yield from columns(entry, channels)
