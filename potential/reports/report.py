# SPDX-License-Identifier: BSD-3-Clause
"""The report on a model: how well it reproduces labelled structures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from potential.model import Evaluation, Model
from potential.model.targets import Target
from potential.reports.body_potentials import add_potentials
from potential.reports.elements import add_elements
from potential.reports.elimination import add_elimination
from potential.reports.learning_curve import add_curve
from potential.reports.page import Page
from potential.reports.plots import error_histogram, parity
from potential.reports.uncertainty import add_uncertainty
from potential.scores import metrics, properties
from potential.scores.metrics import Pairs
from potential.scores.shares import HEAD, TermShare, share_rows, term_shares, term_values
from potential.structures.structure import Structure
from potential.training.baseline import composition
from potential.training.provenance import summary
from potential.version import package_version

_NAMES = {"energy": "energy above e0", "force": "force", "virial": "virial", "stress": "stress"}
_WORST = 8


def write_report(
    path: str | Path,
    model: Model,
    structures: Sequence[Structure],
    predictions: Sequence[Evaluation],
    title: str = "soap-gpr model",
    curve: dict[str, Any] | None = None,
) -> None:
    """Write the page; structures and predictions belong together one by one.

    curve: what ``LearningCurve.to_dict`` returns, to be shown as well.
    """
    files = sorted({structure.source.rpartition("#")[0] for structure in structures})
    lead = f"{len(structures)} structures from {', '.join(files)}"
    page = Page(title, lead)
    if model.has_potential:
        add_accuracy(page, model, structures, predictions)
    add_targets(page, model, structures, predictions)
    if model.has_potential and len(model.terms) > 1:
        add_shares(page, model, term_shares(term_values(model, structures)))
    add_uncertainty(page, model)
    add_elimination(page, model)
    add_potentials(page, model)
    if curve is not None:
        add_curve(page, curve)
    add_elements(page, model)
    add_model(page, model)
    page.footer(f"Written by soap-gpr {package_version()}.")
    page.write(path)


def add_accuracy(
    page: Page,
    model: Model,
    structures: Sequence[Structure],
    predictions: Sequence[Evaluation],
) -> None:
    """Key numbers, parity plots, histograms, errors by config_type, worst structures."""
    errors = metrics.errors(structures, predictions)
    pairs = metrics.label_pairs(structures, predictions)
    page.cards(_cards(errors))
    types = np.array([structure.config_type for structure in structures])
    plots = []
    for label in _shown(pairs):
        of_label = (
            _without_e0(model, structures, pairs[label]) if label == "energy" else pairs[label]
        )
        plots.append((label, of_label, types[of_label.structure]))
    page.heading("Predicted against reference values")
    page.figures(_parity(*plot) for plot in plots)
    page.heading("Distribution of errors")
    page.figures(_histogram(*plot) for plot in plots)
    page.heading("Errors by config_type")
    titles = ("config_type", "label", "count", "RMSE", "MAE", "largest", "unit")
    page.table(titles, metrics.rows(errors), text_columns=(0, 1, 6))
    page.heading("Structures with the largest errors")
    head, rows = _worst(structures, pairs)
    page.table(head, rows, text_columns=(0, 1))


def add_targets(
    page: Page,
    model: Model,
    structures: Sequence[Structure],
    predictions: Sequence[Evaluation],
) -> None:
    """Parity plots and errors of the properties beside the energy."""
    pairs = properties.property_pairs(model.targets, structures, predictions)
    if not pairs:
        return
    page.heading("Targets")
    page.figures(
        plot
        for target in model.targets
        if target.name in pairs
        for plot in _target_parity(target, pairs[target.name])
    )
    errors = properties.property_errors(model.targets, structures, predictions)
    rows = properties.property_rows(model.targets, errors)
    page.table(properties.HEAD, rows, text_columns=properties.TEXT_COLUMNS)


def _target_parity(target: Target, pairs: properties.PropertyPairs):
    """(figure, caption): of a scalar one, of vectors and tensors one of components alike in size,
    coloured by component."""
    for own in properties.component_groups(target) or [{"": 0}]:
        places = list(own.values())
        reference, predicted = pairs.reference[:, places], pairs.predicted[:, places]
        of, name = pairs.of, target.name
        if target.rank:
            of = np.tile(np.array(list(own), dtype=object), len(pairs.of))
            name = f"{target.name}, {', '.join(own)}"
        figure = parity(reference.ravel(), predicted.ravel(), of, target.name, target.unit)
        yield figure, f"{name}: {reference.size} values"


def add_shares(page: Page, model: Model, shares: Sequence[TermShare]) -> None:
    """What each term contributes to energies and forces."""
    page.heading("Terms")
    page.text(
        "Share of each term in the variance of the energies per atom above e0 and of the forces "
        "(negative where it cancels others), and its own spread."
    )
    page.table(HEAD, share_rows(model, shares), text_columns=(0, 5))


def add_model(page: Page, model: Model) -> None:
    """The training summary and the settings as stored in the model file."""
    page.heading("Model")
    if model.metadata["provenance"].get("train"):
        page.details("Training summary", summary(model))
    if model.metadata["settings"]:
        page.details("Settings", json.dumps(model.metadata["settings"], indent=2))


def _shown(pairs: dict[str, Pairs]) -> list[str]:
    """Stress stands for the virial wherever every virial has one; total energies are in the table
    of errors alone."""
    same = "stress" in pairs and pairs["stress"].reference.size == pairs["virial"].reference.size
    left_out = {metrics.TOTAL_ENERGY, *(("virial",) if same else ())}
    return [label for label in pairs if label not in left_out]


def _cards(errors: metrics.Errors) -> list[tuple[str, str, str, str]]:
    cards = []
    for label, values in errors[metrics.ALL].items():
        if label == metrics.TOTAL_ENERGY:
            continue
        _, unit, factor = metrics.UNITS[label]
        note = f"MAE {factor * values.mae:.3g}, largest {factor * values.largest:.3g}"
        cards.append((f"{label.capitalize()} RMSE", f"{factor * values.rmse:.3g}", unit, note))
    return cards


def _without_e0(model: Model, structures: Sequence[Structure], pairs: Pairs) -> Pairs:
    e0 = model.arrays["e0"]
    shift = np.array(
        [
            e0 @ composition(structures[k], model.species) / len(structures[k])
            for k in pairs.structure
        ]
    )
    return Pairs(pairs.reference - shift, pairs.predicted - shift, pairs.structure)


def _parity(label: str, pairs: Pairs, groups: np.ndarray):
    inside, shown, factor = metrics.UNITS[label]
    unit, scale = (shown, factor) if label == "stress" else (inside, 1.0)
    figure = parity(scale * pairs.reference, scale * pairs.predicted, groups, _NAMES[label], unit)
    return figure, f"{_NAMES[label].capitalize()}: {pairs.reference.size} values"


def _histogram(label: str, pairs: Pairs, groups: np.ndarray):
    _, unit, factor = metrics.UNITS[label]
    error = factor * (pairs.predicted - pairs.reference)
    figure = error_histogram(error, groups, label, unit)
    caption = f"Predicted minus reference {label}; values beyond the axis are in its last bins"
    return figure, caption


def _worst(structures: Sequence[Structure], pairs: dict[str, Pairs]):
    """(head, rows): by the largest RMSE of forces, or of energies where there are no forces."""
    labels = _shown(pairs)
    rmse = np.full((len(labels), len(structures)), np.nan)
    for row, label in zip(rmse, labels, strict=True):
        square = (pairs[label].predicted - pairs[label].reference) ** 2
        count = np.bincount(pairs[label].structure, minlength=len(structures))
        total = np.bincount(pairs[label].structure, square, minlength=len(structures))
        row[count > 0] = np.sqrt(total[count > 0] / count[count > 0])
    key = rmse[labels.index("force") if "force" in labels else 0]
    order = np.argsort(-np.nan_to_num(key, nan=-1.0), kind="stable")[:_WORST]
    head = ["structure", "config_type", "atoms"]
    head += [f"{label} RMSE ({metrics.UNITS[label][1]})" for label in labels]
    rows = []
    for k in order:
        numbers = [
            "–" if np.isnan(row[k]) else f"{metrics.UNITS[label][2] * row[k]:.3f}"
            for row, label in zip(rmse, labels, strict=True)
        ]
        structure = structures[k]
        rows.append([structure.source, structure.config_type, str(len(structure)), *numbers])
    return head, rows
