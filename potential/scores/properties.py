# SPDX-License-Identifier: BSD-3-Clause
"""Errors of targets: of atoms by species, of structures by config_type, in units of the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potential.model import Evaluation
from potential.model.targets import Target
from potential.runtime.printable import printable
from potential.runtime.text_table import text_table
from potential.scores.metrics import ALL, ErrorStatistics, statistics
from potential.structures.structure import Structure, symbol

PropertyErrors = dict[str, dict[str, ErrorStatistics]]  # target -> all, species or config_type
HEAD = ("target", "of", "count", "RMSE", "MAE", "max", "unit")
TEXT_COLUMNS = (0, 1, 6)


@dataclass(frozen=True)
class PropertyPairs:
    """Reference and predicted values of one target, with what they are of; of vectors and tensors
    each Cartesian component is a value."""

    reference: np.ndarray  # (n,)
    predicted: np.ndarray  # (n,)
    of: np.ndarray  # (n,) chemical symbols of atoms, or config_types of structures


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
    table: PropertyErrors = {}
    for name, pairs in property_pairs(targets, structures, predictions).items():
        difference = pairs.predicted - pairs.reference
        apart = {group: statistics(difference[pairs.of == group]) for group in _groups(pairs.of)}
        table[name] = {ALL: statistics(difference), **apart}
    return table


def property_rows(targets: Sequence[Target], table: PropertyErrors) -> list[tuple[str, ...]]:
    """Rows under HEAD, as shown to people; a single group would only repeat all."""
    units = {target.name: target.unit for target in targets}
    rows = []
    for name, groups in table.items():
        shown = [ALL] if len(groups) == 2 else list(groups)
        for group in shown:
            own = groups[group]
            numbers = (f"{x:.4g}" for x in (own.rmse, own.mae, own.largest))
            unit = printable(units.get(name, ""))
            rows.append((name, group, str(own.count), *numbers, unit))
    return rows


def format_properties(targets: Sequence[Target], table: PropertyErrors, title: str = "") -> str:
    """A table of plain text."""
    body = text_table(HEAD, property_rows(targets, table), left=TEXT_COLUMNS)
    return f"{title}\n{body}" if title else body


def _values(target: Target, structure: Structure, prediction: Evaluation):
    """(reference, predicted, of), (n,) each, of the labels that a structure has, component by
    component."""
    reference = np.ravel(structure.targets[target.name])
    predicted = np.ravel(prediction.properties[target.name])
    known = np.isfinite(reference) & np.isfinite(predicted)
    if target.per_atom:
        of = np.array([symbol(z) for z in structure.numbers.tolist()], dtype=object)
    else:
        of = np.array([structure.config_type], dtype=object)
    of = np.repeat(of, target.n_components)
    return reference[known], predicted[known], of[known]


def _groups(of: np.ndarray) -> list[str]:
    return sorted(set(of.tolist()))
