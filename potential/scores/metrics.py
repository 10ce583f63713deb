# SPDX-License-Identifier: BSD-3-Clause
"""Errors of predictions: RMSE, MAE and largest, by label and config_type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np

from potential.runtime.text_table import text_table
from potential.structures.energy_units import EV_PER
from potential.structures.label_table import LABELS
from potential.structures.structure import Structure

ALL = "all"
# label: (unit inside, unit shown, factor)
UNITS = {
    label.name: (label.unit, label.shown_unit, label.shown_factor) for label in LABELS.values()
}
UNITS["stress"] = ("eV/Å^3", "GPa", 160.21766208)
TOTAL_ENERGY = "total_energy"  # of a molecule, whose errors are quoted as a whole
UNITS[TOTAL_ENERGY] = ("eV", "kcal/mol", 1.0 / EV_PER["kcal/mol"])


class Prediction(Protocol):
    """What Model.evaluate returns, as far as errors need it."""

    @property
    def energy(self) -> float: ...

    @property
    def forces(self) -> Any: ...  # (N, 3) array

    @property
    def virial(self) -> Any: ...  # (3, 3) array


@dataclass(frozen=True)
class ErrorStatistics:
    """Over ``count`` numbers: components of forces and of symmetric tensors count one by one."""

    count: int
    rmse: float
    mae: float
    largest: float


STATISTICS = tuple(field.name for field in fields(ErrorStatistics))
Errors = dict[str, dict[str, ErrorStatistics]]  # config_type -> label -> statistics


@dataclass(frozen=True)
class Pairs:
    """Reference and predicted values of one label, with where each comes from."""

    reference: np.ndarray  # (n,)
    predicted: np.ndarray  # (n,)
    structure: np.ndarray  # (n,) index of the structure


def label_pairs(
    structures: Sequence[Structure], predictions: Sequence[Prediction]
) -> dict[str, Pairs]:
    """All labels that the structures have, in eV/atom, eV/Å, eV/atom (virial), eV/Å^3 (stress) and
    eV (total energies of structures without periodicity)."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray, int]]] = {label: [] for label in UNITS}
    for index, (structure, prediction) in enumerate(zip(structures, predictions, strict=True)):
        for label, reference, predicted in _values(structure, prediction):
            known = np.isfinite(reference)  # nan where a component is no label
            found[label].append((reference[known], predicted[known], index))
    return {
        label: Pairs(
            np.concatenate([reference for reference, _, _ in items]),
            np.concatenate([predicted for _, predicted, _ in items]),
            np.repeat([k for *_, k in items], [reference.size for reference, *_ in items]),
        )
        for label, items in found.items()
        if items
    }


def errors(structures: Sequence[Structure], predictions: Sequence[Prediction]) -> Errors:
    """Statistics of predicted - reference for all structures and for every config_type."""
    types = np.array([structure.config_type for structure in structures])
    table: Errors = {ALL: {}}
    for label, pairs in label_pairs(structures, predictions).items():
        difference = pairs.predicted - pairs.reference
        table[ALL][label] = statistics(difference)
        for name in sorted(set(types)):
            of_type = difference[types[pairs.structure] == name]
            if of_type.size:
                table.setdefault(name, {})[label] = statistics(of_type)
    return table


def statistics(difference: np.ndarray) -> ErrorStatistics:
    """Root mean square, mean absolute and largest of a non-empty array (n,)."""
    return ErrorStatistics(
        count=int(difference.size),
        rmse=float(np.sqrt(np.mean(difference**2))),
        mae=float(np.mean(np.abs(difference))),
        largest=float(np.max(np.abs(difference))),
    )


def to_json(table: Errors) -> dict[str, Any]:
    """Plain types: {"units": {label: unit}, "errors": {config_type: {label: {...}}}}."""
    return {
        "units": {label: inside for label, (inside, _, _) in UNITS.items()},
        "errors": plain(table),
    }


def plain(table: Mapping[str, Mapping[str, ErrorStatistics]]) -> dict[str, Any]:
    """The numbers of a table of errors in plain types, {group: {label: {...}}}."""
    return {
        name: {label: asdict(values) for label, values in row.items()}
        for name, row in table.items()
    }


def from_json(values: dict[str, Any]) -> Errors:
    """The inverse of to_json."""
    return from_plain(values.get("errors", {}))


def from_plain(values: Mapping[str, Any]) -> Errors:
    """The inverse of plain."""
    return {
        name: {
            label: ErrorStatistics(*(numbers[key] for key in STATISTICS))
            for label, numbers in row.items()
        }
        for name, row in values.items()
    }


def rows(table: Errors) -> list[tuple[str, ...]]:
    """(config_type, label, count, rmse, mae, largest, unit) as shown to people.

    With a single config_type, its rows would only repeat those of all.
    """
    names = [ALL] if len(table) == 2 else list(table)
    return [
        (
            name,
            label,
            str(values.count),
            *(f"{x * factor:.3f}" for x in (values.rmse, values.mae, values.largest)),
            shown,
        )
        for name in names
        for label, (_, shown, factor) in UNITS.items()
        if (values := table[name].get(label))
    ]


def format_table(table: Errors, title: str = "") -> str:
    """A table of plain text."""
    head = ("config_type", "label", "count", "RMSE", "MAE", "max", "unit")
    body = text_table(head, rows(table), left=(0, 1, 6))
    return f"{title}\n{body}" if title else body


def _values(structure: Structure, prediction: Prediction):
    """(label, reference (n,), predicted (n,)) for each label the structure has."""
    n = len(structure)
    if np.isnan(prediction.energy):  # of a model without a potential
        return
    if structure.energy is not None:
        yield "energy", np.array([structure.energy]) / n, np.array([prediction.energy]) / n
    if structure.forces is not None:
        yield "force", np.ravel(structure.forces), np.ravel(prediction.forces)
    if structure.virial is not None:
        upper = np.triu_indices(3)
        reference, predicted = structure.virial[upper], prediction.virial[upper]
        yield "virial", reference / n, predicted / n
        if structure.volume > 0:
            yield "stress", -reference / structure.volume, -predicted / structure.volume
    if structure.energy is not None and n > 1 and not structure.pbc.any():
        yield TOTAL_ENERGY, np.array([structure.energy]), np.array([prediction.energy])
