# SPDX-License-Identifier: BSD-3-Clause
"""SOAP terms: kernels of radial spectra, power spectra or bispectra with sparse environments
(docs/theory.md eq. 5 to 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from potential.basis import tabulate
from potential.basis.alchemy import coupling
from potential.model import Model
from potential.runtime.progress import Progress, silent
from potential.settings import SoapTermSettings
from potential.settings.terms import ALCHEMICAL
from potential.structures.structure import Structure
from potential.terms.columns import AnyColumn, PseudoSpecies, columns, n_columns
from potential.terms.density_covariance import contracted_draft, contraction_of
from potential.terms.feature_choice import with_selection
from potential.terms.feature_term import FeatureTerm
from potential.terms.term import RECORD, Draft, Entry

# Features of a bispectrum without a selection, at most: a sparse point has one number for each.
MOST_PRODUCTS = 50_000
REPRESENTATION = ("representation", "parity")  # keys of settings and entries
MIRROR = (
    'parity = "both": the energies of mirror images will differ, as those of nature do not; "even" '
    "makes them equal"
)


class SoapTerm(FeatureTerm):
    """Kernels of features of the density: a draft holds what ``basis.tabulate`` returns."""

    ARRAYS: ClassVar[tuple[str, ...]] = (*FeatureTerm.ARRAYS, "tables", "central", "alchemy")

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
            **cls.kernel_entry(settings),
            **_representation(settings),
            **tabulate(settings, list(species)),
        }
        if settings.contraction is None:
            _require_few_products(settings, draft)
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
        if settings.contraction is not None and RECORD not in draft:  # optimised ones are made
            # products of more than two channels would be too many before there are fewer channels
            density = {key: own for key, own in draft.items() if key not in REPRESENTATION}
            model = model_of(density)
            contraction = contraction_of(settings.contraction, model, structures, progress)
            draft = contracted_draft(draft, contraction)
            _require_few_products(settings, draft)
        if settings.feature_selection is None:
            return draft, []
        return with_selection(draft, n_columns(draft), settings, model_of, structures, progress)

    @staticmethod
    def all_columns(entry: Entry, species: Sequence[int]) -> Iterator[AnyColumn]:
        weights = entry.get("alchemy")
        return columns_of(entry, species, 0 if weights is None else weights.shape[1])

    @staticmethod
    def values_by_species(settings: SoapTermSettings) -> dict[str, Mapping[str, Any]]:
        own: dict[str, Any] = {"n_sparse": settings.n_sparse, "atom_sigma": settings.atom_sigma}
        if settings.alchemy is not None:
            own["alchemy.start"] = settings.alchemy.start
        return {key: values for key, values in own.items() if isinstance(values, Mapping)}

    @classmethod
    def arrays_of(cls, draft: Draft, n_species: int) -> dict[str, np.ndarray]:
        arrays = cls.sparse_arrays(draft, n_species, n_columns(draft))
        for k, table in draft["tables"].items():
            arrays |= {f"table.{k}": table, f"central.{k}": draft["central"][k]}
        if "table_of" in draft:  # a contraction leaves no factors of the map
            arrays["alchemy"] = draft["alchemy"]
        if draft.get("centers") == ALCHEMICAL:
            arrays["coupling"] = coupling(draft["alchemy"])
        return arrays

    @staticmethod
    def trial_settings(settings: Any, structures: Sequence[Structure]) -> Any:
        trial = FeatureTerm.trial_settings(settings, structures)
        return replace(
            trial,
            alchemy=trial.alchemy and replace(trial.alchemy, optimise=None),
            contraction=trial.contraction and replace(trial.contraction, optimise=None),
        )

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
        return (
            f"{entry['kind']}{basis}, cutoff {entry['cutoff']:g} Å, l_max {entry['l_max']}, "
            f"{channels}{self.kernel_words}"
        )


def _representation(settings: SoapTermSettings) -> dict[str, str]:
    """What of the entry names another representation than the default."""
    own = {name: getattr(settings, name) for name in REPRESENTATION}
    default = {name: getattr(SoapTermSettings, name) for name in REPRESENTATION}
    return {name: own[name] for name in REPRESENTATION if own[name] != default[name]}


def _require_few_products(settings: SoapTermSettings, draft: Draft) -> None:
    """Raise SettingError for a bispectrum of too many channels of which none are selected."""
    n, selected = n_columns(draft), settings.feature_selection is not None
    if settings.representation == "bispectrum" and n > MOST_PRODUCTS and not selected:
        raise settings.error(
            "representation",
            f"at most {MOST_PRODUCTS} products of three density channels where all are kept, "
            f"not the {n} of these n_max, l_max and species",
        )


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
