# SPDX-License-Identifier: BSD-3-Clause
"""Errors of targets: of atoms by species, of structures by config_type, of vectors and tensors by λ
as well, in units of the target and as a part of how much the labels vary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from potential.model import Evaluation
from potential.model.targets import Target
from potential.runtime.printable import printable
from potential.runtime.text_table import text_table
from potential.scores.metrics import ALL, STATISTICS, ErrorStatistics, statistics
from potential.structures.structure import Structure, symbol
from potential.tensors.spherical import Part, places, to_spherical

HEAD = ("target", "of", "count", "RMSE", "MAE", "max", "unit", "% of deviation")
TEXT_COLUMNS = (0, 1, 6)
_LAMBDA = "lambda="


@dataclass(frozen=True)
class TargetStatistics(ErrorStatistics):
    """Errors of some numbers, and the intrinsic deviation of their labels: the standard deviation
    of scalars and of λ = 0, the root mean square of vectors and of other λ, whose mean over
    directions is zero."""

    deviation: float

    @property
    def percent(self) -> float:
        """RMSE in % of the deviation; nan where labels do not vary."""
        return 100 * self.rmse / self.deviation if self.deviation else np.nan


PropertyErrors = dict[str, dict[str, TargetStatistics]]  # target -> all, λ, species or config_type


@dataclass(frozen=True)
class PropertyPairs:
    """Reference and predicted values of one target, with what they are of."""

    reference: np.ndarray  # (n, n_components) Cartesian ones
    predicted: np.ndarray  # (n, n_components)
    of: np.ndarray  # (n,) chemical symbols of atoms, or config_types of structures


def component_groups(target: Target) -> list[dict[str, int]]:
    """Components that are alike in size, by names such as xy and with their places: of rank 2 the
    diagonal and the rest, of rank 3 those of one, two and three axes. Of those that are the same by
    symmetry there is the first alone; a scalar has none."""
    groups: dict[int, dict[str, int]] = {}
    for place, axes in enumerate(product("xyz", repeat=target.rank)):
        if target.rank and not (target.symmetric and list(axes) != sorted(axes)):
            kind = len(set(axes)) if target.rank > 1 else 1
            groups.setdefault(kind, {})["".join(axes)] = place
    return list(groups.values())


def property_pairs(
    targets: Sequence[Target], structures: Sequence[Structure], predictions: Sequence[Evaluation]
) -> dict[str, PropertyPairs]:
    """All labels of targets that the structures have."""
    pairs = {}
    for target in targets:
        found = [
            _values(target, structure, prediction)
            for structure, prediction in zip(structures, predictions, strict=True)
            if target.name in structure.targets
        ]
        if found:
            pairs[target.name] = PropertyPairs(*map(np.concatenate, zip(*found, strict=True)))
    return {name: own for name, own in pairs.items() if len(own.reference)}


def property_errors(
    targets: Sequence[Target], structures: Sequence[Structure], predictions: Sequence[Evaluation]
) -> PropertyErrors:
    """Statistics of predicted - reference of each target, for all and apart."""
    pairs = property_pairs(targets, structures, predictions)
    return {own.name: _errors(own, pairs[own.name]) for own in targets if own.name in pairs}


def _errors(target: Target, pairs: PropertyPairs) -> dict[str, TargetStatistics]:
    groups = {group: pairs.of == group for group in _groups(pairs.of)}
    whole = {ALL: np.ones(len(pairs.of), dtype=bool)}
    if target.rank == 0:
        return {
            name: _statistics(pairs.reference[own], pairs.predicted[own], centred=True)
            for name, own in (whole | groups).items()
        }
    reference, predicted = (
        to_spherical(own, target.rank, target.symmetric)
        for own in (pairs.reference, pairs.predicted)
    )
    by_part = {
        _part_name(part): _statistics(reference[:, own], predicted[:, own], part == Part(0, 1))
        for part, own in places(target.rank, target.symmetric).items()
    }

    def of_rows(rows: np.ndarray) -> TargetStatistics:
        """Errors of Cartesian components; their deviation is that of all parts together."""
        plain = statistics((pairs.predicted[rows] - pairs.reference[rows]).ravel())
        parts = [
            _statistics(reference[rows][:, own], predicted[rows][:, own], part == Part(0, 1))
            for part, own in places(target.rank, target.symmetric).items()
        ]
        square = sum(own.count * own.deviation**2 for own in parts)
        return TargetStatistics(**asdict(plain), deviation=float(np.sqrt(square / plain.count)))

    apart = {name: of_rows(rows) for name, rows in groups.items()}
    return {ALL: of_rows(whole[ALL])} | (by_part if len(by_part) > 1 else {}) | apart


def _part_name(part: Part) -> str:
    return f"{_LAMBDA}{part.lam}" + " pseudo" * (part.sigma < 0)


def _statistics(reference: np.ndarray, predicted: np.ndarray, centred: bool) -> TargetStatistics:
    own = statistics((predicted - reference).ravel())
    left = reference - reference.mean(axis=0) if centred else reference
    return TargetStatistics(**asdict(own), deviation=float(np.sqrt(np.mean(left**2))))


def shown_groups(groups: Mapping[str, Any]) -> dict[str, Any]:
    """Without a single species or config_type, which would only repeat all."""
    apart = [name for name in groups if name != ALL and not name.startswith(_LAMBDA)]
    return {name: own for name, own in groups.items() if [name] != apart}


def property_rows(targets: Sequence[Target], table: PropertyErrors) -> list[tuple[str, ...]]:
    """Rows under HEAD, as shown to people."""
    units = {target.name: target.unit for target in targets}
    rows = []
    for name, groups in table.items():
        for group, own in shown_groups(groups).items():
            numbers = (f"{x:.4g}" for x in (own.rmse, own.mae, own.largest))
            unit = printable(units.get(name, ""))
            percent = "" if np.isnan(own.percent) else f"{own.percent:.3g}"
            rows.append((name, group, str(own.count), *numbers, unit, percent))
    return rows


def format_properties(targets: Sequence[Target], table: PropertyErrors, title: str = "") -> str:
    """A table of plain text."""
    body = text_table(HEAD, property_rows(targets, table), left=TEXT_COLUMNS)
    return f"{title}\n{body}" if title else body


def from_plain(values: Mapping[str, Any]) -> PropertyErrors:
    """The inverse of ``metrics.plain``; older records have no deviation."""
    return {
        name: {
            group: TargetStatistics(
                **{key: numbers[key] for key in STATISTICS}, deviation=numbers.get("deviation", 0.0)
            )
            for group, numbers in row.items()
        }
        for name, row in values.items()
    }


def _values(target: Target, structure: Structure, prediction: Evaluation):
    """(reference, predicted) (n, n_components) and of (n,), of the labels that a structure has."""
    n = target.n_components
    reference = np.reshape(structure.targets[target.name], (-1, n))
    predicted = np.reshape(prediction.properties[target.name], (-1, n))
    known = np.isfinite(reference).all(axis=1) & np.isfinite(predicted).all(axis=1)
    if target.per_atom:
        of = np.array([symbol(z) for z in structure.numbers.tolist()], dtype=object)
    else:
        of = np.array([structure.config_type], dtype=object)
    return reference[known], predicted[known], of[known]


def _groups(of: np.ndarray) -> list[str]:
    return sorted(set(of.tolist()))
