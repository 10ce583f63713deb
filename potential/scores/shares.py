# SPDX-License-Identifier: BSD-3-Clause
"""What each term contributes to energies and forces (docs/theory.md eq. 13k, 13l)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from potential.model import Model
from potential.model.evaluation import naming
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.runtime.text_table import text_table
from potential.structures.structure import Structure

LEAST = 1e-3  # a term below this share of energies and of forces is as good as absent
MOST_STRUCTURES = 200  # on which a fit finds the shares that its record keeps
HEAD = ("term", "energies", "meV/atom", "forces", "meV/Å", "")


class TermValues(NamedTuple):
    """Of one structure."""

    energies: np.ndarray  # (n_terms,) eV/atom
    force_products: np.ndarray  # (n_terms, n_terms) eV²/Å²: sums over all components
    n_components: int


@dataclass(frozen=True)
class TermShare:
    """Shares are None where there is no variance, as of the energies of a single structure."""

    energy: float | None  # of the variance of the energies per atom
    energy_spread: float  # eV/atom: standard deviation of the term by itself
    force: float | None
    force_spread: float  # eV/Å: root mean square

    @property
    def is_weak(self) -> bool:
        """Whether both shares are below 0.1 %."""
        return all(share is None or abs(share) < LEAST for share in (self.energy, self.force))


def term_values(
    model: Model, structures: Sequence[Structure], progress: Progress = silent
) -> list[TermValues]:
    """Energies and products of forces of all terms, structure by structure."""

    def values(structure: Structure) -> TermValues:
        with naming(structure):
            environments = model.environments(structure)
            terms = range(len(model.terms))
            found = [model.evaluate_environments(environments, term=t) for t in terms]
        n = len(structure)
        forces = np.array([np.asarray(own.forces).ravel() for own in found])
        return TermValues(
            np.array([own.energy / n for own in found]), forces @ forces.T, forces.shape[1]
        )

    return list(ordered_map(values, progress(structures, "shares of terms")))


def term_shares(values: Sequence[TermValues]) -> list[TermShare]:
    """The share of each term in the variance of the sum, docs/theory.md eq. (13k), (13l).

    values: of at least one structure.
    """
    energies = np.array([own.energies for own in values])
    energies -= energies.mean(axis=0)
    energy = energies.T @ energies / len(values)
    force = np.sum([own.force_products for own in values], axis=0)
    force /= sum(own.n_components for own in values)
    columns = (*_shares(energy), *_shares(force))
    return [TermShare(*own) for own in zip(*columns, strict=True)]


def shares_to_json(shares: Sequence[TermShare], data: str, n: int) -> dict[str, Any]:
    """What the record of a model keeps: shares on n structures of these data."""
    keys = ("energy", "energy_spread", "force", "force_spread")
    terms = [{key: getattr(own, key) for key in keys} for own in shares]
    known = [{key: x for key, x in own.items() if x is not None} for own in terms]
    return {"data": data, "structures": n, "terms": known}


def shares_from_json(record: dict[str, Any]) -> list[TermShare]:
    """The inverse of ``shares_to_json``."""
    return [
        TermShare(own.get("energy"), own["energy_spread"], own.get("force"), own["force_spread"])
        for own in record["terms"]
    ]


def share_rows(model: Model, shares: Sequence[TermShare]) -> list[tuple[str, ...]]:
    """Rows under HEAD, as shown to people."""
    return [
        (
            f"{t} {entry['kind']}, cutoff {entry['cutoff']:g} Å",
            _percent(own.energy),
            f"{1e3 * own.energy_spread:.3g}",
            _percent(own.force),
            f"{1e3 * own.force_spread:.3g}",
            "below 0.1 %" if own.is_weak else "",
        )
        for t, (entry, own) in enumerate(zip(model.terms, shares, strict=True), 1)
    ]


def format_shares(model: Model, record: dict[str, Any]) -> str:
    """The shares on record as a table of plain text."""
    head = f"Shares of terms in the variance, on {record['structures']} {record['data']} structures"
    rows = share_rows(model, shares_from_json(record))
    return f"{head}\n{text_table(HEAD, rows, left=(0, 5))}"


def _shares(covariance: np.ndarray) -> tuple[list[float | None], list[float]]:
    """Shares in the variance of the sum, and the spread of each term."""
    with_sum = covariance.sum(axis=1)
    total = with_sum.sum()
    known = total > 1e-12 * np.trace(covariance)
    shares = (with_sum / total).tolist() if known else [None] * len(covariance)
    return shares, np.sqrt(np.diag(covariance)).tolist()


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
