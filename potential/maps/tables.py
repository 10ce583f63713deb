# SPDX-License-Identifier: BSD-3-Clause
"""Features, kernels and distances as tables that are computed while they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from potential.descriptors.chosen import TermFeatures
from potential.maps.arrays import FEATURES, Table
from potential.maps.catalogue import Catalogue, joined
from potential.maps.points import PointKernel, Points, blocks, points_of
from potential.runtime.progress import Progress, silent

KERNEL, DISTANCES = "kernel", "distances"


def feature_blocks(
    term: TermFeatures,
    catalogue: Catalogue,
    pooling: str | None = None,
    progress: Progress = silent,
) -> Iterator[np.ndarray]:
    """Rows of features of one structure after the other: of its atoms that count, or their mean or
    sum (1, n_features)."""
    rows = term.rows(progress(catalogue.structures, "features"))
    for X, atoms in zip(rows, catalogue.chosen, strict=True):
        own = X[atoms]
        if pooling is not None:
            own = own.sum(axis=0, keepdims=True)
        yield own / len(atoms) if pooling == "mean" else own


def feature_table(
    term: TermFeatures,
    catalogue: Catalogue,
    pooling: str | None,
    record: Mapping[str, Any],
    progress: Progress = silent,
) -> Table:
    """``features`` (n, n_features) with ``columns``, their names, and the labels of the rows.

    Where the features are others for each species of the centre, names are ``columns.H`` and so
    on, and rows end with zeros after the features that their species has.
    """
    names = {
        f"columns.{species}" if species else "columns": np.array(own, dtype=str)
        for species, own in term.column_names().items()
    }
    return Table(
        FEATURES,
        (len(catalogue), term.n_features),
        feature_blocks(term, catalogue, pooling, progress),
        catalogue.labels() | names,
        record,
    )


def pair_table(
    what: str,
    term: TermFeatures,
    kernel: PointKernel,
    rows: Catalogue,
    columns: Catalogue | None,
    record: Mapping[str, Any],
    progress: Progress = silent,
) -> Table:
    """``kernel`` or ``distances`` (n_rows, n_columns) between points, by default of a set with
    itself; the labels of columns of another set end with ``_to``."""
    both = rows if columns is None else joined(rows, columns)
    points = points_of(term, both.structures, kernel, both.chosen, progress)
    n, first = len(rows), 0 if columns is None else len(rows)
    labels = rows.labels() | (columns.labels("_to") if columns else {})
    return Table(
        what,
        (n, len(points) - first),
        _pairs(what, points, n, first, progress),
        labels,
        {**record, **asdict(kernel)},
    )


def _pairs(
    what: str, points: Points, n: int, first: int, progress: Progress
) -> Iterator[np.ndarray]:
    of = points.between if what == KERNEL else points.distances
    for I in progress(list(blocks(n)), what):
        yield np.hstack([of(I, first + J) for J in blocks(len(points) - first)])
